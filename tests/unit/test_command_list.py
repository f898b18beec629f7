"""The list of commands, which names each without loading it, and what a command loads."""

import json
import subprocess
import sys
from collections.abc import Iterable
from typing import ClassVar

import pytest
import typer
from typer.testing import CliRunner

from core.cli.lazy_group import LazyGroup
from core.cli.main import COMMANDS, MEASUREMENTS, app

LIBRARIES = {
    "anthropic",
    "numpy",
    "pandas",
    "plotly",
    "psycopg",
    "pydantic",
    "redis",
    "rq",
    "streamlit",
    "structlog",
    "supabase",
}


def run(*words: str) -> str:
    result = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


def find_loaded(*words: str) -> set[str]:
    """Return which of the libraries a process has loaded when a command has said its help."""
    program = (
        "import json, sys\nfrom core.cli.main import app\ntry:\n    app(sys.argv[1:])\n"
        "finally:\n    print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words, "--help"], capture_output=True, text=True, timeout=120, check=True
    )
    return LIBRARIES & set(json.loads(done.stderr))


def test_list_loads_no_library() -> None:
    assert find_loaded() == set()


def test_scan_loads_neither_pages_nor_database() -> None:
    assert find_loaded("scan") == {"numpy", "pydantic", "structlog"}


def test_status_loads_neither_pages_nor_diagnosis() -> None:
    assert find_loaded("status") == {"pydantic", "redis", "rq", "structlog", "supabase"}


@pytest.mark.parametrize(
    "words",
    [*((name,) for name in COMMANDS), *(("bench", name) for name in MEASUREMENTS)],
    ids="-".join,
)
def test_list_says_of_a_command_what_its_own_help_says(words: tuple[str, ...]) -> None:
    summary = list_summaries(words[:-1])[words[-1]]

    assert summary
    assert unfold(summary) in unfold(run(*words, "--help"))


def list_summaries(group: Iterable[str]) -> dict[str, str]:
    command = typer.main.get_group(app)
    context = command.make_context("brightrun", ["--help"], resilient_parsing=True)
    for name in group:
        command = command.get_command(context, name)
    assert isinstance(command, LazyGroup)
    return {name: command.get_command(context, name).get_short_help_str(1000) for name in command.list_commands(context)}


def unfold(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


def test_misspelled_command_is_told_the_right_one() -> None:
    result = CliRunner().invoke(app, ["statsu"])

    assert result.exit_code == 2
    assert "Did you mean 'status'?" in result.output


def test_command_whose_function_is_named_otherwise_is_refused() -> None:
    class Group(LazyGroup):
        modules: ClassVar = {"wrong": "core.cli.error_exits"}

    with pytest.raises(AttributeError, match="no function that is named like it"):
        Group(name="group").get_command(None, "wrong")
