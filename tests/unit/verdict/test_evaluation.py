import json
import random
from pathlib import Path

import pytest

from core.domain.verdict.conversation import Role
from tests.evaluation.__main__ import main
from tests.evaluation.cuts import Boundary, cut_everywhere, is_sentence_end
from tests.evaluation.foreign import cut_somewhere
from tests.evaluation.measurement import TARGET_RECALL_OF_CUTS, JudgedTurn, judge_turns, measure_cuts
from tests.evaluation.replies import conversation_document
from tests.evaluation.turns import LabelledTurn, load_corpus

JUDGED = judge_turns(load_corpus())


@pytest.mark.parametrize("judged", JUDGED, ids=lambda judged: judged.turn.text[-30:])
def test_every_turn_of_the_corpus_is_judged_as_labelled(judged: JudgedTurn) -> None:
    assert judged.is_right


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("boundary", Boundary)
def test_nearly_every_cut_of_the_corpus_is_found(role: Role, boundary: Boundary) -> None:
    assert measure_cuts(load_corpus(), role, boundary).recall >= TARGET_RECALL_OF_CUTS


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("One.", " Two.", True),
        ("One. ", "Two.", True),
        ("One.", "\n\nTwo.", True),
        ("One.", "\\n\\nTwo.", True),
        ("One.\\n", "\\nTwo.", True),
        ('"One."', " Two.", True),
        ("**One.**", " Two.", True),
        ("**One.", "** Two.", False),
        ('"One.', '" Two.', False),
        ("One", ". Two.", False),
        ("$1.", "5M. Two.", False),
        ("I.", ".. am.", False),
        ("I...", " am.", False),
        ("Funds, e.g.", " VTI.", False),
        ("One-time vs.", " Ongoing.", False),
        ("Steps:\n1.", " Call.", False),
        ("See www.", "irs.gov.", False),
    ],
)
def test_what_counts_as_the_end_of_a_sentence(before: str, after: str, *, expected: bool) -> None:
    assert expected == is_sentence_end(before + after, len(before))


def test_cuts_fall_on_every_boundary_but_the_last() -> None:
    assert [cut.text for cut in cut_everywhere("A bc. D.", Boundary.WORD)] == ["A", "A bc."]
    assert [cut.text for cut in cut_everywhere("A b.", Boundary.CHARACTER)] == ["A", "A ", "A b"]


def test_the_command_prints_its_tables_and_succeeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cut_reply = conversation_document(["Why?", "You are tired. And then"])
    cut_reply = cut_reply[: cut_reply.index(" And")]
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "cut.json").write_text(cut_reply)
    turns = [
        LabelledTurn.model_validate(values)
        for values in (
            {"label": "complete", "role": "user", "text": "How do I begin with all of this paper on my table?"},
            {"label": "truncated", "role": "assistant", "text": "You are tired."},
        )
    ]
    (tmp_path / "turns.jsonl").write_text("\n".join(json.dumps(turn.model_dump(mode="json")) for turn in turns))

    code = main(["--turns", str(tmp_path / "turns.jsonl"), "--raw", str(tmp_path / "raw")])

    printed = capsys.readouterr().out
    assert code == 0
    assert "found by its reply, cut.json" in printed
    assert "cut.json: parse_error" in printed
    assert "median" in printed


def test_cuts_in_files_of_others_end_no_sentence_in_any_script() -> None:
    chance = random.Random(1)
    english = {cut_somewhere("One two. Three (four!) five.", "LATIN", chance) for _ in range(200)}
    chinese = {cut_somewhere("一二。三四。", "CJK", chance) for _ in range(200)}

    assert english == {"One", "One two. Three"}
    assert chinese == {"一", "一二", "一二。三", "一二。三四"}
    assert cut_somewhere("One.", "LATIN", chance) is None


def test_files_of_others_are_measured_by_speaker_and_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    turns = (("user", "What is next?"), ("assistant", "We look at the rent and then at the food. It will not take long."))
    record = {"messages": [{"role": role, "content": content} for role, content in turns]}
    unmarked = {
        "messages": [record["messages"][0], {"role": "assistant", "content": "It will not take long. And there is the"}]
    }
    (tmp_path / "good.jsonl").write_text("\n".join([json.dumps(record)] * 60))
    (tmp_path / "bad.jsonl").write_text("\n".join([json.dumps(record)] * 60 + [json.dumps(unmarked)]))

    assert (main([str(tmp_path / "good.jsonl")]), main([str(tmp_path / "bad.jsonl"), "--misses", "5"])) == (0, 1)
    printed = capsys.readouterr().out
    assert "short of a target" in printed
    assert "And there is the" in printed
    assert "Share of findings that are right" in printed
