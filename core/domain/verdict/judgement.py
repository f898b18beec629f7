"""The verdict on a reply: may it become training data, and if not, what is wrong and where?"""

import re
from typing import assert_never

from core.domain.verdict.conversation import Conversation
from core.domain.verdict.corruption import find_corruption
from core.domain.verdict.parsing import ParseProblem, parse_conversation
from core.domain.verdict.reply import Reply, StopReason
from core.domain.verdict.truncation import detect_truncated_content, detect_truncated_turns
from core.domain.verdict.verdict import Accepted, Confidence, Failed, FailurePattern, FailureType, Verdict

_TAIL_LENGTH = 80
_CONTENT_OPENING = re.compile(r'"content"\s*:\s*"')
_JSON_STRING_REST = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


def judge_reply(reply: Reply) -> Verdict:
    """Judge a reply; the first failure that applies is the verdict.

    What stopped Claude comes before what it wrote, since a cut reply may look whole; the form of the reply comes before its
    turns, and the turns before the characters in them.
    """
    if reply.stop_reason is None:
        return _failed(FailureType.API_ERROR, f"No usable reply: the body of HTTP {reply.raw.status_code} holds no message")
    stopped = _judge_stop_reason(reply, reply.stop_reason)
    if stopped is not None:
        return stopped
    if not reply.text.strip():
        details = "Claude ended its turn without a text"
        return _failed(FailureType.VALIDATION_ERROR, details, pattern=FailurePattern.EMPTY)

    parsed = parse_conversation(reply.text)
    match parsed:
        case ParseProblem():
            return _failed_parse(parsed, reply.text)
        case Conversation():
            return judge_conversation(parsed)
        case _:
            assert_never(parsed)


def judge_conversation(conversation: Conversation) -> Verdict:
    """Judge the turns of a well-formed conversation: none may be cut, none damaged."""
    return _judge_truncation(conversation) or _judge_corruption(conversation) or Accepted(conversation=conversation)


def _failed(
    failure_type: FailureType,
    details: str,
    *,
    pattern: FailurePattern | None = None,
    confidence: Confidence = Confidence.HIGH,
    turn_index: int | None = None,
) -> Failed:
    return Failed(failure_type=failure_type, pattern=pattern, confidence=confidence, details=details, turn_index=turn_index)


def _judge_stop_reason(reply: Reply, stop_reason: str) -> Failed | None:
    try:
        known = StopReason(stop_reason)
    except ValueError:
        return _failed_stop(reply, f"Claude stopped with the unknown stop_reason {stop_reason!r} instead of 'end_turn'")
    match known:
        case StopReason.END_TURN:
            return None
        case StopReason.REFUSAL:
            return _failed(FailureType.REFUSAL, _describe_refusal(reply))
        case StopReason.MAX_TOKENS:
            return _failed_stop(reply, "The reply reached max_tokens")
        case StopReason.MODEL_CONTEXT_WINDOW_EXCEEDED:
            return _failed_stop(reply, "The reply filled the model's context window")
        case StopReason.STOP_SEQUENCE | StopReason.TOOL_USE | StopReason.PAUSE_TURN:
            return _failed_stop(reply, f"stop_reason was '{known}' instead of 'end_turn'")
        case _:
            assert_never(known)


def _failed_stop(reply: Reply, cause: str) -> Failed:
    """Any early stop is a truncation: whatever follows was not written, even if the text so far looks whole."""
    tokens = reply.usage.output_tokens
    spent = "" if tokens is None else f" after {tokens} output tokens"
    end, turn_index = _describe_end(reply.text)
    return _failed(
        FailureType.TRUNCATION,
        f"{cause}{spent}; {end}",
        pattern=FailurePattern.UNEXPECTED_STOP_REASON,
        turn_index=turn_index,
    )


def _describe_end(text: str) -> tuple[str, int | None]:
    """Where the text of a reply stops, and in which turn."""
    if not text.strip():
        return "there is no text", None
    cut_turn = _open_turn(text)
    if cut_turn is None:
        return f"the text stops outside of a turn's content, at: {_tail(text)}", None
    turn_index, content = cut_turn
    found = detect_truncated_content(content)
    shown = f"pattern of the end: {found.pattern}" if found.pattern else "the end alone would look whole"
    return f"turn {turn_index + 1} stops at: {_tail(content)} ({shown})", turn_index


def _open_turn(text: str) -> tuple[int, str] | None:
    """The turn whose content, still a JSON string, is not closed at the end of the text."""
    turn_index, start = -1, 0
    for turn_index, opening in enumerate(_CONTENT_OPENING.finditer(text)):  # noqa: B007 - the last index counts
        start = opening.end()
    if turn_index < 0:
        return None
    content = text[start:]
    return None if _JSON_STRING_REST.match(content) else (turn_index, content)


def _describe_refusal(reply: Reply) -> str:
    category = reply.refusal_category or "not given"
    explanation = f": {reply.refusal_explanation}" if reply.refusal_explanation else ""
    return f"Claude declined (category: {category}){explanation}"


def _failed_parse(problem: ParseProblem, text: str) -> Failed:
    match problem.failure_type:
        case FailureType.PARSE_ERROR:
            end, turn_index = _describe_end(text)
            return _failed(FailureType.PARSE_ERROR, f"{problem.message}; {end}", turn_index=turn_index)
        case FailureType.VALIDATION_ERROR:
            return _failed(problem.failure_type, problem.message, pattern=problem.pattern, turn_index=problem.turn_index)
        case _:
            assert_never(problem.failure_type)


def _judge_truncation(conversation: Conversation) -> Failed | None:
    """Every pattern fails the reply, the low-confidence ones too.

    Of 216 complete real turns none ends without a sentence end, so strictness costs next to nothing; leniency would let
    through each cut behind a number or a closing bracket.
    """
    found = detect_truncated_turns(conversation.turns)
    if not found:
        return None
    first = found[0]
    content = conversation.turns[first.turn_index].content
    others = ", ".join(str(turn.turn_index + 1) for turn in found[1:])
    more = f"; also cut: turn {others}" if others else ""
    return _failed(
        FailureType.TRUNCATION,
        f"Turn {first.turn_index + 1} ({first.role}) stops at: {_tail(content)} - {first.result.details}{more}",
        pattern=first.result.pattern,
        confidence=first.result.confidence,
        turn_index=first.turn_index,
    )


def _judge_corruption(conversation: Conversation) -> Failed | None:
    for index, turn in enumerate(conversation.turns):
        found = find_corruption(turn.content)
        if found is not None:
            details = f"Turn {index + 1} ({turn.role}) {found.details}: …{found.excerpt}…"
            return _failed(
                FailureType.CORRUPTION, details, pattern=found.pattern, confidence=found.confidence, turn_index=index
            )
    return None


def _tail(text: str) -> str:
    """The last characters, at most 80, on one line."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _TAIL_LENGTH else f"…{flat[1 - _TAIL_LENGTH :]}"
