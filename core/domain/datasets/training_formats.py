"""A frozen conversation as the rows that trainers read. Pure: no file is written here.

Names of the metadata columns are none that a trainer claims (`prompt`, `completion`, `text`, `label`, `chosen`, `rejected`,
`tools`, `images`, `instruction`, `output`, `system`, `train`, `weight`).
"""

import json
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, assert_never

from core.domain.datasets.versions import FrozenConversation
from core.domain.verdict.conversation import Role, Turn


class TrainingFormat(StrEnum):
    """A form of the data, by its name on the command line and of its folder."""

    MESSAGES_JSONL = "messages-jsonl"
    MESSAGES_PARQUET = "messages-parquet"
    SHAREGPT = "sharegpt"
    PROMPT_COMPLETION = "prompt-completion"

    @property
    def suffix(self) -> str:
        """How its files end."""
        return "parquet" if self is TrainingFormat.MESSAGES_PARQUET else "jsonl"


SHAREGPT_SPEAKERS = {"system": "system", "user": "human", "assistant": "gpt"}
Message = dict[str, str]
ASSISTANT_ROLE = (
    "You are a fee-only financial planner with many years of practice. You answer the feeling before the figure, use the "
    "client's own words and numbers, explain one thing at a time in plain, unhurried prose, and say openly what you do not "
    "know. You never sell, scold or predict markets, and you name the point at which a tax adviser, a lawyer or a doctor "
    "should be asked."
)
"""The role that the prompt templates of this product give the assistant, as a system message."""


def list_messages(turns: Sequence[Turn], system: str | None = None) -> list[Message]:
    """Return chat messages: an optional system message, then user and assistant in turn.

    A last message of the user, which nobody answers, is dropped: LLaMA-Factory skips a conversation of an odd number.
    """
    if turns and turns[-1].role is Role.USER:
        turns = turns[:-1]
    first = [{"role": "system", "content": system}] if system else []
    return first + [{"role": turn.role.value, "content": turn.content} for turn in turns]


def make_rows(conversation: FrozenConversation, form: TrainingFormat, system: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a conversation: one, or with prompt and completion one for each answer of the assistant."""
    messages = list_messages(conversation.turns, system)
    columns = describe_origin(conversation)
    match form:
        case TrainingFormat.MESSAGES_JSONL | TrainingFormat.MESSAGES_PARQUET:
            yield {"messages": messages, **columns}
        case TrainingFormat.SHAREGPT:
            said = [{"from": SHAREGPT_SPEAKERS[each["role"]], "value": each["content"]} for each in messages]
            yield {"conversations": said, **columns}
        case TrainingFormat.PROMPT_COMPLETION:
            for number, message in enumerate(messages):
                if message["role"] == Role.ASSISTANT:
                    yield {"prompt": messages[:number], "completion": [message], "message_number": number, **columns}
        case _:
            assert_never(form)


def describe_origin(conversation: FrozenConversation) -> dict[str, Any]:
    """Return where a conversation comes from, as flat columns; the values of axes are JSON, since there may be any axis."""
    return {
        "conversation_id": str(conversation.id),
        "category": conversation.category.value,
        "persona": conversation.persona,
        "emotional_arc": conversation.arc,
        "topic": conversation.topic,
        "variation": conversation.variation,
        "variation_values": json.dumps(dict(conversation.variation_values), ensure_ascii=False, sort_keys=True),
        "tier": conversation.tier.value,
        "template": conversation.template,
        "template_version": conversation.template_version,
        "model": conversation.model,
        "is_simulated": conversation.simulated,
    }


def encode_line(row: dict[str, Any]) -> bytes:
    """Return a row as a line of JSON Lines in UTF-8, with its line end."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
