// The letters of a review do nothing while a question is open, or while the conversation that they would mean is not there
// yet (review.py). A question with a field has the cursor in it.
//
// Streamlit presses its buttons by letters also behind an open dialog, and once more for each letter that comes too early.
const LETTERS = new Set("axuenh"), STEPS = new Set("jk"); // Steps do no harm, however fast.
const SOON_MILLISECONDS = 300; // A press is on its way to the server before the page says that it runs.
const FOCUS_WITHIN_MILLISECONDS = 1_000, LOOK_EVERY_MILLISECONDS = 50; // An opening dialog takes the focus itself.
let pressedAt = -SOON_MILLISECONDS;

const isRunning = () =>
  document.querySelector("[data-testid=stApp]")?.getAttribute("data-test-script-state") === "running";

window.addEventListener("keydown", (event) => {
  const key = event.key.toLowerCase();
  const isOurs = LETTERS.has(key) || STEPS.has(key);
  if (!isOurs || event.ctrlKey || event.metaKey || event.altKey || !document.querySelector(".st-key-review_approved")) return;
  if (event.target.closest?.("input, textarea, [contenteditable=true]")) return;
  const isEarly = event.repeat || isRunning() || event.timeStamp - pressedAt < SOON_MILLISECONDS;
  if (document.querySelector("[role=dialog]") || (LETTERS.has(key) && isEarly)) event.stopImmediatePropagation();
  else pressedAt = event.timeStamp;
}, true); // Before Streamlit's own listener, which is on the document.

const focusField = (until) => {
  const field = document.querySelector("[role=dialog] textarea");
  if (field && document.activeElement === field) return;
  field?.focus();
  if (performance.now() < until) setTimeout(focusField, LOOK_EVERY_MILLISECONDS, until);
};

export default function ({ data }) {
  if (data?.focus) focusField(performance.now() + FOCUS_WITHIN_MILLISECONDS);
}
