"""Results as the JSON that `record_results` takes. Pure."""

import json
import math
from collections.abc import Mapping
from typing import Any, cast

from core.domain.batches.work import Attempt, ItemAccepted, ItemFailed, ItemReleased, ItemResult, encode_body
from core.domain.diagnosis.fingerprint import fingerprint_failure
from core.domain.scaffolding.variations import list_values
from core.domain.storable_text import clean_text
from core.domain.verdict.bounded_json import parse_json
from core.domain.verdict.conversation import Conversation
from core.domain.verdict.reply import RawResponse

EncodedResult = dict[str, Any]
"""One element of `record_results`' argument, as `encode_result` makes it and a spool file holds it."""
_DEEPEST = 100
"""Levels of nesting; deeper JSON is kept as text."""


def encode_result(result: ItemResult) -> EncodedResult:
    """Return a result as the database takes it. Zero stays zero; None means that the value is unknown."""
    payload: dict[str, Any] = {
        "kind": result.kind,
        "item_id": str(result.item.item_id),
        "lease_token": str(result.item.lease_token),
        "attempt": None if result.attempt is None else encode_attempt(result.attempt),
    }
    match result:
        case ItemAccepted(conversation=conversation, variation=variation):
            values = {name: clean_text(value) for name, value in list_values(variation).items()}
            return payload | {"conversation": encode_conversation(conversation) | {"variation_values": values}}
        case ItemFailed():
            return payload | {"failure": encode_failure(result)}
        case ItemReleased(delay_seconds=delay_seconds, raised_max_tokens=raised_max_tokens):
            return payload | {"delay_seconds": delay_seconds, "raised_max_tokens": raised_max_tokens}


def write_result(encoded: EncodedResult) -> bytes:
    """Return an encoded result as one line of JSON; raise ValueError for what JSON does not have, such as NaN."""
    return json.dumps(encoded, allow_nan=False).encode()


def encode_attempt(attempt: Attempt) -> dict[str, Any]:
    """Return an attempt with the names of its columns."""
    settings = attempt.settings
    said = attempt.model_dump(mode="json", exclude={"settings", "usage", "raw"})
    payload: dict[str, Any] = {
        name: clean_text(value) if isinstance(value, str) else value for name, value in said.items()
    } | {
        "max_tokens": settings.max_tokens,
        "temperature": None,  # today's API takes none
        "effort": settings.effort,
        "structured_outputs": settings.structured_outputs,
        **attempt.usage.model_dump(),
    }
    if attempt.raw is not None:
        body, encoding = encode_body(attempt.raw)
        payload |= {
            "http_status": attempt.raw.status_code,
            "response_headers": _clean_headers(attempt.raw),
            "response_body": body,
            "response_body_encoding": encoding,
        }
    return payload


def encode_conversation(conversation: Conversation) -> dict[str, Any]:
    """Return a conversation with the names of its columns."""
    first, last = conversation.turns[0].emotional_context, conversation.turns[-1].emotional_context
    return {
        "turns": [turn.model_dump(mode="json") for turn in conversation.turns],
        "metadata": conversation.conversation_metadata.model_dump(mode="json"),
        "starting_emotion": first.primary_emotion,
        "starting_intensity": first.intensity,
        "ending_emotion": last.primary_emotion,
        "ending_intensity": last.intensity,
    }


def encode_failure(result: ItemFailed) -> dict[str, Any]:
    """Return a failed generation with the names of its columns, and `stop_reason_for_batch`."""
    attempt, failure, settings = result.attempt, result.failure, result.settings
    message = failure.details if attempt is None else attempt.error_message
    return {
        "prompt": clean_text(result.prompt_text),
        "model": settings.model if attempt is None else attempt.model,
        "max_tokens": settings.max_tokens,
        "temperature": None,
        "effort": settings.effort,
        "structured_outputs_enabled": settings.structured_outputs,
        "raw_response": describe_raw(attempt),
        "response_content": None if result.reply_text is None else clean_text(result.reply_text),
        "stop_reason": None if attempt is None else attempt.stop_reason,
        "input_tokens": None if attempt is None else attempt.usage.input_tokens,
        "output_tokens": None if attempt is None else attempt.usage.output_tokens,
        "failure_type": failure.failure_type,
        "truncation_pattern": failure.pattern,
        "truncation_details": clean_text(failure.details),
        "confidence": failure.confidence,
        "turn_index": failure.turn_index,
        "error_message": None if message is None else clean_text(message),
        "error_stack": None if result.error_stack is None else clean_text(result.error_stack),
        "request_id": None if attempt is None else attempt.request_id,
        "cost_usd": None if attempt is None or attempt.cost_usd is None else str(attempt.cost_usd),
        "simulated": False if attempt is None else attempt.simulated,
        "stop_reason_for_batch": result.stop_batch_because,
        "fingerprint": clean_text(
            fingerprint_failure(
                failure_type=failure.failure_type,
                pattern=failure.pattern,
                stop_reason=None if attempt is None else attempt.stop_reason,
                reply_text=result.reply_text,
                turn_index=failure.turn_index,
                message=message or failure.details,
            )
        ),
    }


def describe_raw(attempt: Attempt | None) -> dict[str, Any]:
    """Return the whole raw response: status, headers without secrets, and the body as JSON, else as text or base64."""
    if attempt is None or attempt.raw is None:
        return {"status": None, "headers": {}, "body": None}
    body, encoding = encode_body(attempt.raw)
    described: dict[str, Any] = {
        "status": attempt.raw.status_code,
        "headers": _clean_headers(attempt.raw),
        "body_encoding": encoding,
        "body": body,
    }
    if encoding == "utf-8":
        try:
            parsed = parse_json(body)
        except ValueError:
            return described
        # jsonb can hold neither NUL nor lone surrogates.
        if (
            _is_storable(parsed)
            and "\\u0000" not in body
            and clean_text(text := json.dumps(parsed, ensure_ascii=False)) == text
        ):
            return described | {"body_encoding": "json", "body": parsed}
    return described


def _is_storable(value: object) -> bool:
    """Whether the database and its readers accept a value as JSON: no NaN, no infinity, no endless nesting."""
    level: list[object] = [value]
    for _ in range(_DEEPEST):
        if any(isinstance(part, float) and not math.isfinite(part) for part in level):
            return False
        below: list[object] = []
        for part in level:
            if isinstance(part, Mapping):
                below.extend(cast("Mapping[str, object]", part).values())
            elif isinstance(part, list):
                below.extend(cast("list[object]", part))
        if not below:
            return True
        level = below
    return False


def _clean_headers(raw: RawResponse) -> dict[str, str]:
    return {clean_text(name): clean_text(value) for name, value in raw.headers.items()}
