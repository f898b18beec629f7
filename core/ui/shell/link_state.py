"""View state in the page's address: a filter is what the link says, so a copied link and the back button bring it back.

Widgets show what the link says and write into it; nothing is kept beside it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from math import isfinite
from typing import TypeVar
from uuid import UUID

import streamlit as st

from core.domain.paging import Direction, RowCursor, parse_cursor
from core.errors import InvalidRequest
from core.ui.shell.formats import escape_markdown, find_zone

OLDER_THAN, NEWER_THAN = "after", "before"
"""The cursor of a page: what follows a row, or what precedes it."""
DATES, HOUR = "dates", "hour"
WITH = "with"
"""The value of a parameter that brings in what is left out otherwise."""
YEARS = range(1970, 2200)
"""Valid years; the ends of the calendar have no day before or after them."""
Choice = TypeVar("Choice", bound=StrEnum)
_LONGEST_NUMBER = 9
"""Digits; more would not fit into the database's integers."""


def change_link(changes: Mapping[str, str | None], *, keep_page: bool = False) -> None:
    """Set or (None) remove parameters in one step of the browser's history; another filter begins at the first page."""
    link = {name: value for name, value in st.query_params.items() if keep_page or name not in (OLDER_THAN, NEWER_THAN)}
    for name, value in changes.items():
        link.pop(name, None)
        if value:
            link[name] = value
    st.query_params.from_dict(link)


def follow_link(name: str, shown: str | None) -> None:
    """Draw the whole page if a button in a fragment has changed a parameter that the page outside of it shows."""
    if st.query_params.get(name) != shown:
        st.rerun()


def drop_unreadable(readers: Mapping[str, Callable[[str], object | None]]) -> None:
    """Remove unreadable parameters from the link, and say so."""
    link = st.query_params
    damaged = {name: link[name] for name, read in readers.items() if link.get(name) and read(name) is None}
    place = st.container()  # With or without the message, what follows keeps its place.
    if damaged:
        change_link(dict.fromkeys(damaged))
        named = escape_markdown(", ".join(f"{name.replace('_', ' ')} “{shorten(text)}”" for name, text in damaged.items()))
        place.warning(f"Part of this link could not be read and is ignored: {named}.", icon=":material/link_off:")


def read_uuid(name: str, link: Mapping[str, str] = st.query_params) -> UUID | None:
    """Return the id of a parameter; None if absent or invalid."""
    try:
        return UUID(link.get(name, ""))
    except ValueError:
        return None


def read_choice(name: str, kind: type[Choice]) -> Choice | None:
    """Return the member of an enum that a parameter names; None for any other text."""
    text = st.query_params.get(name)
    return next((member for member in kind if member.value == text), None)


def read_number(name: str) -> float | None:
    """Return the finite number of a parameter; None without one."""
    try:
        number = float(st.query_params.get(name, ""))
    except ValueError:
        return None
    return number if isfinite(number) else None


def read_cursor() -> tuple[RowCursor | None, Direction]:
    """Return where the page begins; says so, and returns the first page, where the link is damaged."""
    for name, direction in ((OLDER_THAN, Direction.OLDER), (NEWER_THAN, Direction.NEWER)):
        text = st.query_params.get(name)
        if text:
            try:
                return parse_cursor(text), direction
            except InvalidRequest as error:
                st.warning(escape_markdown(str(error)), icon=":material/link_off:")
    return None, Direction.OLDER


def read_dates(name: str = DATES) -> tuple[date, date] | None:
    """Return the days of `?dates=2026-11-01..2026-11-22`, both included; None without them."""
    first, _, last = st.query_params.get(name, "").partition("..")
    try:
        days = date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError:
        return None
    return days if all(day.year in YEARS for day in days) else None


def find_moments(days: tuple[date, date], timezone: str | None) -> tuple[datetime, datetime]:
    """Return the beginning of the first day and the end of the last as the reader's clock has them, in UTC."""
    zone = find_zone(timezone)
    first, last = min(days), max(days)
    begin = datetime.combine(first, time.min, tzinfo=zone)
    end = datetime.combine(last + timedelta(days=1), time.min, tzinfo=zone)
    return begin.astimezone(UTC), end.astimezone(UTC)


def read_hour(name: str = HOUR) -> datetime | None:
    """Return the beginning of the hour of `?hour=2026-11-22T14` on the reader's clock; None without one."""
    try:
        hour = datetime.strptime(st.query_params.get(name, ""), "%Y-%m-%dT%H")  # noqa: DTZ007 - the reader's clock
    except ValueError:
        return None
    return hour if hour.year in YEARS else None


def find_hour(hour: datetime, timezone: str | None) -> tuple[datetime, datetime]:
    """Return the beginning and the end of an hour of the reader's clock, in UTC."""
    begin = hour.replace(tzinfo=find_zone(timezone)).astimezone(UTC)
    return begin, begin + timedelta(hours=1)


def read_whole(name: str, link: Mapping[str, str] = st.query_params) -> int | None:
    """Return the whole number from 0 up of a parameter; None without one."""
    text = link.get(name, "")
    return int(text) if text.isdecimal() and len(text) < _LONGEST_NUMBER else None


def read_span(name: str, link: Mapping[str, str] = st.query_params) -> tuple[int | None, int | None]:
    """Return the ends of `?name=8600..8700`, the second not included; either may be missing."""
    first, _, last = link.get(name, "").partition("..")
    return tuple(int(part) if part.isdecimal() and len(part) < _LONGEST_NUMBER else None for part in (first, last))  # pyright: ignore[reportReturnType] - two parts


def draw_choice(name: str, label: str, labels: Mapping[str, str], *, placeholder: str | None = None) -> None:
    """Draw a list to choose one value from; what the link says stays chosen even where it is not in the list (any more)."""
    chosen = st.query_params.get(name) or None
    known = dict(labels) if chosen is None or chosen in labels else {**labels, chosen: shorten(chosen)}
    key = show_link(name, chosen)
    st.selectbox(
        label,
        list(known),
        index=None,
        key=key,
        placeholder=placeholder or f"Any {label.lower()}",
        format_func=lambda value: known.get(str(value), str(value)),
        on_change=_write,
        args=(name, key),
        label_visibility="collapsed",
    )


def draw_search(name: str, label: str, help_text: str) -> None:
    """Draw a field for words."""
    key = show_link(name, st.query_params.get(name) or "")
    st.text_input(
        label,
        key=key,
        type="search",
        placeholder=label,
        help=help_text,
        on_change=_write,
        args=(name, key),
        label_visibility="collapsed",
    )


def draw_flag(name: str, label: str, help_text: str) -> None:
    """Draw a switch; the link has the parameter, as `with`, while it is on."""
    key = show_link(name, st.query_params.get(name) == WITH)
    st.toggle(label, key=key, help=help_text, on_change=lambda: change_link({name: WITH if st.session_state[key] else None}))


def draw_dates(label: str) -> None:
    """Draw a range of days; the link changes when both are chosen, or none."""
    # The key changes with the link, so the widget starts again with the link's value.
    key = f"link_{DATES}_{st.query_params.get(DATES, '')}"

    def write() -> None:
        days: tuple[date, ...] = st.session_state[key]
        if len(days) != 1:
            change_link({DATES: f"{days[0]}..{days[1]}" if days else None})

    st.date_input(
        label, value=read_dates() or [], key=key, on_change=write, label_visibility="collapsed", format="YYYY-MM-DD"
    )


def draw_clear(names: Sequence[str]) -> None:
    """Draw the button that removes all filters."""
    st.button(
        "Clear filters",
        icon=":material/filter_alt_off:",
        width="stretch",
        disabled=not any(st.query_params.get(name) for name in names),
        on_click=change_link,
        args=(dict.fromkeys(names),),
    )


def shorten(text: str) -> str:
    """Return an unknown value of the link, shortened for a list."""
    return text if len(text) <= 30 else text[:12] + "…"  # noqa: PLR2004 - enough to recognise an id


def show_link(name: str, value: object) -> str:
    """Let a widget show what the link says; return its key."""
    key = f"link_{name}"
    if st.session_state.get(key, ...) != value:
        st.session_state[key] = value
    return key


def _write(name: str, key: str) -> None:
    change_link({name: st.session_state[key] or None})
