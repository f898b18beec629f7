"""Notices when a page has shown everything it has to show."""

from playwright.sync_api import Page

WATCH_SCRIPT = """
window.brightrunRuns = [];
window.brightrunChanged = 0;
window.brightrunActed = 0;
for (const kind of ['pointerdown', 'keydown']) {
    addEventListener(kind, (event) => { window.brightrunActed = event.timeStamp; }, {capture: true});
}
new MutationObserver((changes) => {
    const now = performance.now();
    const app = document.querySelector('[data-testid="stApp"]');
    const state = app && app.getAttribute('data-test-script-state');
    const last = window.brightrunRuns.at(-1);
    if (state === 'running' && (!last || last.ended)) window.brightrunRuns.push({began: now});
    if (state === 'notRunning' && last && !last.ended) last.ended = now;
    const find = (change) => change.target.closest ? change.target : change.target.parentElement;
    const shows = changes.filter((change) => change.type !== 'attributes').map(find)
        .filter((element) => element?.closest('[data-testid="stMain"], [role="dialog"]'));
    if (shows.some((element) => !element.closest('canvas'))) window.brightrunChanged = now;
    else if (shows.length) window.brightrunChanged = Math.max(window.brightrunChanged, now - 200);
}).observe(document, {
    subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ['data-test-script-state'],
});
"""
"""Records when the analyst last clicked or typed, each run of the page's script, and the last change of what the page shows.

A table is a picture: its description for screen readers, inside the canvas, follows the picture 200 ms later.
"""
SETTLED = """
(after) => {
    const last = window.brightrunRuns.at(-1);
    if (last && !last.ended) return null;
    const hasRun = last && last.ended > after, hasChanged = window.brightrunChanged > after;
    const quiet = performance.now() - Math.max(window.brightrunChanged, last ? last.ended : 0);
    if (hasRun ? quiet < 500 : !hasChanged || quiet < 2000) return null;
    return (hasChanged ? window.brightrunChanged : last.ended) - after;
}
"""
"""How long it took until everything was on the screen; null until nothing has changed for a while after the script's end.

Some runs are so short that the page never says that it is running; those are waited for longer.
"""


def wait_until_settled(page: Page, began_ms: float = 0.0) -> float:
    """Return after how many milliseconds since `began_ms` a page, which WATCH_SCRIPT watches, had shown everything."""
    return float(page.wait_for_function(SETTLED, arg=began_ms, timeout=60_000).json_value())
