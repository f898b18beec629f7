"""The RAW error report: one failed generation, whole, with what can be said about why. Pure."""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from core.domain.record import Record
from core.domain.verdict.reply import StopReason
from core.domain.verdict.verdict import FailurePattern, FailureType

FAR_BELOW_LIMIT = 0.2
"""A reply that used less than this share of max_tokens was not stopped by the limit."""


class FailureMaterial(Record):
    """What `describe_failure` returns: the row, its attempts in order, and the names of its scaffolding."""

    failure: Mapping[str, Any]
    attempts: Sequence[Mapping[str, Any]] = ()
    scaffolding: Mapping[str, Any] = {}


def report_path(failure_id: UUID, created_at: datetime) -> str:
    """Return `{year}/{month}/failed-{uuid}-{timestamp}.json`: the same for a failure however often it is uploaded."""
    timestamp = created_at.isoformat(timespec="milliseconds").replace(":", "-").replace(".", "-").replace("+00-00", "Z")
    return f"{created_at:%Y/%m}/failed-{failure_id}-{timestamp}.json"


def build_report(material: FailureMaterial) -> dict[str, Any]:
    """Return the report as JSON values."""
    row = material.failure
    max_tokens, output_tokens = row["max_tokens"], row.get("output_tokens")
    share = None if output_tokens is None or max_tokens is None else round(output_tokens / max_tokens, 4)
    return {
        "error_report": {
            "failed_generation_id": row["id"],
            "batch_id": row.get("run_id"),
            "failure_type": row["failure_type"],
            "stop_reason": row.get("stop_reason"),
            "stop_reason_analysis": _explain_stop(row),
            "truncation_pattern": row.get("truncation_pattern"),
            "truncation_details": row.get("truncation_details"),
            "confidence": row.get("confidence"),
            "turn_index": row.get("turn_index"),
            "error_message": row.get("error_message"),
            "error_stack": row.get("error_stack"),
            "timestamp": row["created_at"],
            "simulated": row.get("simulated"),
            "imported": bool(row.get("imported")),
            "analysis": {
                "input_tokens": row.get("input_tokens"),
                "output_tokens": output_tokens,
                "max_tokens_configured": max_tokens,
                "tokens_remaining": None if output_tokens is None or max_tokens is None else max_tokens - output_tokens,
                "share_of_limit_used": share,
                "cost_usd": row.get("cost_usd"),
                "conclusion": conclude(row),
            },
        },
        "request_context": {
            "model": row["model"],
            "temperature": row.get("temperature"),
            "max_tokens": max_tokens,
            "effort": row.get("effort"),
            "structured_outputs_enabled": row.get("structured_outputs_enabled"),
            "prompt_length": row["prompt_length"],
            "prompt": row["prompt"],
            "request_id": row.get("request_id"),
        },
        "raw_response": row.get("raw_response"),
        "extracted_content": row.get("response_content"),
        "scaffolding_context": {
            **{name: row.get(name) for name in ("persona_id", "emotional_arc_id", "training_topic_id", "template_id")},
            **material.scaffolding,
        },
        "attempts": [_describe_attempt(attempt) for attempt in material.attempts],
    }


def _explain_stop(row: Mapping[str, Any]) -> str:
    if row.get("imported") and row.get("stop_reason") is None:
        return "The imported record does not say why Claude stopped."
    return analyse_stop_reason(row.get("stop_reason"), row["failure_type"])


def analyse_stop_reason(stop_reason: str | None, failure_type: str) -> str:
    """Say in words what the stop_reason means for this failure; for every value the API knows, and for unknown ones."""
    match stop_reason:
        case None:
            return "There is no stop_reason: the call brought no message. See error_message and the attempts."
        case StopReason.END_TURN if failure_type == FailureType.TRUNCATION:
            return "Claude says that it finished naturally, yet a turn is cut off. No limit of the API explains that."
        case StopReason.END_TURN:
            return "Claude says that it finished naturally. What it wrote is the problem, not where it stopped."
        case StopReason.MAX_TOKENS:
            return "Claude reached max_tokens, thinking included, and was stopped. The reply is cut off."
        case StopReason.MODEL_CONTEXT_WINDOW_EXCEEDED:
            return "Prompt and reply together filled the model's context window. The reply is cut off."
        case StopReason.REFUSAL:
            return "Claude declined to write this. The category stands in truncation_details."
        case StopReason.STOP_SEQUENCE:
            return "A stop sequence ended the reply, although none was asked for."
        case StopReason.TOOL_USE:
            return "Claude wanted to call a tool, although none was offered."
        case StopReason.PAUSE_TURN:
            return "The API paused the turn for a continuation, which this product does not ask for."
        case _:
            return f"The stop_reason '{stop_reason}' is not known to this version; it is treated as unexpected."


def conclude(row: Mapping[str, Any]) -> str:
    """Say in words what most likely happened, and what to try."""
    failure_type, pattern = row["failure_type"], row.get("truncation_pattern")
    stop_reason, output_tokens, max_tokens = row.get("stop_reason"), row.get("output_tokens"), row["max_tokens"]
    used = _describe_use(output_tokens, max_tokens)
    match failure_type:
        case FailureType.TRUNCATION:
            return _conclude_truncation(stop_reason, pattern, output_tokens, max_tokens)
        case FailureType.PARSE_ERROR:
            return (
                f"The reply is not the JSON that was asked for ({used}). Turn structured output on, or simplify the format."
            )
        case FailureType.VALIDATION_ERROR:
            return "The reply is JSON, but not a usable conversation. Look at the template's description of the format."
        case FailureType.CORRUPTION:
            return _conclude_corruption(pattern)
        case FailureType.REFUSAL:
            return "Claude declined. Look at persona, arc and topic; the same prompt will most likely be declined again."
        case FailureType.API_ERROR:
            return f"No usable reply came: {row.get('error_message') or row.get('truncation_details') or 'no message'}"
        case _:
            return "Look at the raw response."


def _conclude_truncation(
    stop_reason: str | None, pattern: str | None, output_tokens: int | None, max_tokens: int | None
) -> str:
    used = _describe_use(output_tokens, max_tokens)
    match stop_reason:
        case StopReason.MAX_TOKENS:
            return f"Cut off by max_tokens ({max_tokens or 'not known'}). Raise it, or ask for shorter conversations."
        case StopReason.MODEL_CONTEXT_WINDOW_EXCEEDED:
            return "Cut off by the context window. Shorten the prompt."
        case StopReason.END_TURN:
            is_far_below = (
                output_tokens is not None and max_tokens is not None and output_tokens < FAR_BELOW_LIMIT * max_tokens
            )
            where = "far below the limit" if is_far_below else "below the limit"
            return f"A turn is cut {where} ({used}); the token limit is not the cause. {_advise_on_cut(pattern)}"
        case None:
            return f"A turn is cut; the record does not say whether a limit was the cause. {_advise_on_cut(pattern)}"
        case _:
            return f"The reply ended for an unexpected reason after {used}. Look at the raw response."


def _describe_use(output_tokens: int | None, max_tokens: int | None) -> str:
    limit = "a limit that is not known" if max_tokens is None else f"{max_tokens} tokens"
    return f"an unknown part of {limit}" if output_tokens is None else f"{output_tokens} of {limit}"


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
    return "The text carries literal escapes. Remove escaping instructions from the template."


def _describe_attempt(attempt: Mapping[str, Any]) -> dict[str, Any]:
    """Return an attempt with its response as it came; the body is text, or base64 where it is not UTF-8."""
    left_out = {"id", "batch_id", "batch_item_id", "created_by", "response_body"}
    described = {name: value for name, value in attempt.items() if name not in left_out}
    body = attempt.get("response_body")
    if body is not None and attempt.get("response_body_encoding") == "base64":
        described["response_body_bytes"] = len(base64.b64decode(body))
    return described | {"response_body": body}
