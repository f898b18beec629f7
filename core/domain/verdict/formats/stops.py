"""Why a reply ended, according to its record: evidence that counts before its last character.

The spellings are those of OpenAI, Anthropic, Gemini, Vertex, Cohere, Mistral, Bedrock, Ollama, TGI, vLLM, SGLang, llama.cpp,
watsonx, LangChain and the AI SDK. An unknown value is ignored: vLLM's `stop_reason` is the text that it stopped at.
"""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import cast

from core.domain.verdict.formats.objects import DEPTH_MAX, walk_objects
from core.domain.verdict.limits import LONGEST_LABEL


class StopKind(StrEnum):
    """What a stop reason means for the reply."""

    LIMIT = "limit"  #: a limit of length was reached
    FILTER = "filter"  #: a filter took the rest
    REFUSAL = "refusal"  #: the model declined
    BREAK = "break"  #: an error, a time limit or somebody broke it off


class _KeyKind(StrEnum):
    """What the name of a member tells about its value."""

    REASON = "reason"
    CUT = "cut"  #: true where the reply is cut
    WHOLE = "whole"  #: false where it is
    STATE = "state"


_REASON_KEY = re.compile(
    r"(?:.*_)?(?:finish(?:ed)?|stop(?:ping)?|done|completion|end|termination)_(?:reasons?|details|type|status)|incomplete_details"
)
_CUT_KEY = re.compile(r"(?:(?:is|was)_)?(?:truncated|cut|cut_off|incomplete)|stopped_limit|truncated_output")
_WHOLE_KEY = re.compile(r"(?:is_)?(?:complete|finished)")
_CUT = "truncated"
_INNER_KEYS = ("type", "reason")
_CUT_STATES = ("incomplete", "truncated", "finished_partial_completion")
_STATES = ("in_progress", "failed", "cancelled", "canceled")
_STATE_OBJECTS = ("response", "realtime.response")
_SPEAKER_KEYS = ("role", "author", "sender")
_MEANINGS: Mapping[str, StopKind] = {
    **dict.fromkeys(
        (
            "context_window_exceeded",
            "model_context_window_exceeded",
            "error_limit",
        ),
        StopKind.LIMIT,
    ),
    **dict.fromkeys(
        (
            "contentfilter",
            "recitation",
            "image_recitation",
            "blocklist",
            "prohibited_content",
            "image_prohibited_content",
            "spii",
            "language",
            "error_toxic",
            "sensitive",
        ),
        StopKind.FILTER,
    ),
    **dict.fromkeys(("refusal", "refused"), StopKind.REFUSAL),
    **dict.fromkeys(
        (
            "errored",
            "abort",
            "cancel",
            "user_cancel",
            "user_stop",
            "time_limit",
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
            "finished_partial_completion",
        ),
        StopKind.BREAK,
    ),
}
# Words in reasons, for providers with reasons of their own: CONTENT_POLICY_VIOLATION, max_tokens_exceeded.
_PHRASE = re.compile(r"[a-z0-9_]{3,60}")
_FILTER_WORDS = (
    "filter",
    "filtered",
    "safety",
    "policy",
    "moderation",
    "toxic",
    "toxicity",
    "blocked",
    "guardrail",
    "armor",
)
_LIMIT_WORDS = ("length", "max", "maximum", "limit", "limits", "truncated", "truncation", "cutoff", "long")
_BREAK_WORDS = ("error", "failed", "failure", "timeout", "aborted", "cancelled", "canceled", "interrupted", "crashed")
_WORDS: Mapping[str, StopKind] = {
    **dict.fromkeys(_FILTER_WORDS, StopKind.FILTER),
    **dict.fromkeys(("refusal", "refused", "declined"), StopKind.REFUSAL),
    **dict.fromkeys(_LIMIT_WORDS, StopKind.LIMIT),
    **dict.fromkeys(_BREAK_WORDS, StopKind.BREAK),
}
_DENIALS = frozenset(("no", "not", "none", "without"))
_OUT_OF_TOKENS = "out_of_tokens"
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
    plain = normalise_reason(reason)
    return _MEANINGS.get(plain) or _classify_words(plain)


def _classify_words(plain: str) -> StopKind | None:
    if not _PHRASE.fullmatch(plain):
        return None
    if _OUT_OF_TOKENS in plain:
        return StopKind.LIMIT
    words = plain.split("_")
    return None if _DENIALS & set(words) else next((_WORDS[word] for word in words if word in _WORDS), None)


def normalise_reason(reason: str) -> str:
    """Return a reason in the form that is compared: `FinishReason.MAX_TOKENS`, `maxTokens` and `max-tokens` are equal."""
    plain = reason.strip().rpartition(".")[2]
    return _SEPARATOR.sub("_", _CAMEL.sub("_", plain)).lower().removeprefix("finish_reason_").removeprefix("stop_reason_")


def read_stop(members: Mapping[str, object]) -> str | None:
    """Return the stop reason in an object itself, unchanged; the first known one."""
    said = list(_list_reasons(members))
    return next((reason for reason in said if classify_stop(reason) is not None), said[0] if said else None)


def list_answer_stops(record: Mapping[str, object]) -> list[str | None]:
    """Return the stop reason of each answer of a record, if it has a list of them; otherwise nothing."""
    for key, value in record.items():
        if isinstance(value, list) and _find_key_kind(key) is _KeyKind.REASON:
            reasons = cast("list[object]", value)
            return [next(_read_reason(reason), None) for reason in reasons] if len(reasons) > 1 else []
    return []


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
    for key, value in members.items():
        match _find_key_kind(key):
            case None:
                continue
            case _KeyKind.REASON:
                yield from _read_reason(value)
            case _KeyKind.CUT if _is_said(value, "true"):
                yield _CUT
            case _KeyKind.WHOLE if _is_said(value, "false"):
                yield "incomplete"
            case _KeyKind.STATE if isinstance(value, str):
                says_whose = members.get("object") in _STATE_OBJECTS or any(name in members for name in _SPEAKER_KEYS)
                if value in _CUT_STATES or (value in _STATES and says_whose):
                    yield value
            case _:
                continue
    number = members.get("finish_reason", members.get("finishReason"))
    if isinstance(number, int) and number in _GEMINI_NUMBERS:
        yield _GEMINI_NUMBERS[number]


def _find_key_kind(key: str) -> _KeyKind | None:
    return _classify_key(key) if len(key) <= LONGEST_LABEL else None


@lru_cache(maxsize=1_000)
def _classify_key(key: str) -> _KeyKind | None:
    plain = _SEPARATOR.sub("_", _CAMEL.sub("_", key.strip())).lower()
    kinds = ((_REASON_KEY, _KeyKind.REASON), (_CUT_KEY, _KeyKind.CUT), (_WHOLE_KEY, _KeyKind.WHOLE))
    found = next((kind for pattern, kind in kinds if pattern.fullmatch(plain)), None)
    return _KeyKind.STATE if plain == "status" else found


def _is_said(value: object, word: str) -> bool:
    """Whether a value is `true` or `false`, in JSON or as the text of a table."""
    return value is (word == "true") or (isinstance(value, str) and value.strip().lower() == word)


def _read_reason(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if value.strip():
            yield value[:LONGEST_LABEL]
    elif isinstance(value, list):
        for item in cast("list[object]", value)[:_OBJECTS_MAX]:
            yield from _read_reason(item)
    elif isinstance(value, dict):
        members = cast("Mapping[str, object]", value)
        yield from (text[:LONGEST_LABEL] for key in _INNER_KEYS if isinstance(text := members.get(key), str))
