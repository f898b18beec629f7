// Escape closes an open list; what is chosen in a list stays, as long as nobody chooses something else (link_state.py).
//
// Streamlit's lists that may be empty are emptied by Escape, which an analyst presses to get out of one.
document.addEventListener("keydown", (event) => {
  const list = event.target;
  if (event.key !== "Escape" || !list.matches?.("input[role=combobox]") || list.closest("[role=dialog]")) return;
  event.stopPropagation();
  list.blur(); // Closes it, and takes back what was typed.
  list.focus();
}, true);

export default () => {};
