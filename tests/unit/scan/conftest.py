import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.cli.main import app
from tests.support.scans import COUNTED, Scanned, ScanPaths, ScanText


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
