"""`brightrun scan --by`: where the flagged conversations of files come from."""

import json
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import fisher_exact
from statsmodels.stats.proportion import proportion_confint
from typer.testing import CliRunner, Result

from core.cli.main import app
from core.domain.verdict.grouping import MOST_GROUPS
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
    assert {row["status"] for row in (first, second)} == {"named"}
    assert "named" not in {row["status"] for row in others}
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


def test_memory_stays_bounded_and_the_reader_is_told(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(write_lines(*(make_messages(GOOD, number=number) for number in range(MOST_GROUPS + 45))))

    result = scan_by(path, "number", "--json")

    assert {"(other)": 45} == {row["value"]: row["total"] for row in read_suspects(result) if row["total"] > 1}
    assert "too many different values of number" in result.stderr


def test_empty_field_list_is_refused(tmp_path: Path) -> None:
    assert scan_by(write_chats(tmp_path / "set.jsonl"), " , ").exit_code == 2


@pytest.mark.parametrize("options", [(), ("--json",)])
@pytest.mark.parametrize("fields", ["nosuch", "template,nosuch"])
def test_a_field_that_no_record_has_is_told_with_those_they_have(
    tmp_path: Path, fields: str, options: tuple[str, ...]
) -> None:
    result = scan_by(write_chats(tmp_path / "set.jsonl"), fields, *options)

    assert "no record has a field nosuch " in result.stderr
    known = result.stderr.partition("Records have: ")[2].strip().removesuffix(".").split(", ")
    assert {"arc", "template_id", "model"} <= set(known)
    assert "a field template" not in result.stderr
    assert result.exit_code == 1


def test_what_was_not_compared_is_not_said_to_be_innocent(tmp_path: Path) -> None:
    path = tmp_path / "good.jsonl"
    path.write_text(write_lines(*[make_messages(GOOD)] * 3))

    result = scan_by(path, "nosuch")

    assert "No suspect: " not in result.stdout
    assert "nothing to compare" in result.stdout
    assert result.exit_code == 0


def test_a_field_with_one_value_is_told_to_have_nothing_to_compare(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(write_lines(*(make_messages(GOOD, model="m-1", arc=arc) for arc in "ab" for _ in range(5))))

    result = scan_by(path, "model,arc", "--json")

    assert "model has only one value, m-1, in all conversations" in result.stderr
    assert "arc has" not in result.stderr
    assert {"arc"} == {row["field"] for row in read_suspects(result)}


def test_a_field_that_some_records_have_is_neither_missing_nor_uniform(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(write_lines(make_messages(GOOD, batch=1), *[make_messages(GOOD)] * 6))

    assert scan_by(path, "batch").stderr == ""


def test_without_any_conversation_no_field_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "set.json"
    path.write_text("[]")

    assert scan_by(path, "nosuch").stderr == ""


def test_names_of_fields_reach_the_terminal_escaped(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(write_lines(make_messages(GOOD, **{"\x1b[31mred": "x", "essay": "long " * 100})))

    stderr = scan_by(path, "nosuch").stderr

    assert "\x1b" not in stderr
    assert "red" in stderr
    assert "essay" not in stderr
