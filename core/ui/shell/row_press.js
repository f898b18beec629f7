// A click on a row of a table, and Enter on it, press what can be pressed there (tables.py).
//
// A table of Streamlit is drawn on a canvas. Inside it stands a table for screen readers, which says what has the focus, a
// moment later. Titles and labels of what can be pressed end with invisible digits; those of a label number it.
const DIGITS = ["\u200b", "\u200c"];
const HEADER_PIXELS = 36;
const FOLLOWS_WITHIN_MILLISECONDS = 260, DRAWN_WITHIN_MILLISECONDS = 40;
const senders = new Map();

const readDigits = (cell) => [...cell.textContent].map((letter) => DIGITS.indexOf(letter)).filter((digit) => digit >= 0);

const press = (table, byKey) => {
  const cell = document.querySelector(`.st-key-${table} td[aria-selected=true]`);
  if (!cell) return;
  const titles = [...cell.closest("table").tHead.rows[0].cells];
  const labels = [...cell.parentElement.cells].filter((_, column) => readDigits(titles[column]).length);
  const isButton = labels.includes(cell);
  if (isButton && !byKey) return; // Streamlit presses it.
  const digits = (isButton ? [cell] : labels).map(readDigits).find((found) => found.length);
  if (digits) senders.get(table)?.("pressed", { number: parseInt(digits.join(""), 2), whole_row: !isButton });
};

const follow = (event, byKey) => {
  const table = [...senders.keys()].find((key) => event.target.closest?.(`.st-key-${key} [data-testid=stDataFrame]`));
  // The second wait begins when the first is over: on a busy machine what is drawn in between stands in line before it.
  const wait = () => setTimeout(press, DRAWN_WITHIN_MILLISECONDS, table, byKey);
  if (table) setTimeout(wait, FOLLOWS_WITHIN_MILLISECONDS);
  return table !== undefined;
};

document.addEventListener("click", (event) => {
  const isBelowTitles = event.clientY - event.target.getBoundingClientRect().top > HEADER_PIXELS;
  if (event.target.closest?.(".dvn-scroller") && isBelowTitles) follow(event, false);
});

document.addEventListener("keydown", (event) => {
  const isCell = event.target.closest?.("canvas");
  if (event.key === "Enter" && isCell && follow(event, true)) event.stopPropagation(); // It would show the cell's text.
}, true);

export default function ({ data, setTriggerValue }) {
  senders.set(data.table, setTriggerValue);
  return () => senders.delete(data.table);
}
