"""Whatever JSON a file holds under the names that are looked for, it is judged or named; nothing of it is a surprise."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from core.domain.datasets.importing import IMPORTED_FIELDS, NameIndex, build_item
from core.domain.verdict.formats.chat import CHAT_KEYS, CONTENT_KEYS, ROLE_KEYS
from core.domain.verdict.formats.entries import JsonEntry, Unreadable
from core.domain.verdict.formats.judging import judge_conversations
from core.domain.verdict.formats.reading import ReadOptions, read_conversations

KEYS = (
    *CHAT_KEYS, *ROLE_KEYS, *CONTENT_KEYS, "prompt", "completion", "chosen", "rejected", "instruction", "output", "history",
    "finish_reason", "stop_reason", "choices", "candidates", "message", "response", "body", "result", "custom_id", "type",
    "error", "object", "status", "mapping", "current_node", "children", "parent", "parent_id", "id", "message_id", "replies",
    "conversation_id", "tool_calls", "function_call", "arguments", "training_pairs", "target_response",
    "conversation_history", "row", "row_idx", "truncated_cells", "label", "metadata", "conversation_metadata", "refusal",
)  # fmt: skip
TEXTS = (
    "user", "assistant", "tool", "message", "error", "succeeded", "expired", "text", "image", "tool_use", "length",
    "Yes.", "It is the", '{"a": [1', '[{"role": "user", "content": "x"}]', "\n\nHuman: a\n\nAssistant: b", "",
)  # fmt: skip
SCALARS = st.one_of(st.sampled_from(TEXTS), st.sampled_from([None, True, 1, 2.5, float("nan"), 10**30]))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
        st.builds(lambda role, said: {"role": role, "content": said}, st.sampled_from(("user", "assistant", "x")), inner),
    ),
    max_leaves=12,
)
NAMES = NameIndex([], [], [], [])


@settings(max_examples=400, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=3))
def test_any_value_is_judged_or_named(values: list[Any]) -> None:
    entries = [JsonEntry(place=f"line {number}", value=value) for number, value in enumerate(values)]

    for judged in judge_conversations(read_conversations(entries, ReadOptions(fields=IMPORTED_FIELDS))):
        if isinstance(judged, Unreadable):
            assert judged.reason
        else:
            found = (judged.conversation, judged.flagged)
            item = build_item(*found, file="f", first_position=0, names=NAMES, now=datetime.now(UTC))
            assert (item.failure is not None) == bool(judged.flagged)
