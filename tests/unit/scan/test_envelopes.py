"""Answers of APIs, alone, in results of batches, in logs and in exports."""

import json
from typing import Any

import pytest

from tests.support.scans import ScanText
from tests.unit.scan.dialogues import CUT, GOOD, make_api_message, make_messages, make_written, write_lines

ASKED, WHOLE, BROKEN = "How do I begin?", "With one drawer, on a quiet evening.", "With one drawer, on a quiet eveni"


def complete(text: str, reason: str = "stop") -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
    }


def answer(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"text": text}]}


REQUEST = {"messages": [{"role": "user", "content": ASKED}]}
ANSWERS: dict[str, dict[str, Any]] = {
    "OpenAI": complete(WHOLE, "length"),
    "OpenAI, older": {"object": "text_completion", "choices": [{"text": WHOLE, "finish_reason": "length"}]},
    "OpenAI's responses": {
        "object": "response",
        "status": "incomplete",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": WHOLE}]}],
    },
    "Gemini": {"candidates": [{"content": {"role": "model", "parts": [{"text": WHOLE}]}, "finishReason": "MAX_TOKENS"}]},
    "Ollama": {"model": "m", "message": {"role": "assistant", "content": WHOLE}, "done_reason": "length"},
    "Ollama, without a chat": {"model": "m", "response": WHOLE, "done_reason": "length"},
    "Cohere": {
        "message": {"role": "assistant", "content": [{"type": "text", "text": WHOLE}]},
        "finish_reason": "MAX_TOKENS",
    },
    "Bedrock": {"output": {"message": answer(WHOLE)}, "stopReason": "max_tokens"},
    "TGI": {"generated_text": WHOLE, "details": {"finish_reason": "length"}},
    "Claude, prose": make_api_message(WHOLE, "max_tokens"),
}


@pytest.mark.parametrize("record", ANSWERS.values(), ids=ANSWERS.keys())
def test_an_answer_that_says_it_was_cut_is_cut(scan_text: ScanText, record: dict[str, Any]) -> None:
    scanned = scan_text(write_lines(record))

    assert [(0, "assistant", "unexpected_stop_reason")] == [place[1:] for place in scanned.places]


@pytest.mark.parametrize("record", ANSWERS.values(), ids=ANSWERS.keys())
def test_a_whole_answer_passes(scan_text: ScanText, record: dict[str, Any]) -> None:
    reasons = {"length": "stop", "MAX_TOKENS": "STOP", "max_tokens": "end_turn", "incomplete": "completed"}
    text = json.dumps(record)
    for cut, whole in reasons.items():
        text = text.replace(f'"{cut}"', f'"{whole}"')

    assert 0 == scan_text(text).exit_code


@pytest.mark.parametrize(
    "record",
    [
        {"request": REQUEST, "response": complete(BROKEN)},
        REQUEST | {"response": make_api_message(BROKEN)},
        {"input": REQUEST, "output": complete(BROKEN)},
        {"custom_id": "a", "body": REQUEST, "response": {"status_code": 200, "body": complete(BROKEN)}},
    ],
    ids=["request and response", "messages and response", "input and output", "batch"],
)
def test_a_recorded_request_stands_before_its_reply(scan_text: ScanText, record: dict[str, Any]) -> None:
    scanned = scan_text(write_lines(record))

    assert (2, [(1, "assistant")]) == (scanned.summary["turns"], [(row["turn"], row["role"]) for row in scanned.rows])


def test_each_choice_is_judged(scan_text: ScanText) -> None:
    record = complete(WHOLE)
    record["choices"].append({"index": 1, "message": answer(BROKEN), "finish_reason": "stop"})

    assert [(0, "reply[1]")] == [(row["turn"], row["field"]) for row in scan_text(write_lines(record)).rows]


class TestBatches:
    """Results of batches, which have an envelope around each answer."""

    def wrap(self, custom_id: str, kind: str, **members: Any) -> dict[str, Any]:
        return {"custom_id": custom_id, "result": {"type": kind, **members}}

    def test_results_of_message_batches_are_raw_replies(self, scan_text: ScanText) -> None:
        whole, cut = (make_api_message(json.dumps(make_written(texts))) for texts in (GOOD, CUT))
        error = {"type": "error", "error": {"type": "invalid_request_error", "message": "too large"}}
        scanned = scan_text(
            write_lines(
                self.wrap("a", "succeeded", message=whole),
                self.wrap("b", "succeeded", message=cut),
                self.wrap("c", "succeeded", message=make_api_message('{"turns": [', "max_tokens")),
                self.wrap("d", "errored", error=error),
                self.wrap("e", "canceled"),
                self.wrap("f", "expired"),
                self.wrap("g", "succeeded", message=make_api_message("I would rather not.")),
            )
        )

        assert [
            ("b", "lone_backslash"), ("c", "unexpected_stop_reason"), ("d", "api_error"), ("e", "api_error"),
            ("f", "api_error"), ("g", "parse_error"),
        ] == [(row["conversation"], row["pattern"]) for row in scanned.rows]  # fmt: skip

    def test_replies_of_a_batch_that_asked_for_prose_are_judged_as_prose(self, scan_text: ScanText) -> None:
        texts = (WHOLE, BROKEN, WHOLE)
        results = [self.wrap(f"r{n}", "succeeded", message=make_api_message(text)) for n, text in enumerate(texts)]
        scanned = scan_text(write_lines(*results))

        assert [("r1", 0, "assistant")] == [place[:3] for place in scanned.places]

    def test_output_of_openai_is_read_with_its_errors(self, scan_text: ScanText) -> None:
        lines = [
            {"id": "x", "custom_id": "a", "response": {"status_code": 200, "body": complete(WHOLE)}, "error": None},
            {
                "id": "y",
                "custom_id": "b",
                "response": {"status_code": 200, "body": complete(WHOLE, "length")},
                "error": None,
            },
            {"id": "z", "custom_id": "c", "response": None, "error": {"code": "batch_expired", "message": "late"}},
            {"id": "w", "custom_id": "d", "response": {"status_code": 400, "body": {"error": {"type": "invalid"}}}},
        ]
        scanned = scan_text(write_lines(*lines))

        assert [("b", "unexpected_stop_reason"), ("c", "api_error"), ("d", "api_error")] == [
            (row["conversation"], row["pattern"]) for row in scanned.rows
        ]


class TestExports:
    """What people take with them from chat pages."""

    def make_claude(self, *texts: str) -> dict[str, Any]:
        senders = ("human", "assistant")
        messages = [
            {
                "uuid": f"m{n}",
                "text": text,
                "content": [{"type": "text", "text": text}] if n else [],
                "sender": senders[n % 2],
            }
            for n, text in enumerate(texts)
        ]
        return {"uuid": "u1", "name": "Drawers", "chat_messages": messages}

    def test_claudes_export(self, scan_text: ScanText) -> None:
        scanned = scan_text(json.dumps([self.make_claude(*GOOD), self.make_claude(*CUT)]))

        assert ((2, 8), [("u1", 1, "assistant", "lone_backslash")]) == (
            (scanned.summary["conversations"], scanned.summary["turns"]), scanned.places
        )  # fmt: skip

    def test_chatgpts_export_with_its_branches(self, scan_text: ScanText) -> None:
        def node(key: str, parent: str | None, children: list[str], role: str, text: str, **members: Any) -> dict[str, Any]:
            content = {"content_type": "text", "parts": [text]}
            message = {"author": {"role": role}, "content": content, **members}
            return {"id": key, "parent": parent, "children": children, "message": message}

        mapping = {
            "root": {"id": "root", "parent": None, "children": ["a"], "message": None},
            "a": node("a", "root", ["b", "c"], "user", ASKED),
            "b": node("b", "a", [], "assistant", BROKEN),
            "c": node("c", "a", ["d"], "assistant", WHOLE, status="in_progress"),
            "d": node("d", "c", [], "user", "Thank you."),
        }
        export = [{"title": "t", "conversation_id": "g", "current_node": "d", "mapping": mapping}]
        scanned = scan_text(json.dumps(export))

        assert [("unexpected_stop_reason", None), ("truncation", "branch")] == [
            (row["pattern"] if "field" not in row else row["failure_type"], row.get("field")) for row in scanned.rows
        ]
        assert 4 == scanned.summary["turns"]


def test_requests_are_no_replies(scan_text: ScanText) -> None:
    scanned = scan_text(write_lines({"custom_id": "a", "params": REQUEST}, {"custom_id": "b", "body": make_messages(GOOD)}))

    assert (2, 2) == (scanned.exit_code, scanned.errors.count("looks like a request of a batch"))
