"""What can be said of a page by measuring it: nothing hangs over, nothing lies over another, all is reached by keyboard."""

from collections.abc import Sequence
from typing import Any

from playwright.sync_api import Page

FIND_FAULTS = """() => {
  const found = [], width = document.documentElement.clientWidth;
  const name = (element) => (element.getAttribute('aria-label') || element.innerText || element.tagName).trim().slice(0, 60);
  const isShown = (element) => element.checkVisibility({checkVisibilityCSS: true, checkOpacity: true})
    && element.getBoundingClientRect().width > 0;
  const list = (selector) => [...document.querySelectorAll(selector)].filter(isShown);
  for (const element of [document.documentElement, ...list('[data-testid="stMain"]')])
    if (element.scrollWidth > element.clientWidth + 1) found.push(`hangs over by ${element.scrollWidth - width} px`);
  const headings = list('[data-testid="stMain"] [data-testid="stHeading"]');
  if (!headings.length && !list('[data-testid="stAlert"]').length) found.push('there is neither a heading nor a message');
  const area = document.querySelector('[role="dialog"]') || document.querySelector('[data-testid="stMain"]');
  const buttons = [...area.querySelectorAll('button, a[href], input:not([type=radio]):not([type=checkbox]), textarea')]
    .filter((element) => isShown(element) && !element.closest('.modebar, [data-testid="stElementToolbar"], [aria-hidden]'));
  for (const element of [...headings, ...buttons]) {
    const box = element.getBoundingClientRect();
    if (box.left < -1 || box.right > width + 1) found.push(`"${name(element)}" stands outside`);
  }
  for (const label of area.querySelectorAll('[data-testid="stMetric"] *, button[data-testid^="stBaseButton"] *'))
    if (isShown(label) && label.scrollWidth > label.clientWidth + 1 && getComputedStyle(label).overflowX === 'hidden')
      found.push(`"${name(label)}" is cut off`);
  const boxes = buttons.map((element) => [element, element.getBoundingClientRect()]);
  boxes.forEach(([one, a], number) => boxes.slice(number + 1).forEach(([other, b]) => {
    const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (across > 3 && down > 3 && !one.contains(other) && !other.contains(one)
        && one.closest('[data-baseweb], [data-testid]') !== other.closest('[data-baseweb], [data-testid]'))
      found.push(`"${name(one)}" lies over "${name(other)}"`);
  }));
  for (const element of list('[data-testid="stException"]')) found.push(`an error: ${name(element)}`);
  return [...new Set(found)];
}"""
BEGIN_WALK = """() => {
  const style = document.createElement('style');
  style.textContent = '* { transition: none !important; animation: none !important; }';
  document.head.append(style);
  document.activeElement?.blur();
  const isShown = (element) => element.checkVisibility({checkVisibilityCSS: true, checkOpacity: true})
    && element.getBoundingClientRect().width > 0 && !element.closest('[data-testid="stElementToolbar"], .modebar');
  const kin = (element) => [element, element.parentElement, element.parentElement?.parentElement,
    element.nextElementSibling, element.previousElementSibling].filter(Boolean);
  const look = (element) => kin(element).map((each) => { const own = getComputedStyle(each);
    return [own.outline, own.boxShadow, own.borderColor, own.backgroundColor, own.color, own.textDecoration].join();
  }).join(';');
  const places = 'button:not([disabled]):not([tabindex="-1"]), a[href], textarea:not([disabled]), ' +
    'input:not([disabled]):not([tabindex="-1"]):not([type=radio]):not([type=file]), [data-testid="data-grid-canvas"]';
  const groups = '[role="radiogroup"], [role="tablist"], [data-testid="stButtonGroup"]';  // Their members: by arrows.
  const all = [...document.querySelectorAll(places)].filter((element) => isShown(element)
    && !element.closest(`${groups}, [aria-hidden="true"], [inert]`));
  window.walk = {all, look, before: new Map(all.map((element) => [element, look(element)])), reached: new Set(), unseen: []};
  return all.length;
}"""
TAKE_STEP = """() => {
  const {look, before, reached, unseen} = window.walk, element = document.activeElement;
  if (before.has(element) && !reached.has(element)) {
    reached.add(element);
    const isCanvas = element.tagName === 'CANVAS';  // The table draws its focus itself.
    if (!isCanvas && look(element) === before.get(element)) unseen.push(element);
  }
  return reached.size;
}"""
END_WALK = """() => {
  const {all, reached, unseen} = window.walk;
  const name = (element) => element.getAttribute('aria-label') || element.innerText || element.outerHTML.slice(0, 120);
  const missed = all.filter((element) => element.isConnected && !reached.has(element));
  return [...missed.map((element) => `"${name(element)}" is not reached by Tab`),
          ...unseen.map((element) => `"${name(element)}" does not show that it has the focus`)];
}"""
MORE_STEPS = 60
"""Steps beyond the number of places: members of groups, cells of tables."""


def find_faults(page: Page) -> list[str]:
    """Return what is wrong with the page as it stands in the window."""
    return page.evaluate(FIND_FAULTS)


def walk_by_keyboard(page: Page) -> Sequence[str]:
    """Go through the page by Tab; return what is not reached, and what does not show that it has the focus."""
    places: Any = page.evaluate(BEGIN_WALK)
    for _ in range(places + MORE_STEPS):
        page.keyboard.press("Tab")
        if page.evaluate(TAKE_STEP) == places:
            break
    return page.evaluate(END_WALK)
