"""The server of the pages: what is loaded before it serves, and what it waits for."""

import subprocess
import sys
from pathlib import Path

import pytest

import core.ui
from core.ui import server

ROOT = Path(__file__).parents[3]


def test_everything_that_pages_are_made_of_is_loaded() -> None:
    program = (
        "import ast, sys; from pathlib import Path; from core.ui.server import load_pages; load_pages()\n"
        "files = [Path('Home.py'), *Path('pages').glob('*.py')]\n"
        "nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]\n"
        "named = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}\n"
        "assert named, 'the pages import nothing'\n"
        "print(named - set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)

    assert done.stdout.strip() == "set()"


def test_module_that_cannot_be_loaded_is_logged_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "broken_page.py").write_text("raise RuntimeError('broken')")
    (tmp_path / "whole_page.py").write_text("")
    monkeypatch.setattr(core.ui, "__path__", [str(tmp_path)])

    server.load_pages()

    assert "page_not_loaded: core.ui.broken_page" in caplog.text
    assert "core.ui.whole_page" in sys.modules


def test_server_serves_nothing_before_the_file_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "there"
    events: list[str] = []

    def make_file_at_last(_seconds: float) -> None:
        events.append("waited")
        if len(events) == 3:
            file.touch()

    monkeypatch.setattr(server.time, "sleep", make_file_at_last)
    monkeypatch.setattr(server, "load_pages", lambda: None)
    monkeypatch.setattr(server, "open_early", lambda: None)
    monkeypatch.setattr(server.gc, "freeze", lambda: events.append("kept what is loaded"))
    monkeypatch.setattr(server, "main", lambda words, prog_name: events.append(f"{prog_name} {' '.join(words)}"))

    server.serve(["--after", str(file), "Home.py", "--server.port=1"])

    assert events == ["waited", "waited", "waited", "kept what is loaded", "streamlit run Home.py --server.port=1"]
