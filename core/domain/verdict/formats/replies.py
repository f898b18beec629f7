"""Replies of Claude: the API's message or the conversation JSON alone, judged as a batch judges them.

A cut reply is judged by its raw text. Its turns are recovered for the report only, which then shows the turn and the words
where it stops, and damage in earlier turns.
"""

import json
import re
from collections.abc import Mapping
from typing import cast

from core.domain.verdict.bounded_json import decode_value, may_hold_values, parse_json
from core.domain.verdict.formats.chat import make_turn, read_turns
from core.domain.verdict.formats.entries import ImportedConversation, ImportedTurn
from core.domain.verdict.judgement import judge_reply
from core.domain.verdict.limits import LONGEST_LABEL, MOST_TURNS
from core.domain.verdict.parsing import remove_fence
from core.domain.verdict.reply import RawResponse, Reply, StopReason, TokenUsage
from core.domain.verdict.verdict import Accepted, Confidence, Failed, FailureType

_UNSEEN_RESPONSE = RawResponse(status_code=200, headers={}, body=b"")
_FENCE_OPENING = re.compile(r"\s*(?:`{3,}|~{3,})\s*(?:json)?\s*(?=\{)", re.IGNORECASE)
_TURNS_OPENING = re.compile(r'"turns"\s*:\s*\[')
_TURN_SEPARATOR = re.compile(r"[\s,]*")
_ROLE_MEMBER = re.compile(r'"role"\s*:\s*"(\w*)"')
_CONTENT_REST = re.compile(r'"content"\s*:\s*"([^"\\]*+(?:\\.[^"\\]*+)*+)', re.DOTALL)
_ENDING_LENGTH = 200


def read_message(message: Mapping[str, object]) -> Reply:
    """Read a reply from the API's message object, as far as the verdict needs it."""
    stop_reason, usage = message.get("stop_reason"), message.get("usage")
    tokens = cast("Mapping[str, object]", usage).get("output_tokens") if isinstance(usage, dict) else None
    details = message.get("stop_details")
    category = cast("Mapping[str, object]", details).get("category") if isinstance(details, dict) else None
    return _make_reply(
        _message_text(message.get("content")),
        stop_reason=stop_reason[:LONGEST_LABEL] if isinstance(stop_reason, str) else None,
        output_tokens=tokens if isinstance(tokens, int) else None,
        refusal_category=category[:LONGEST_LABEL] if isinstance(category, str) else None,
    )


def read_written(text: str) -> Reply:
    """Make a reply of which only the text is known: it counts as finished normally."""
    return _make_reply(text, stop_reason=StopReason.END_TURN)


def import_reply(reply: Reply, *, conversation_id: str | int, number: int) -> ImportedConversation:
    """Judge a reply and read its turns as far as possible."""
    verdict = judge_reply(reply)
    return ImportedConversation(
        id=conversation_id,
        number=number,
        turns=recover_turns(reply.text),
        failure=None if isinstance(verdict, Accepted) else verdict,
        text=reply.text,
        ending=reply.text[-_ENDING_LENGTH:],
    )


def import_unanswered(details: str, said: str, *, conversation_id: str | int, number: int) -> ImportedConversation:
    """A request without a reply, for example with an error of the API in its place."""
    failure = Failed(failure_type=FailureType.API_ERROR, confidence=Confidence.HIGH, details=details)
    return ImportedConversation(id=conversation_id, number=number, turns=(), failure=failure, ending=said[-_ENDING_LENGTH:])


def recover_turns(text: str) -> tuple[ImportedTurn, ...]:
    """Return the turns of a reply's text, as many as there are; the last may be cut. For reports, never for training."""
    document = _FENCE_OPENING.sub("", remove_fence(text), count=1)  # A cut reply has no closing fence.
    try:
        value = parse_json(document)
    except ValueError:
        return _recover_cut_turns(document) if may_hold_values(document) else ()
    turns = cast("Mapping[str, object]", value).get("turns") if isinstance(value, dict) else None
    return read_turns(cast("list[object]", turns)[:MOST_TURNS]) if isinstance(turns, list) else ()


def _recover_cut_turns(document: str) -> tuple[ImportedTurn, ...]:
    opening = _TURNS_OPENING.search(document)
    if opening is None:
        return ()
    whole, position = list[object](), opening.end()
    while len(whole) < MOST_TURNS:
        position = cast("re.Match[str]", _TURN_SEPARATOR.match(document, position)).end()
        if document[position : position + 1] != "{":
            return read_turns(whole)
        try:
            turn, position = decode_value(document, position)
        except ValueError:
            break
        whole.append(turn)
    else:
        return read_turns(whole)
    cut = _recover_cut_turn(document[position:])
    return read_turns(whole) if cut is None else (*read_turns(whole), cut)


def _recover_cut_turn(fragment: str) -> ImportedTurn | None:
    content = _CONTENT_REST.search(fragment)
    if content is None:
        return None
    role = _ROLE_MEMBER.search(fragment)
    written = content.group(1)
    try:
        spoken = str(json.loads(f'"{written}"', strict=False))
    except ValueError:
        spoken = written
    return make_turn(role.group(1) if role else "", spoken)


def _message_text(content: object) -> str:
    if isinstance(content, str):
        return content
    blocks = cast("list[object]", content) if isinstance(content, list) else []
    texts = (
        cast("Mapping[str, object]", block).get("text")
        for block in blocks
        if isinstance(block, dict) and cast("Mapping[str, object]", block).get("type") == "text"
    )
    return "".join(text for text in texts if isinstance(text, str))


def _make_reply(
    text: str, *, stop_reason: str | None, output_tokens: int | None = None, refusal_category: str | None = None
) -> Reply:
    return Reply(
        raw=_UNSEEN_RESPONSE,
        text=text,
        stop_reason=stop_reason,
        refusal_category=refusal_category,
        usage=TokenUsage(output_tokens=output_tokens),
        model=None,
        request_id=None,
        duration_ms=0,
        simulated=False,
    )
