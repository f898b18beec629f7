"""Items of a large JSON document, one after the other.

Of the streaming parser only its events are used: its own way to find items keeps the path of each open list and object as
text, which grows with the square of the depth before anyone sees an item.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, cast

import ijson  # pyright: ignore[reportMissingTypeStubs] - it has none; its answers are cast

from core.adapters.files.bounded_file import BoundedStream, FileRefused
from core.domain.verdict.bounded_json import TOO_DEEP, TOO_MANY_VALUES, ExcessiveJson
from core.domain.verdict.formats.recognition import CONTENT_KEYS, ROLE_KEYS, is_message
from core.domain.verdict.limits import DEEPEST, MOST_VALUES

JSON_ERRORS = (ijson.JSONError, UnicodeDecodeError)
_STARTS, _ENDS = frozenset({"start_map", "start_array"}), frozenset({"end_map", "end_array"})
_MESSAGE_KEYS = frozenset((*ROLE_KEYS, *CONTENT_KEYS))
_SMALLEST_PIECE, _LARGEST_PIECE = 64 * 1024, 512 * 1024
_PATH_LENGTH = 2
_Events = Iterator[tuple[str, Any]]


class Layout(StrEnum):
    """How records lie in a file."""

    LINES = "lines"  #: one on each line
    ITEMS = "items"  #: in one JSON array
    CONVERSATIONS = "conversations"  #: in the array `conversations` of one object
    TRAINING_PAIRS = "training_pairs"  #: in the array `training_pairs` of one object
    DOCUMENT = "document"  #: the file is one record


class _Pieces:
    """What the library reads from: pieces as large as the record so far.

    With each piece it looks again at the string that it is in, from its beginning; of equal pieces that takes the square.
    """

    def __init__(self, data: BoundedStream) -> None:
        self._data = data

    def read(self, size: int) -> bytes:
        """Return the next piece, or less where that is all."""
        return self._data.read(min(size, max(_SMALLEST_PIECE, self._data.record_bytes)))


class _Walk:
    """Where in a document an event is: the number of arrays and objects around it, and the first steps into them.

    The step into an object is its key, the step into an array is None.
    """

    def __init__(self) -> None:
        self.depth = 0
        self._path: list[str | None] = [None] * _PATH_LENGTH

    def take(self, event: str, value: str) -> None:
        """Go one event further. Raises ExcessiveJson where it leads too deep."""
        if event in _ENDS:
            self.depth -= 1
            return
        if event in _STARTS:
            self.depth += 1
            if self.depth > DEEPEST:
                raise ExcessiveJson(TOO_DEEP)
        if self.depth <= _PATH_LENGTH and (event == "map_key" or event in _STARTS):
            self._path[self.depth - 1] = value

    def is_within(self, way: list[str | None]) -> bool:
        """Whether the array at the end of this way is around it."""
        return self.depth >= len(way) and self._path[: len(way)] == way


def read_items(data: BoundedStream, key: str | None) -> Iterator[Any]:
    """Build the items of the outermost array, or of the array that is this member of the outermost object.

    Raises one of JSON_ERRORS where it is not JSON, ExcessiveJson where the next item is too deep or of too many values.
    """
    walk, way = _Walk(), _find_way(key)
    events = _parse_events(data)
    for event, value in events:
        if walk.is_within(way) and event not in _ENDS:
            item = _build_container(event, events) if event in _STARTS else value
            data.begin_record()
            yield item
        else:
            walk.take(event, value)


def peek_layout(data: BoundedStream) -> Layout:
    """Look into the first JSON value, as far as it takes to know whether it is a record or holds them."""
    keys: dict[str, None] = {}
    container, walk, way = Layout.ITEMS, _Walk(), _find_way(None)
    try:
        for event, value in _parse_events(data):
            walk.take(event, value)
            below = walk.depth - len(way)
            match event:
                case "map_key" if walk.depth == 1 and value == Layout.TRAINING_PAIRS:
                    return Layout.TRAINING_PAIRS
                case "map_key" if walk.depth == 1 and value == Layout.CONVERSATIONS:
                    container, way = Layout.CONVERSATIONS, _find_way(value)
                case "map_key" if below == 1 and value in _MESSAGE_KEYS and walk.is_within(way):
                    keys[value] = None
                case "end_map" if below == 0 and walk.is_within(way):
                    return Layout.DOCUMENT if is_message(keys) else container
                case "end_map" if walk.depth == 0:
                    return Layout.DOCUMENT
                case "end_array" if walk.depth == 0:
                    return Layout.ITEMS
                case _:
                    pass
    except JSON_ERRORS:
        return Layout.DOCUMENT
    except (FileRefused, ExcessiveJson):
        return container if walk.is_within(way) else Layout.DOCUMENT  # Whoever reads it comes to the same and says so.
    return Layout.DOCUMENT


def _find_way(key: str | None) -> list[str | None]:
    return [None] if key is None else [key, None]


def _build_container(start: str, events: _Events) -> Any:  # noqa: ANN401 - any JSON
    """Build the array or object that begins with this event. The library's builder takes three times as long."""
    whole: Any = {} if start == "start_map" else []
    container: Any = whole
    key: str | None = None
    values = 1
    around: list[Any] = []
    for event, value in events:
        if event == "map_key":
            key = value
            continue
        if event in _ENDS:
            if not around:
                return whole
            container = around.pop()
            continue
        values += 1
        item: Any = {} if event == "start_map" else [] if event == "start_array" else value
        if key is None:
            container.append(item)
        else:
            container[key] = item
            key = None
        if event in _STARTS:
            around.append(container)
            container = item
            if len(around) >= DEEPEST:
                raise ExcessiveJson(TOO_DEEP)
        if values > MOST_VALUES:
            raise ExcessiveJson(TOO_MANY_VALUES)
    raise ijson.IncompleteJSONError("the file ends within a record")


def _parse_events(data: BoundedStream) -> _Events:
    return cast("_Events", ijson.basic_parse(_Pieces(data), use_float=True, multiple_values=True, buf_size=_LARGEST_PIECE))
