"""Where in the text of a reply a turn ends: the place of the cut. Pure."""

import re

from core.domain.record import Record
from core.domain.verdict.bounded_json import decode_value, may_hold_values

AROUND_BEFORE, AROUND_BEHIND = 400, 160
_TURNS = re.compile(r'"turns"\s*:\s*\[')
_CONTENT = re.compile(r'"content"\s*:\s*(?=")')


class CutPlace(Record):
    """The text on both sides of the cut; `offset` is where it is in the whole text."""

    offset: int
    before: str
    behind: str


def locate_cut(reply: str, turn_index: int | None) -> CutPlace:
    """Return where the turn's content ends; the end of the text if that turn is not closed, or if none is to blame."""
    offset = len(reply.rstrip())
    if turn_index is not None and may_hold_values(reply):
        offset = _find_end_of_turn(reply, turn_index) or offset
    return CutPlace(
        offset=offset,
        before=reply[max(0, offset - AROUND_BEFORE) : offset],
        behind=reply[offset : offset + AROUND_BEHIND],
    )


def _find_end_of_turn(reply: str, turn_index: int) -> int | None:
    """Return the position of the quotation mark that closes the content of a turn in JSON text."""
    found = _TURNS.search(reply)
    position = None if found is None else found.end()
    for index in range(turn_index + 1):
        start = -1 if position is None else reply.find("{", position)
        if start < 0:
            return None
        content = _CONTENT.search(reply, start)
        if index == turn_index:
            return None if content is None else _end_of_value(reply, content.end(), step_back=1)
        position = _end_of_value(reply, start)
    return None


def _end_of_value(text: str, start: int, *, step_back: int = 0) -> int | None:
    try:
        _, end = decode_value(text, start)
    except ValueError:
        return None
    return end - step_back
