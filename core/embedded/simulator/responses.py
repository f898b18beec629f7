"""The Messages API's answers: a message with its content, stop reason and usage, or an error."""

from hashlib import sha256
from random import Random
from typing import Any

from core.domain.record import Record
from core.domain.verdict.reply import StopReason
from core.embedded.simulator import damage
from core.embedded.simulator.dialogue import write_conversation
from core.embedded.simulator.faults import FaultKind
from core.embedded.simulator.message_request import ApiError, MessageRequest
from core.embedded.simulator.scene import Scene

_FENCED_SHARE = 0.2
_DEFAULT_STOP_SEQUENCE = "\n\nHuman:"
_REFUSALS = (
    ("general_harms", "The request touches an area that the model declined to write about."),
    ("frontier_llm", "The request could assist the development of competing AI models."),
    (None, None),
)
_CHARS_PER_TOKEN = 4


class Draft(Record):
    """The model's text and why it stopped, before it is wrapped."""

    content: tuple[dict[str, Any], ...]
    stop_reason: StopReason
    output_tokens: int
    stop_sequence: str | None = None
    stop_details: dict[str, Any] | None = None


def count_tokens(chars: int) -> int:
    """Estimate tokens from characters."""
    return -(-chars // _CHARS_PER_TOKEN)


def make_seed(seed: int, request: MessageRequest) -> str:
    """Return the seed of a conversation's wording: the simulator's seed, the request and the model."""
    return sha256(f"{seed}\x1f{request.model}\x1f{request.system}\x1f{request.user}".encode()).hexdigest()


def compose_draft(request: MessageRequest, scene: Scene, fault: FaultKind | None, seed: str, attempt: int) -> Draft:
    """Write the reply and apply the fault to its content; faults of the connection leave it complete.

    The wording is the same at every attempt; the position of the damage is not.
    """
    wording_rng = Random(seed)  # noqa: S311 - variety, not secrets
    damage_rng = Random(f"{seed}:{attempt}")  # noqa: S311 - likewise
    text = _write_text(request, scene, fault, wording_rng, damage_rng)
    return _apply_limit(request, _stop(request, fault, text, damage_rng))


def build_message(request: MessageRequest, draft: Draft, message_id: str) -> dict[str, Any]:
    """Return the body of a 200 response."""
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": list(draft.content),
        "stop_reason": draft.stop_reason.value,
        "stop_sequence": draft.stop_sequence,
        "stop_details": draft.stop_details,
        "usage": {
            "input_tokens": count_tokens(request.input_chars),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": draft.output_tokens,
            "service_tier": "standard",
        },
    }


def build_error(error: ApiError, request_id: str) -> dict[str, Any]:
    """Return the body of an error response."""
    return {"type": "error", "error": {"type": error.error_type, "message": error.message}, "request_id": request_id}


def _write_text(request: MessageRequest, scene: Scene, fault: FaultKind | None, rng: Random, damage_rng: Random) -> str:
    conversation = write_conversation(scene, rng)
    if fault is FaultKind.CUT_STRING:
        conversation = damage.cut_at_quotations(conversation, damage_rng)
    elif fault is FaultKind.CUT_MID_WORD:
        conversation = damage.cut_mid_word(conversation, damage_rng)
    elif fault is FaultKind.WRONG_ROLES:
        conversation = damage.swap_roles(conversation, damage_rng)
    elif fault is FaultKind.ESCAPED_TEXT:
        conversation = damage.escape_text(conversation)
    text = conversation.model_dump_json()
    if not request.is_structured and rng.random() < _FENCED_SHARE:
        return f"```json\n{text}\n```"
    return text


def _stop(request: MessageRequest, fault: FaultKind | None, text: str, rng: Random) -> Draft:
    match fault:
        case FaultKind.MAX_TOKENS:
            cut = damage.cut_text(text, rng)
            # The limit was reached, whatever share of it was thinking.
            return _say(cut, StopReason.MAX_TOKENS).model_copy(update={"output_tokens": request.max_tokens})
        case FaultKind.CONTEXT_WINDOW:
            return _say(damage.cut_text(text, rng), StopReason.MODEL_CONTEXT_WINDOW_EXCEEDED)
        case FaultKind.CUT_JSON:
            return _say(damage.cut_text(text, rng, earliest=0.4), StopReason.END_TURN)
        case FaultKind.PAUSE_TURN:
            return _say(damage.cut_text(text, rng), StopReason.PAUSE_TURN)
        case FaultKind.STOP_SEQUENCE:
            sequence = request.stop_sequences[0] if request.stop_sequences else _DEFAULT_STOP_SEQUENCE
            return _say(damage.cut_text(text, rng), StopReason.STOP_SEQUENCE).model_copy(update={"stop_sequence": sequence})
        case FaultKind.REFUSAL:
            category, explanation = rng.choice(_REFUSALS)
            details = {"type": "refusal", "category": category, "explanation": explanation}
            return Draft(content=(), stop_reason=StopReason.REFUSAL, output_tokens=0, stop_details=details)
        case FaultKind.EMPTY:
            content = ({"type": "text", "text": ""},) if rng.random() < 0.5 else ()  # noqa: PLR2004
            return Draft(content=content, stop_reason=StopReason.END_TURN, output_tokens=1)
        case FaultKind.TOOL_USE:
            block = {
                "type": "tool_use",
                "id": f"toolu_{rng.getrandbits(96):024x}",
                "name": request.tool_name or "record_conversation",
                "input": {"text": text[:200]},
            }
            return Draft(content=(block,), stop_reason=StopReason.TOOL_USE, output_tokens=count_tokens(260))
        case _:
            return _say(text, StopReason.END_TURN)


def _say(text: str, stop_reason: StopReason) -> Draft:
    block = {"type": "text", "text": text}
    return Draft(content=(block,), stop_reason=stop_reason, output_tokens=count_tokens(len(text)))


def _apply_limit(request: MessageRequest, draft: Draft) -> Draft:
    """Cut the reply where the caller's max_tokens would end it."""
    limit_chars = request.max_tokens * _CHARS_PER_TOKEN
    text = str(draft.content[0].get("text", "")) if draft.content else ""
    if len(text) <= limit_chars:
        return draft
    return _say(text[:limit_chars], StopReason.MAX_TOKENS).model_copy(update={"output_tokens": request.max_tokens})
