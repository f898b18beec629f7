"""What stands beside text in a message: counted, and no fault. Tools speak JSON and not prose."""

from typing import Any

import pytest

from tests.support.scans import ScanText
from tests.unit.scan.dialogues import write_lines

ASKED, WHOLE, BROKEN = (
    "What does the bill say?",
    "It is due in May, and it is 80 dollars.",
    "It is due in May, and it is 80 dol",
)
CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"year": 2026}'}}


def scan_talk(scan_text: ScanText, *messages: dict[str, Any]) -> Any:
    return scan_text(write_lines({"messages": list(messages)}))


def user(content: Any = ASKED, **members: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **members}


def assistant(content: Any = WHOLE, **members: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **members}


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": BROKEN}],
        [{"type": "text", "value": BROKEN}],
        [{"type": "text", "text": {"value": BROKEN, "annotations": []}}],
        [{"type": "output_text", "text": BROKEN}],
        [{"text": BROKEN}],
        [BROKEN],
        {"type": "text", "text": BROKEN},
        {"content_type": "text", "parts": [BROKEN]},
        [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": BROKEN}],
        [{"type": "something_new", "of": 1}, {"type": "text", "text": BROKEN}],
    ],
    ids=str,
)
def test_text_under_any_of_its_names_is_judged(scan_text: ScanText, content: Any) -> None:
    assert [(1, "truncation")] == [
        (row["turn"], row["failure_type"]) for row in scan_talk(scan_text, user(), assistant(content)).rows
    ]


@pytest.mark.parametrize(
    ("message", "counted"),
    [
        (user([{"type": "text", "text": "Look at this:"}, {"type": "image_url", "image_url": {"url": "b"}}]), {"images": 1}),
        (user([{"type": "image", "source": {}}, {"type": "text", "text": ASKED}]), {"images": 1}),
        (user([{"inlineData": {"data": "x"}}]), {"images": 1}),
        (user("", images=["bill.png", "back.png"]), {"images": 2}),
        (user([{"type": "input_audio", "input_audio": {}}]), {"audio": 1}),
        (user(ASKED, attachments=[{"file_name": "bill.pdf"}]), {"files": 1}),
        (assistant(WHOLE, reasoning_content="The bill says"), {"thinking": 1}),
        (assistant([{"text": "The bill", "thought": True}, {"text": WHOLE}]), {"thinking": 1}),
        (assistant(None, tool_calls=[CALL, CALL]), {"tool calls": 2}),
        (assistant("", function_call={"name": "find", "arguments": "{}"}), {"tool calls": 1}),
        (assistant([{"type": "text", "text": "Let me look:"}, {"type": "tool_use", "input": {}}]), {"tool calls": 1}),
        (assistant('<tool_call>\n{"name": "find"}\n</tool_call>'), {"tool calls": 1}),
        (user([{"type": "tool_result", "content": "80 dol"}]), {"tool results": 1}),
        ({"role": "tool", "content": '{"amount": 80}'}, {"tool results": 1}),
        ({"role": "tool", "content": "Sunny, 21 degrees and"}, {"tool results": 1}),
        ({"role": "function", "content": ""}, {"tool results": 1}),
        ({"role": "tool", "content": {"amount": 80}}, {"tool results": 1}),
        ({"role": "function_call", "content": '{"name": "find"}'}, {"tool calls": 1}),
    ],
    ids=str,
)
def test_what_is_no_text_is_counted_and_is_no_fault(
    scan_text: ScanText, message: dict[str, Any], counted: dict[str, int]
) -> None:
    scanned = scan_talk(scan_text, message)

    assert ([], counted) == (scanned.rows, scanned.beside["not_judged"])


@pytest.mark.parametrize(
    "message",
    [
        {"role": "tool", "content": '{"amount": 8'},
        {"role": "tool", "content": '[{"amount": 80}, {"amo'},
        {"role": "observation", "content": '{"found": tr'},
        {"role": "function_call", "content": '{"name": "find", "arguments": {"ye'},
        {"role": "function_call", "content": "{'name': 'find', 'arguments': {'ye"},
        assistant(None, tool_calls=[CALL | {"function": {"name": "find", "arguments": '{"year": 20'}}]),
        assistant('Let me look.\n<tool_call>{"name": "fi</tool_call>'),
    ],
    ids=str,
)
def test_json_of_tools_that_stops_is_cut(scan_text: ScanText, message: dict[str, Any]) -> None:
    assert ["truncation"] == [row["failure_type"] for row in scan_talk(scan_text, message).rows]


@pytest.mark.parametrize(
    "content",
    ["[1] The bill is due in May", "{not JSON at all}", "[Error] no file", '{"a": 1}\n{"b": 2}', "[x, y", '{"a": b}'],
)
def test_what_is_no_json_is_not_cut_json(scan_text: ScanText, content: str) -> None:
    assert [] == scan_talk(scan_text, {"role": "tool", "content": content}).rows


@pytest.mark.parametrize("content", [None, "", [], [{"type": "thinking", "thinking": "I should answer."}]], ids=str)
def test_nothing_said_and_nothing_done_is_empty(scan_text: ScanText, content: Any) -> None:
    assert ["empty"] == [row["pattern"] for row in scan_talk(scan_text, user(), assistant(content)).rows]


def test_a_talk_with_tools_is_in_order(scan_text: ScanText) -> None:
    results = [{"role": "tool", "tool_call_id": "c1", "content": "{}"}] * 2
    scanned = scan_talk(scan_text, user(), assistant(None, tool_calls=[CALL, CALL]), *results, assistant(), user("Thanks."))

    assert ([], 6) == (scanned.rows, scanned.summary["turns"])


def test_only_parts_that_nobody_knows_are_no_text(scan_text: ScanText) -> None:
    assert ["validation_error"] == [row["pattern"] for row in scan_talk(scan_text, user([{"type": "new", "of": 1}])).rows]
