"""What `brightrun scan --json` says, and the types of the fixtures that run it."""

from collections.abc import Callable
from typing import Any, NamedTuple

COUNTED = ("conversations", "turns", "flagged_turns", "flagged_conversations")


class Scanned(NamedTuple):
    exit_code: int
    rows: list[dict[str, Any]]
    summary: dict[str, int]
    errors: str
    beside: dict[str, Any]
    """What the summary has beside the counts of conversations and turns."""

    @property
    def places(self) -> list[tuple[Any, ...]]:
        return [(row["conversation"], row["turn"], row["role"], row["pattern"]) for row in self.rows]


ScanPaths = Callable[..., Scanned]
ScanText = Callable[..., Scanned]
