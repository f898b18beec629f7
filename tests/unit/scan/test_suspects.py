"""`brightrun scan --by`: where the flagged conversations of files come from."""

import json
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import fisher_exact
from statsmodels.stats.proportion import proportion_confint
from typer.testing import CliRunner, Result

from core.cli import app
from core.domain import grouping
from tests.unit.scan.dialogues import CUT, GOOD, make_messages, make_pairs, make_sharegpt, make_written, write_lines


def scan_by(path: Path, fields: str, *options: str) -> Result:
    return CliRunner().invoke(app, ["scan", str(path), "--by", fields, *options])


def read_suspects(result: Result) -> list[dict[str, Any]]:
    return json.loads(result.stdout.splitlines()[-1])["summary"]["suspects"]


def write_chats(path: Path) -> Path:
    """Of 40 conversations of each of three arcs with a template of their own, 12 of one arc are cut."""
    records = [
        make_messages(
            CUT if arc == "shame" and number < 12 else GOOD, metadata={"arc": arc, "template_id": f"t-{arc}"}, model=m
        )
        for arc in ("shame", "fear", "hope")
        for number in range(40)
        for m in ("ab"[number % 2],)
    ]
    path.write_text(write_lines(*records))
    return path


def test_guilty_values_come_first_with_their_figures(tmp_path: Path) -> None:
    rows = read_suspects(scan_by(write_chats(tmp_path / "set.jsonl"), "model,arc,template", "--json"))

    first, second, *others = rows
    assert {(first["field"], first["value"]), (second["field"], second["value"])} == {
        ("arc", "shame"),
        ("template", "t-shame"),
    }
    assert (first["flagged"], first["total"], first["rate"], first["rest_rate"]) == (12, 40, 0.3, 0.0)
    assert first["lift"] is None
    assert (first["low"], first["high"]) == pytest.approx(proportion_confint(12, 40, method="wilson"))
    assert first["p_value"] == pytest.approx(fisher_exact([[12, 28], [0, 80]]).pvalue)
    assert {row["standing"] for row in (first, second)} == {"named"}
    assert "named" not in {row["standing"] for row in others}
    assert len(rows) == 8


def test_text_marks_the_suspect_and_gives_rates(tmp_path: Path) -> None:
    result = scan_by(write_chats(tmp_path / "set.jsonl"), "arc,model")

    assert "arc shame: 12 of 40, 30 % (18-45 %) against 0 % (0-4.6 %), p = 5e-7  <- suspect" in result.stdout
    assert result.exit_code == 1


def test_without_fields_the_summary_has_no_suspects(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["scan", str(write_chats(tmp_path / "set.jsonl")), "--json"])

    assert "suspects" not in json.loads(result.stdout.splitlines()[-1])["summary"]


@pytest.mark.parametrize(
    "make",
    [
        lambda texts, arc: make_sharegpt(texts, emotional_arc={"name": arc, "id": 7}),
        lambda texts, arc: make_written(texts) | {"input_parameters": {"emotional_arc_key": arc}},
        lambda texts, arc: {
            "training_pairs": make_pairs(texts, arc),
            "conversation_metadata": {"scaffolding": {"arc": arc}},
        },
    ],
)
def test_every_format_names_its_fields(tmp_path: Path, make: Any) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(write_lines(*(make(CUT if arc == "bad" else GOOD, arc) for arc in ("bad", "good") for _ in range(9))))

    first = read_suspects(scan_by(path, "arc", "--json"))[0]

    assert (first["value"], first["flagged"], first["total"]) == ("bad", 9, 9)


def test_pairs_of_one_conversation_count_once(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    pairs = [
        pair | {"conversation_metadata": {"emotional_arc_key": arc}}
        for number in range(6)
        for arc, texts in (("bad", CUT), ("good", GOOD))
        for pair in make_pairs(texts, f"{arc}-{number}")
    ]
    path.write_text(write_lines(*pairs))

    rows = read_suspects(scan_by(path, "arc", "--json"))

    assert [("bad", 6, 6), ("good", 0, 6)] == [(row["value"], row["flagged"], row["total"]) for row in rows]


def test_records_that_do_not_say_are_a_value_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(write_lines(*[make_messages(GOOD, batch=1)] * 6, *[make_messages(CUT)] * 6))

    assert read_suspects(scan_by(path, "batch", "--json"))[0]["value"] == "(none)"


def test_memory_stays_bounded_and_the_reader_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "MOST_VALUES", 5)
    path = tmp_path / "set.jsonl"
    path.write_text(write_lines(*(make_messages(GOOD, number=number) for number in range(50))))

    result = scan_by(path, "number", "--json")

    assert {"(other)": 45} == {row["value"]: row["total"] for row in read_suspects(result) if row["total"] > 1}
    assert "too many different values of number" in result.stderr


def test_empty_field_list_is_refused(tmp_path: Path) -> None:
    assert scan_by(write_chats(tmp_path / "set.jsonl"), " , ").exit_code == 2
