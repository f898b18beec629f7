"""What an import makes of conversations, before any database."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from core.domain.datasets.importing import IMPORTED_FIELDS, ImportItem, NameIndex, NameKind, build_item, name_import
from core.domain.verdict.formats.entries import JsonEntry
from core.domain.verdict.formats.flagging import flag_turns
from core.domain.verdict.formats.reading import ReadOptions, read_conversations
from core.domain.verdict.grouping import MOST_GROUPS
from core.scaffolding_data import load_emotional_arcs, load_personas, load_prompt_templates, load_training_topics
from tests.unit.scan.dialogues import CUT, GOOD, make_api_message, make_messages, make_written

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def make_index() -> NameIndex:
    return NameIndex(load_personas(), load_emotional_arcs(), load_training_topics(), load_prompt_templates())


def build(record: object) -> ImportItem:
    (conversation,) = read_conversations([JsonEntry(place="line 1", value=record)], ReadOptions(fields=IMPORTED_FIELDS))
    flagged = flag_turns(conversation)  # type: ignore[arg-type]
    return build_item(conversation, flagged, file="f.json", first_position=7, names=make_index(), now=NOW)  # type: ignore[arg-type]


def test_what_a_record_says_of_itself_is_kept() -> None:
    item = build(
        make_messages(
            GOOD, model="m-1", finish_reason="stop", usage={"completion_tokens": 40, "prompt_tokens": "12"},
            max_tokens=4096, metadata={"created_at": 1_700_000_000},
        )
    )  # fmt: skip

    assert ("m-1", "stop", 40, 12, 4096) == (
        item.model, item.stop_reason, item.output_tokens, item.input_tokens, item.max_tokens
    )  # fmt: skip
    assert datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC) == item.made_at
    assert (7, 4, None) == (item.position, item.turns, item.failure)


def test_what_a_record_does_not_say_is_not_given() -> None:
    item = build(make_messages(GOOD, max_tokens="many", created_at="yesterday"))

    assert ["not given"] * 5 == [item.persona.name, item.arc.name, item.topic.name, item.template.name, item.model]
    assert (None, None, None, None) == (item.stop_reason, item.max_tokens, item.output_tokens, item.made_at)


@pytest.mark.parametrize("given", ["2026-11-26T00:00:00", "0001-01-01", "-5", "99999999999999999999"])
def test_a_time_that_cannot_be_true_is_none(given: str) -> None:
    assert build(make_messages(GOOD, created_at=given)).made_at is None


def test_a_failed_reply_keeps_its_text_and_the_verdict_on_the_whole() -> None:
    text = '{"conversation_metadata": {}, "turns": [{"role": "user", "content": "I do not know wh'
    failure = build(make_api_message(text, "max_tokens")).failure

    assert failure is not None
    assert (text, "truncation", "unexpected_stop_reason") == (failure.text, failure.failure_type, failure.pattern)
    assert "truncation|max_tokens|in_text" == failure.fingerprint


def test_a_cut_turn_is_named_as_in_the_batches_with_the_others_behind_it() -> None:
    failure = build(make_messages((CUT[0], CUT[1], GOOD[2], "and then,"))).failure

    assert failure is not None
    assert ("lone_backslash", 1, "truncation|none|backslash") == (failure.pattern, failure.turn_index, failure.fingerprint)
    assert "Turn 2 (assistant) stops at: What stops you is the \\" in failure.details
    assert failure.details.endswith("also: turn 4 (trailing_comma)")


def test_what_claude_wrote_is_kept_as_it_is() -> None:
    failure = build(make_written(CUT)).failure

    assert failure is not None
    assert failure.text.startswith('{"conversation_metadata"')


def test_scaffolding_is_found_by_id_key_and_name_in_any_case() -> None:
    persona, names = load_personas()[0], make_index()

    found = [names.find(NameKind.PERSONA, text).id for text in (str(persona.id), persona.persona_key, persona.name.upper())]

    assert [persona.id] * 3 == found
    assert names.find(NameKind.ARC, persona.persona_key).id is None


def test_of_a_template_the_newest_version_is_meant_unless_a_version_is_named() -> None:
    first = load_prompt_templates()[0]
    second = first.model_copy(update={"id": UUID(int=2), "version": first.version + 1})
    names = NameIndex((), (), (), (first, second))

    assert second.id == names.find(NameKind.TEMPLATE, first.template_key).id
    assert second.id == names.find(NameKind.TEMPLATE, first.name).id
    assert first.id == names.find(NameKind.TEMPLATE, f"{first.name} v{first.version}").id


def test_names_that_are_not_in_the_scaffolding_are_bounded_and_spelt_one_way() -> None:
    names = make_index()
    spelt = names.find(NameKind.TOPIC, "Our Topic")
    for number in range(MOST_GROUPS):
        names.find(NameKind.TOPIC, f"topic {number}")

    assert spelt == names.find(NameKind.TOPIC, "OUR TOPIC")
    assert "(other)" == names.find(NameKind.TOPIC, "one more").name


def test_a_batch_is_called_by_its_first_file() -> None:
    assert "Imported: a.json" == name_import(["a.json"])
    assert "Imported: a.json and 2 more" == name_import(["a.json", "b.json", "c.json"])
    assert 100 > len(name_import(["x" * 300]))


def test_another_answer_is_named_and_kept_with_what_was_said() -> None:
    chosen = make_messages((GOOD[0], CUT[1]))["messages"]
    failure = build(make_messages(GOOD[:2], chosen=chosen)).failure

    assert failure is not None
    assert "Turn 2 (assistant) of chosen stops at: " in failure.details
    assert {"turns", "other_answers"} == json.loads(failure.text).keys()


def test_a_stop_reason_in_any_spelling_is_kept() -> None:
    assert "MAX_TOKENS" == build(make_messages(GOOD, finishReason="MAX_TOKENS")).stop_reason
