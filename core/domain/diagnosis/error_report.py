"""The RAW error report: one failed generation, whole, with an analysis of the cause. Pure."""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

from pydantic import Field

from core.domain.batches.results import FailureRow
from core.domain.record import Record
from core.domain.scaffolding.records import ConversationCategory
from core.domain.verdict.reply import StopReason
from core.domain.verdict.truncation import TruncationResult, truncation_summary
from core.domain.verdict.verdict import FailurePattern, FailureType

_SAID_OF_ERROR = ("truncation_pattern", "truncation_details", "confidence", "turn_index", "error_message", "error_stack")
_SAID_OF_REQUEST = (
    "model",
    "temperature",
    "max_tokens",
    "effort",
    "structured_outputs_enabled",
    "prompt_length",
    "prompt",
    "request_id",
)
_SCAFFOLDING_IDS = ("persona_id", "emotional_arc_id", "training_topic_id", "template_id")
FAR_BELOW_LIMIT = 0.2
"""A reply that used less than this share of max_tokens was not stopped by the limit."""


class FailedGeneration(FailureRow):
    """One failed generation, with all columns of its row."""

    batch_id: UUID | None = Field(default=None, validation_alias="run_id")
    prompt: str
    prompt_length: int
    response_content: str | None = None
    raw_response: Any = None
    input_tokens: int | None = None
    temperature: float | None = None
    effort: str | None = None
    structured_outputs_enabled: bool | None = None
    cost_usd: float | None = None
    error_stack: str | None = None
    request_id: str | None = None
    persona_id: UUID | None = None
    emotional_arc_id: UUID | None = None
    training_topic_id: UUID | None = None
    template_id: UUID | None = None

    @property
    def share_of_limit_used(self) -> float | None:
        """Output tokens of max_tokens; None where one of them is not known."""
        return (
            None if self.output_tokens is None or self.max_tokens is None else round(self.output_tokens / self.max_tokens, 4)
        )


class FailureOrigin(Record):
    """The scaffolding of a failure, by key and name, from its batch's snapshot."""

    persona_key: str | None = None
    persona_name: str | None = None
    arc_key: str | None = None
    arc_name: str | None = None
    topic_key: str | None = None
    topic_name: str | None = None
    template_key: str | None = None
    template_name: str | None = None
    template_version: int | None = None
    conversation_category: ConversationCategory | None = None
    batch_name: str | None = None


class FailureMaterial(Record):
    """What `describe_failure` returns; attempts in order, with every column, since the report keeps them as they are."""

    failure: FailedGeneration
    attempts: Sequence[Mapping[str, Any]] = ()
    scaffolding: FailureOrigin = FailureOrigin()


def report_path(failure_id: UUID, created_at: datetime) -> str:
    """Return `{year}/{month}/failed-{uuid}-{timestamp}.json`: the same for a failure however often it is uploaded."""
    timestamp = created_at.isoformat(timespec="milliseconds").replace(":", "-").replace(".", "-").replace("+00-00", "Z")
    return f"{created_at:%Y/%m}/failed-{failure_id}-{timestamp}.json"


def build_report(material: FailureMaterial) -> dict[str, Any]:
    """Return the report as JSON values."""
    row = material.failure
    said = row.model_dump(mode="json")
    remaining = None if row.output_tokens is None or row.max_tokens is None else row.max_tokens - row.output_tokens
    return {
        "error_report": {
            "failed_generation_id": said["id"],
            "batch_id": said["batch_id"],
            "failure_type": row.failure_type.value,
            "stop_reason": row.stop_reason,
            "stop_reason_analysis": _explain_stop(row),
            "truncation_summary": _summarise_truncation(row),
            **{name: said[name] for name in _SAID_OF_ERROR},
            "timestamp": row.created_at.isoformat(),
            "simulated": row.simulated,
            "imported": row.imported,
            "analysis": {
                "input_tokens": row.input_tokens,
                "output_tokens": row.output_tokens,
                "max_tokens_configured": row.max_tokens,
                "tokens_remaining": remaining,
                "share_of_limit_used": row.share_of_limit_used,
                "cost_usd": row.cost_usd,
                "conclusion": conclude(row),
            },
        },
        "request_context": {name: said[name] for name in _SAID_OF_REQUEST},
        "raw_response": row.raw_response,
        "extracted_content": row.response_content,
        "scaffolding_context": {name: said[name] for name in _SCAFFOLDING_IDS}
        | material.scaffolding.model_dump(mode="json"),
        "attempts": [_describe_attempt(attempt) for attempt in material.attempts],
    }


def _explain_stop(row: FailedGeneration) -> str:
    if row.imported and row.stop_reason is None:
        return "The imported record does not say why Claude stopped."
    return analyse_stop_reason(row.stop_reason, row.failure_type)


def _summarise_truncation(row: FailedGeneration) -> str | None:
    if row.failure_type is not FailureType.TRUNCATION or row.confidence is None:
        return None
    details = row.truncation_details or row.truncation_pattern or "no details"
    return truncation_summary(TruncationResult(is_truncated=True, pattern=None, details=details, confidence=row.confidence))


def analyse_stop_reason(stop_reason: str | None, failure_type: FailureType) -> str:
    """Say in words what the stop_reason means for this failure; for every value the API knows, and for unknown ones."""
    match stop_reason:
        case None:
            return "There is no stop reason: the call brought no message. The error details and the attempts say why."
        case StopReason.END_TURN if failure_type is FailureType.TRUNCATION:
            return "Claude says that it finished naturally, yet a turn is cut off. No limit of the API explains that."
        case StopReason.END_TURN:
            return "Claude says that it finished naturally. What it wrote is the problem, not where it stopped."
        case StopReason.MAX_TOKENS:
            return "Claude reached the max output tokens, thinking included, and was stopped. The reply is cut off."
        case StopReason.MODEL_CONTEXT_WINDOW_EXCEEDED:
            return "Prompt and reply together filled the model's context window. The reply is cut off."
        case StopReason.REFUSAL:
            return "Claude declined to write this. The error details say the category."
        case StopReason.STOP_SEQUENCE:
            return "A stop sequence ended the reply, although none was asked for."
        case StopReason.TOOL_USE:
            return "Claude wanted to call a tool, although none was offered."
        case StopReason.PAUSE_TURN:
            return "The API paused the turn for a continuation, which this product does not ask for."
        case _:
            return f"The stop reason '{stop_reason}' is not known to this version; it is treated as unexpected."


def conclude(row: FailedGeneration) -> str:
    """Say in words what most likely happened, and what to try."""
    match row.failure_type:
        case FailureType.TRUNCATION:
            return _conclude_truncation(row)
        case FailureType.PARSE_ERROR:
            return (
                f"The reply is not the JSON that was asked for ({_describe_use(row)}). "
                "Turn structured output on, or simplify the format."
            )
        case FailureType.VALIDATION_ERROR:
            return "The reply is JSON, but not a usable conversation. Look at the template's description of the format."
        case FailureType.CORRUPTION:
            return _conclude_corruption(row.truncation_pattern)
        case FailureType.REFUSAL:
            return "Claude declined. Look at persona, arc and topic; the same prompt will most likely be declined again."
        case FailureType.API_ERROR:
            return f"No usable reply came: {row.error_message or row.truncation_details or 'no message'}"
        case _:
            assert_never(row.failure_type)


def _conclude_truncation(row: FailedGeneration) -> str:
    used = _describe_use(row)
    match row.stop_reason:
        case StopReason.MAX_TOKENS:
            limit = row.max_tokens or "not known"
            return f"Cut off by the max output tokens ({limit}). Raise the limit, or ask for shorter conversations."
        case StopReason.MODEL_CONTEXT_WINDOW_EXCEEDED:
            return "Cut off by the context window. Shorten the prompt."
        case StopReason.END_TURN:
            share = row.share_of_limit_used
            where = "below the limit" if share is None or share >= FAR_BELOW_LIMIT else "far below the limit"
            advice = _advise_on_cut(row.truncation_pattern)
            return f"A turn is cut {where} ({used}); the token limit is not the cause. {advice}"
        case None:
            advice = _advise_on_cut(row.truncation_pattern)
            return f"A turn is cut; the record does not say whether a limit was the cause. {advice}"
        case _:
            return f"The reply ended for an unexpected reason after {used}. Look at the raw response."


def _describe_use(row: FailedGeneration) -> str:
    limit = "a limit that is not known" if row.max_tokens is None else f"{row.max_tokens} tokens"
    return f"an unknown part of {limit}" if row.output_tokens is None else f"{row.output_tokens} of {limit}"


def _advise_on_cut(pattern: str | None) -> str:
    if pattern in (FailurePattern.LONE_BACKSLASH, FailurePattern.ESCAPED_QUOTE):
        return (
            "It stops where a quotation would open: look for escaping instructions in the template, and compare with "
            "structured output off."
        )
    return "Compare with other templates, and with structured output off."


def _conclude_corruption(pattern: str | None) -> str:
    if pattern == FailurePattern.GARBLED_TEXT:
        return (
            "The text holds characters of a broken encoding. Look for the same characters in template and scaffolding: "
            "text pasted in a wrong encoding comes back; if there are none, report the request id."
        )
    if pattern == FailurePattern.UNFILLED_PLACEHOLDER:
        return "Claude wrote a placeholder. Look for one that the template shows as an example, and say it in words."
    if pattern == FailurePattern.CHAT_MARKUP:
        return (
            "A turn holds what belongs around turns: tokens of a chat template, another speaker, or an open thought. "
            "Look for such marks in the template, and describe the form in words."
        )
    return "The text carries literal escapes. Remove escaping instructions from the template."


def _describe_attempt(attempt: Mapping[str, Any]) -> dict[str, Any]:
    """Return an attempt with its response as it came; the body is text, or base64 where it is not UTF-8."""
    left_out = {"id", "batch_id", "batch_item_id", "created_by", "response_body"}
    described = {name: value for name, value in attempt.items() if name not in left_out}
    body = attempt.get("response_body")
    if body is not None and attempt.get("response_body_encoding") == "base64":
        described["response_body_bytes"] = len(base64.b64decode(body))
    return described | {"response_body": body}
