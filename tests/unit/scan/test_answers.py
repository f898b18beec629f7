"""What is trained on is in the answers: preferences, completions, columns of instructions."""

import json
from typing import Any

import pytest

from tests.support.scans import ScanText
from tests.unit.scan.dialogues import GOOD, make_messages, make_sharegpt, write_lines

ASKED, WHOLE, CUT = "How do I begin?", "With one drawer, on a quiet evening.", "With one drawer, on a quiet eveni"
USER, ANSWER = {"role": "user", "content": ASKED}, {"role": "assistant", "content": CUT}

CUT_ANSWERS: dict[str, dict[str, Any]] = {
    "prompt and completion": {"prompt": ASKED, "completion": CUT},
    "messages as prompt and completion": {"prompt": [USER], "completion": [ANSWER]},
    "chosen text": {"prompt": ASKED, "chosen": CUT, "rejected": "No."},
    "chosen messages": {"chosen": [USER, ANSWER], "rejected": [USER, {"role": "assistant", "content": "No."}]},
    "chosen behind a prompt of messages": {"prompt": [USER], "chosen": [ANSWER], "rejected": [ANSWER]},
    "chosen behind ShareGPT": make_sharegpt(
        (ASKED,), chosen={"from": "gpt", "value": CUT}, rejected={"from": "gpt", "value": ""}
    ),
    "transcripts": {
        "chosen": f"\n\nHuman: {ASKED}\n\nAssistant: {CUT}",
        "rejected": f"\n\nHuman: {ASKED}\n\nAssistant: No.",
    },
    "a question and a response": {"system": "Be kind.", "question": ASKED, "response": CUT},
    "a question and an answer": {"question": ASKED, "answer": CUT},
    "instruction, input, output": {"instruction": "Answer.", "input": ASKED, "output": CUT},
    "a problem and a solution": {"problem": ASKED, "solution": CUT},
    "a desired completion": {"prompt": ASKED, "completion": CUT, "label": True},
    "pairs of input and output": {"conversation": [{"input": ASKED, "output": CUT}]},
    "several responses": {"instruction": ASKED, "completions": [{"response": WHOLE}, {"response": CUT}]},
    "numbered responses": {"prompt": ASKED, "response_0": WHOLE, "response_1": CUT},
    "a completion with its end": {"prompt": ASKED, "completion": {"text": WHOLE, "finish_reason": "length"}},
    "messages chosen and rejected by name": {"chosen_messages": [USER, ANSWER], "rejected_messages": [USER]},
    "OpenAI's preferences": {
        "input": {"messages": [USER]},
        "preferred_output": [ANSWER],
        "non_preferred_output": [{"role": "assistant", "content": "No"}],
    },
    "preferred": {"prompt": ASKED, "preferred": CUT, "dispreferred": "No, that is"},
    "chosen behind the name": {"prompt": ASKED, "response_chosen": CUT, "response_rejected": "No, that is"},
    "j and k": {"question": ASKED, "response_j": CUT, "response_k": "No, that is"},
    "what was asked as history": {"history": ASKED, "human_ref_A": CUT},
    "a message and a reply": {"message": ASKED, "reply": CUT},
    "a context and a response": {"Context": ASKED, "Response": CUT},
    "capitals": {"Question": ASKED, "Answer": CUT},
    "more capitals": {"INSTRUCTION": "Answer.", "INPUT": ASKED, "OUTPUT": CUT},
    "a passage": {"instruction": ASKED, "context": "A drawer holds paper", "response": CUT},
    "pairs by speakers": {"conversation": [{"human": ASKED, "assistant": CUT}]},
    "pairs of prompt and response": {"conversations": [{"Prompt": ASKED, "Response": CUT}]},
    "LangChain's objects": {
        "messages": [
            {"lc": 1, "id": ["langchain", "schema", f"{name}Message"], "kwargs": {"content": content}}
            for name, content in (("Human", ASKED), ("AI", CUT))
        ]
    },
    "a list as JSON text": {"prompt": ASKED, "response_a": json.dumps([CUT])},
    "what a request recorded": {"inputs": {"messages": [USER]}, "outputs": {"choices": [{"message": ANSWER}]}},
    "results": {"inputText": ASKED, "results": [{"outputText": CUT, "completionReason": "FINISH"}]},
    "JSON text": {"prompt": json.dumps([USER]), "chosen": json.dumps([ANSWER]), "rejected": "[]"},
}


@pytest.mark.parametrize("record", CUT_ANSWERS.values(), ids=CUT_ANSWERS.keys())
def test_a_cut_answer_is_flagged_in_its_turn(scan_text: ScanText, record: dict[str, Any]) -> None:
    scanned = scan_text(write_lines(record))

    assert [(1, "assistant", "truncation")] == [(row["turn"], row["role"], row["failure_type"]) for row in scanned.rows]
    assert (1, 1) == (scanned.exit_code, scanned.summary["conversations"])


@pytest.mark.parametrize("record", CUT_ANSWERS.values(), ids=CUT_ANSWERS.keys())
def test_a_whole_answer_passes(scan_text: ScanText, record: dict[str, Any]) -> None:
    whole = json.loads(json.dumps(record).replace(CUT, WHOLE).replace('"length"', '"stop"'))

    assert 0 == scan_text(write_lines(whole)).exit_code


def test_a_chosen_answer_beside_whole_messages_is_judged_where_it_differs(scan_text: ScanText) -> None:
    record = make_messages((ASKED, WHOLE), chosen=[USER, ANSWER], rejected=[USER, ANSWER], prompt=ASKED)
    scanned = scan_text(write_lines(record))

    assert [(1, "chosen")] == [(row["turn"], row["field"]) for row in scanned.rows]
    assert 3 == scanned.summary["turns"]


def test_what_stands_in_columns_and_messages_is_judged_once(scan_text: ScanText) -> None:
    record = make_messages((ASKED, CUT), chosen=[USER, ANSWER], completion=CUT, problem=ASKED, solution=CUT)

    assert (2, 1) == (scan_text(write_lines(record)).summary["turns"], len(scan_text(write_lines(record)).rows))


def test_rejected_answers_are_counted_and_not_flagged(scan_text: ScanText) -> None:
    scanned = scan_text(
        write_lines(
            {"prompt": ASKED, "chosen": WHOLE, "rejected": CUT},
            {"prompt": ASKED, "chosen": WHOLE, "rejected": "No."},
            {"prompt": ASKED, "completion": CUT, "label": False},
            {"prompt": ASKED, "completion": CUT, "label": "False"},
            {"messages": [USER, ANSWER], "label": False},
        )
    )

    assert (0, 5, 4) == (
        scanned.exit_code, scanned.beside["rejected_replies"], scanned.beside["damaged_rejected_replies"]
    )  # fmt: skip


def test_the_answers_of_a_history_are_judged(scan_text: ScanText) -> None:
    record = {"instruction": ASKED, "input": "", "output": WHOLE, "history": [["Hello.", "Hello, what would you li"]]}

    assert [(1, "assistant")] == [(row["turn"], row["role"]) for row in scan_text(write_lines(record)).rows]


@pytest.mark.parametrize("record", [{"instruction": ASKED, "output": None}, {"prompt": ASKED, "completion": ""}], ids=str)
def test_an_answer_that_is_not_there_is_flagged(scan_text: ScanText, record: dict[str, object]) -> None:
    assert ["empty"] == [row["pattern"] for row in scan_text(write_lines(record)).rows]


def test_text_beside_a_prompt_under_a_name_that_says_nothing_is_not_passed_over(scan_text: ScanText) -> None:
    assert 2 == scan_text(write_lines({"prompt": ASKED, "winner": CUT, "loser": WHOLE})).exit_code
    assert 0 == scan_text(write_lines({"prompt": ASKED, "source": "a forum"})).exit_code


def test_columns_of_pictures_and_thoughts_are_counted(scan_text: ScanText) -> None:
    scanned = scan_text(
        write_lines(
            make_messages(GOOD, images=["a.png", "b.png"]),
            make_messages(GOOD, video="a.mp4"),
            {"messages": [{"role": "user", "content": [{"type": "image"}, "What is it?"]}], "images": ["a.png"]},
            {"question": ASKED, "reasoning": "They ask how", "answer": WHOLE},
        )
    )

    assert (0, {"images": 3, "videos": 1, "thinking": 1}) == (scanned.exit_code, scanned.beside["not_judged"])


def test_system_prompts_are_counted_as_not_judged(scan_text: ScanText) -> None:
    record = make_messages(GOOD, system="You are a coach, and you")
    record["messages"].insert(0, {"role": "developer", "content": "Be"})

    assert {"system messages": 2} == scan_text(write_lines(record)).beside["not_judged"]
