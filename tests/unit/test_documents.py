"""What the documents promise and a machine can check."""

import re
from pathlib import Path

from core.config import Settings
from core.domain.verdict.reply import StopReason
from core.domain.verdict.verdict import FailurePattern, FailureType

ROOT = Path(__file__).parents[2]
FEWEST_NAMED_FILES = 30


def setting_names() -> set[str]:
    """Return the environment variable of every setting."""
    names: set[str] = set()
    for field, info in Settings.model_fields.items():
        alias = info.validation_alias
        names.add(str(alias.choices[0]) if alias is not None else f"BRIGHTRUN_{field.upper()}")  # type: ignore[union-attr]
    return names


def test_env_example_names_every_setting_and_no_other() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    named = {line.lstrip("#").split("=")[0] for line in lines if "=" in line and not line.startswith("# ")}

    assert setting_names() == named


def test_readme_lists_every_setting() -> None:
    readme = (ROOT / "README.md").read_text()

    assert {name for name in setting_names() if f"`{name}`" not in readme} == set()


def test_lock_file_holds_names_and_versions_only() -> None:
    lock = (ROOT / "requirements.lock").read_text()

    assert "://" not in lock
    assert "@ file" not in lock


def test_troubleshooting_explains_every_failure_type_pattern_and_stop_reason() -> None:
    text = (ROOT / "docs" / "TROUBLESHOOTING.md").read_text()
    types = {f"### {kind}" for kind in FailureType}
    named = {f"`{name}`" for name in (*FailurePattern, *StopReason)}

    assert {part for part in types | named if part not in text} == set()


def test_files_that_documents_name_are_there() -> None:
    documents = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    named = {
        (path.name, name)
        for path in documents
        for name in re.findall(r"`((?:core|pages|tests|migrations|docs)/[\w./-]+\.\w+)`", path.read_text())
    }

    assert len(named) > FEWEST_NAMED_FILES
    assert {(document, name) for document, name in named if not (ROOT / name).exists()} == set()
