"""Why a reply ended, according to its record: evidence that counts before its last character.

The spellings are those of OpenAI, Anthropic, Gemini, Vertex, Cohere, Mistral, Bedrock, Ollama, TGI, vLLM, SGLang, llama.cpp,
watsonx, LangChain and the AI SDK. An unknown value is ignored: vLLM's `stop_reason` is the text that it stopped at.
"""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import cast

from core.domain.verdict.formats.objects import DEPTH_MAX, walk_objects
from core.domain.verdict.limits import LONGEST_LABEL


class StopKind(StrEnum):
    """What a stop reason means for the reply."""

    LIMIT = "limit"  #: a limit of length was reached
    FILTER = "filter"  #: a filter took the rest
    REFUSAL = "refusal"  #: the model declined
    BREAK = "break"  #: an error, a time limit or somebody broke it off


_REASON_KEYS = (
    "finish_reason",
    "stop_reason",
    "finishReason",
    "stopReason",
    "done_reason",
    "doneReason",
    "completion_reason",
    "completionReason",
    "native_finish_reason",
    "finish_details",
    "finishDetails",
    "incomplete_details",
    "stop_type",
    "finish_reasons",
    "stop_reasons",
)
_CUT_KEYS = ("truncated", "is_truncated", "was_truncated", "stopped_limit", "truncated_output", "is_cut")
_CUT = "truncated"
_TELLING_KEYS = frozenset((*_REASON_KEYS, *_CUT_KEYS, "object"))
_INNER_KEYS = ("type", "reason")
_STATES = ("incomplete", "in_progress", "failed", "cancelled", "canceled")
_STATE_OBJECTS = ("response", "realtime.response")
_MEANINGS: Mapping[str, StopKind] = {
    **dict.fromkeys(
        (
            "length",
            "max_tokens",
            "max_token",
            "max_length",
            "max_output_tokens",
            "max_completion_tokens",
            "max_new_tokens",
            "max_tokens_reached",
            "token_limit",
            "token_limit_reached",
            "limit",
            "model_length",
            "context_length",
            "context_length_exceeded",
            "context_window_exceeded",
            "model_context_window_exceeded",
            "error_limit",
            "length_limit",
            "length_capped",
            "truncated",
        ),
        StopKind.LIMIT,
    ),
    **dict.fromkeys(
        (
            "content_filter",
            "content_filtered",
            "contentfilter",
            "safety",
            "image_safety",
            "recitation",
            "image_recitation",
            "blocklist",
            "prohibited_content",
            "image_prohibited_content",
            "spii",
            "language",
            "guardrail_intervened",
            "error_toxic",
            "blocked",
            "sensitive",
            "moderation",
            "filtered",
        ),
        StopKind.FILTER,
    ),
    **dict.fromkeys(("refusal", "refused"), StopKind.REFUSAL),
    **dict.fromkeys(
        (
            "error",
            "errored",
            "failed",
            "abort",
            "aborted",
            "cancel",
            "cancelled",
            "canceled",
            "user_cancel",
            "user_stop",
            "timeout",
            "time_limit",
            "interrupted",
            "disconnected",
            "insufficient_system_resource",
            "malformed_function_call",
            "malformed_model_output",
            "malformed_tool_use",
            "malformed_response",
            "unexpected_tool_call",
            "too_many_tool_calls",
            "no_image",
            "other",
            "incomplete",
            "in_progress",
            "not_finished",
            "pause_turn",
            "network_error",
        ),
        StopKind.BREAK,
    ),
}
_GEMINI_NUMBERS: Mapping[int, str] = {2: "MAX_TOKENS", 3: "SAFETY", 4: "RECITATION", 5: "OTHER"}
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SEPARATOR = re.compile(r"[\s\-]+")
_CHOICE_KEYS = ("choices", "candidates")
_OBJECTS_MAX = 200
_NOT_OF_THE_REPLY = frozenset(
    {"chosen", "rejected", "content", "tools", "functions", "config", "generation_config", "params", "request"}
)


def classify_stop(reason: str) -> StopKind | None:
    """Return what a stop reason means; None if the reply finished normally, or if it is unknown."""
    return _MEANINGS.get(normalise_reason(reason))


def normalise_reason(reason: str) -> str:
    """Return a reason in the form that is compared: `FinishReason.MAX_TOKENS`, `maxTokens` and `max-tokens` are equal."""
    plain = reason.strip().rpartition(".")[2]
    return _SEPARATOR.sub("_", _CAMEL.sub("_", plain)).lower().removeprefix("finish_reason_").removeprefix("stop_reason_")


def read_stop(members: Mapping[str, object]) -> str | None:
    """Return the stop reason in an object itself, unchanged; the first known one."""
    said = list(_list_reasons(members))
    return next((reason for reason in said if classify_stop(reason) is not None), said[0] if said else None)


def read_record_stop(record: object) -> str | None:
    """Return the stop reason of the last reply in a record (or a message), from any object within it.

    Lists hold turns and are skipped, except for the choices of an answer, of which the first counts.
    """
    said: str | None = None
    for members in walk_objects(record, _OBJECTS_MAX, _list_inner):
        found = read_stop(members)
        if found is not None and classify_stop(found) is not None:
            return found
        said = said or found
    return said


def _list_inner(members: Mapping[str, object], depth: int) -> Iterator[tuple[object, int]]:
    """Return members that may describe the reply, and the first of its choices, which is not searched further."""
    for key, member in members.items():
        if key not in _NOT_OF_THE_REPLY:
            yield member, depth + 1
    for key in _CHOICE_KEYS:
        choices = members.get(key)
        if isinstance(choices, list):
            yield from ((choice, DEPTH_MAX) for choice in cast("list[object]", choices)[:1])


def _list_reasons(members: Mapping[str, object]) -> Iterator[str]:
    if _TELLING_KEYS.isdisjoint(members):
        return
    for key in _REASON_KEYS:
        if key in members:
            yield from _read_reason(members[key])
    number = members.get("finish_reason", members.get("finishReason"))
    if isinstance(number, int) and number in _GEMINI_NUMBERS:
        yield _GEMINI_NUMBERS[number]
    if any(members.get(key) is True for key in _CUT_KEYS):
        yield _CUT
    state = members.get("status")
    if members.get("object") in _STATE_OBJECTS and state in _STATES:
        yield str(state)


def _read_reason(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if value.strip():
            yield value[:LONGEST_LABEL]
    elif isinstance(value, list):
        for item in cast("list[object]", value)[:1]:
            yield from _read_reason(item)
    elif isinstance(value, dict):
        members = cast("Mapping[str, object]", value)
        yield from (text[:LONGEST_LABEL] for key in _INNER_KEYS if isinstance(text := members.get(key), str))
