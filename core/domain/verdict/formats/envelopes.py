"""Answers of APIs, and files of them: completions in the form of several providers, results of batches.

The reply to a request that is recorded with it follows the messages of the request.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import cast

from core.domain.verdict.bounded_json import read_mapping
from core.domain.verdict.formats.chat import find_messages, is_message, make_turn, read_talk
from core.domain.verdict.formats.entries import ImportedTurn
from core.domain.verdict.formats.roles import RoleNames
from core.domain.verdict.formats.spoken import Spoken, read_dialogue
from core.domain.verdict.formats.stops import read_record_stop, read_stop
from core.domain.verdict.limits import LONGEST_LABEL

_ANSWER_HOLDERS = ("response", "body", "result", "completion", "output", "outputs", "data", "raw_response")
_REQUEST_HOLDERS = ("request", "body", "params", "input", "inputs", "kwargs")
_REQUEST_KEYS = ("messages", "contents", "input")
_RESULT_KEYS = ("results", "outputs")
"""Of Titan, watsonx and Mistral; others have lists of anything under these names."""
_CHOICE_KEYS = ("choices", "candidates", "generations", *_RESULT_KEYS)
_RESULT_TEXTS = ("outputText", "generated_text")
_PROMPT_KEYS = ("prompt", "inputText")
_DEPTH_MAX = 3
_UNANSWERED = {"expired": "it expired", "canceled": "it was canceled", "cancelled": "it was canceled"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A request without a reply."""

    details: str
    said: str = ""


def find_message(record: Mapping[str, object]) -> Mapping[str, object] | None:
    """Return the message of Claude's API that a record is, or that is in a result of its Message Batches."""
    result = read_mapping(record.get("result"))
    for message in (record, read_mapping(result.get("message")), *_list_answers(record)):
        if message.get("type") == "message" and message.get("role", "assistant") == "assistant" and "content" in message:
            return message
    return None


def find_refused(record: Mapping[str, object]) -> Refused | None:
    """Return why a request got no reply: the API's error, or a result of a batch without a message."""
    if record.get("type") == "error" and isinstance(record.get("error"), dict):
        return _describe_error(record["error"])
    result = read_mapping(record.get("result"))
    kind = result.get("type")
    if kind == "errored":
        error = read_mapping(result.get("error"))
        return _describe_error(error.get("error", error))
    if isinstance(kind, str) and kind in _UNANSWERED and "custom_id" in record:
        return Refused(details=f"The request got no reply: {_UNANSWERED[kind]}")
    response = read_mapping(record.get("response"))
    error = record.get("error") or read_mapping(response.get("body")).get("error")
    if "custom_id" in record and isinstance(error, dict):
        return _describe_error(cast("object", error))
    return None


def is_request(record: Mapping[str, object]) -> bool:
    """Whether it is a request of a batch, without a reply."""
    holders = [read_mapping(record.get(key)) for key in ("params", "body")]
    return "custom_id" in record and any(key in holder for holder in holders for key in _REQUEST_KEYS)


def read_answer(record: Mapping[str, object], message: Mapping[str, object], names: RoleNames) -> Spoken:
    """Read a message of Claude that is prose instead of a conversation, after the messages that it answers."""
    found = _read_request(record, names)
    found.add_answer("reply", read_talk([{"role": "assistant", **message}], names).turns)
    return found


def read_completion(record: Mapping[str, object], names: RoleNames) -> Spoken | None:
    """Read a completion, with the messages that it answers if the record has them. None if it is not one."""
    answer = _find_completion(record)
    if answer is None:
        return None
    found = _read_request(record, names)
    stop = read_record_stop({key: value for key, value in answer.items() if key not in _CHOICE_KEYS}) or read_stop(record)
    for index, choice in enumerate(_list_choices(answer)):
        turns = _read_choice(choice, names)
        if turns:
            last = turns[-1]
            own = read_stop(choice) or last.stop or stop
            name = "reply" if index == 0 else f"reply[{index}]"
            found.add_answer(name, (*turns[:-1], replace(last, stop=own)))
    return found


def is_completion(record: Mapping[str, object]) -> bool:
    """Whether a record contains the answer of an API."""
    return _find_completion(record) is not None


def _find_completion(record: Mapping[str, object]) -> Mapping[str, object] | None:
    return next((each for each in _list_answers(record) if _is_completion(each)), None)


def _list_answers(record: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Return the record and what it wraps, from the outside in."""
    waiting: list[tuple[Mapping[str, object], int]] = [(record, 0)]
    for holder, depth in waiting:
        yield holder
        if depth < _DEPTH_MAX:
            inner = (read_mapping(holder.get(key)) for key in _ANSWER_HOLDERS)
            waiting.extend((each, depth + 1) for each in inner if each)


def _is_completion(answer: Mapping[str, object]) -> bool:
    if any(_holds_choices(answer, key) for key in _CHOICE_KEYS):
        return True
    message = read_mapping(answer.get("message"))
    if is_message(message) and not any(key in answer for key in ("role", "from")):
        return True  # Ollama's and Cohere's, and within `output` Bedrock's
    return answer.get("object") == "response" and isinstance(answer.get("output"), list)


def _holds_choices(answer: Mapping[str, object], key: str) -> bool:
    value = answer.get(key)
    if not isinstance(value, list):
        return False
    first = read_mapping(next(iter(cast("list[object]", value)), None))
    if key in _RESULT_KEYS:
        return any(name in first for name in _RESULT_TEXTS) or ("text" in first and read_stop(first) is not None)
    return "message" in first or "content" in first or "finishReason" in first or ("text" in first and "role" not in first)


def _list_choices(answer: Mapping[str, object]) -> list[Mapping[str, object]]:
    for key in _CHOICE_KEYS:
        if _holds_choices(answer, key):
            return [read_mapping(choice) for choice in cast("list[object]", answer[key])]
    if answer.get("object") == "response":
        return [{"message": {"role": "assistant", "content": list(_list_output(cast("list[object]", answer["output"])))}}]
    return [{"message": answer.get("message")}]


def _list_output(items: list[object]) -> Iterator[object]:
    """The parts of an answer of OpenAI's Responses API: the contents of its messages, and calls and thoughts beside them."""
    for item in items:
        content = read_mapping(item).get("content")
        if read_mapping(item).get("type") == "message" and isinstance(content, list):
            yield from cast("list[object]", content)
        else:
            yield item


def _read_choice(choice: Mapping[str, object], names: RoleNames) -> tuple[ImportedTurn, ...]:
    message = next((choice[key] for key in ("message", "content", "text", *_RESULT_TEXTS) if key in choice), None)
    if isinstance(message, dict):
        members = cast("Mapping[str, object]", message)
        return read_talk([{"role": "assistant", "content": None, **members}], names).turns
    return (make_turn("assistant", message, names),)


def _read_request(record: Mapping[str, object], names: RoleNames) -> Spoken:
    for holder in (record, *(read_mapping(record.get(key)) for key in _REQUEST_HOLDERS)):
        for key in _REQUEST_KEYS:
            messages = find_messages(holder.get(key))
            if messages:
                return read_dialogue(messages, names)
        prompt = next((holder[key] for key in _PROMPT_KEYS if key in holder), None)
        if isinstance(prompt, str) and prompt.strip():
            return Spoken(turns=[make_turn("user", prompt, names)])
    return Spoken()


def _describe_error(error: object) -> Refused:
    members = read_mapping(error)
    name = str(members.get("type") or members.get("code") or "unknown")[:LONGEST_LABEL]
    return Refused(details=f"The API answered with an error: {name}", said=str(members.get("message", "")))
