import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from core.cli.main import app

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


@pytest.fixture
def scan_paths() -> ScanPaths:
    def scan(*paths: Path | str) -> Scanned:
        result = CliRunner().invoke(app, ["scan", "--json", *map(str, paths)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        *rows, last = [json.loads(line) for line in result.stdout.splitlines()]
        counts = {key: value for key, value in last["summary"].items() if key in COUNTED}
        beside = {key: value for key, value in last["summary"].items() if key not in COUNTED}
        return Scanned(result.exit_code, rows, counts, result.stderr, beside)

    return scan


@pytest.fixture
def scan_text(tmp_path: Path, scan_paths: ScanPaths) -> ScanText:
    def scan(content: str | bytes, *options: str, name: str = "data") -> Scanned:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return scan_paths(path, *options)

    return scan
