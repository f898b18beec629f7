"""What the simulated Claude writes when nothing goes wrong."""

from difflib import SequenceMatcher
from itertools import combinations, product
from random import Random

import pytest

from core.domain.scaffolding.records import EmotionalArc
from core.domain.verdict.conversation import Conversation, Role
from core.domain.verdict.truncation import detect_truncated_turns
from core.embedded.simulator.dialogue import CRISIS_ARC, write_conversation
from core.embedded.simulator.scene import Scene, read_scene
from core.scaffolding_data import load_emotional_arcs, load_personas, load_training_topics

ARCS = [arc for arc in load_emotional_arcs() if arc.is_active]


def make_scene(persona: str = "anxious_planner", arc: str = "fear_to_confidence", topic: str = "long_term_care") -> Scene:
    return read_scene(f'<scenario persona="{persona}" arc="{arc}" topic="{topic}" template="t"/>', "")


def whole_text(conversation: Conversation) -> str:
    return "\n".join(turn.content for turn in conversation.turns)


@pytest.mark.parametrize("arc", ARCS, ids=lambda arc: arc.arc_key)
def test_conversations_are_whole_for_every_combination(arc: EmotionalArc) -> None:
    for number, (persona, topic) in enumerate(product(load_personas(), load_training_topics())):
        scene = make_scene(persona.persona_key, arc.arc_key, topic.topic_key)
        turns = write_conversation(scene, Random(number)).turns

        assert [turn.turn_number for turn in turns] == list(range(1, len(turns) + 1))
        assert {turn.role for turn in turns[::2]} == {Role.USER}
        assert {turn.role for turn in turns[1::2]} == {Role.ASSISTANT}
        assert len(turns) % 2 == 0
        assert len(turns) >= 4
        assert len(turns) <= max(4, arc.typical_turn_count_max)
        assert all(turn.content[-1] in ".?!" for turn in turns)
        assert not any(mark in turn.content for turn in turns for mark in "\\{}")
        assert all(300 <= len(turn.content) <= 2000 for turn in turns if turn.role is Role.ASSISTANT)
        assert detect_truncated_turns(turns) == ()


def test_core_replies_are_between_500_and_2000_characters() -> None:
    for seed in range(200):
        turns = write_conversation(make_scene(), Random(seed)).turns

        assert all(500 <= len(turn.content) <= 2000 for turn in turns if turn.role is Role.ASSISTANT)


def test_the_emotion_moves_from_start_to_end() -> None:
    scene = make_scene()
    first, *_, last = (turn.emotional_context for turn in write_conversation(scene, Random(1)).turns)

    assert first.primary_emotion == "fear"
    assert 0.75 <= first.intensity <= 0.9
    assert last.primary_emotion == "confidence"
    assert 0.65 <= last.intensity <= 0.8


def test_the_same_generator_writes_the_same_text() -> None:
    assert write_conversation(make_scene(), Random(5)) == write_conversation(make_scene(), Random(5))


def test_combinations_differ_clearly_in_wording() -> None:
    texts = [
        whole_text(write_conversation(make_scene(persona.persona_key, topic=topic.topic_key), Random(f"{persona}{topic}")))
        for persona, topic in product(load_personas(), load_training_topics()[::13])
    ]

    ratios = [SequenceMatcher(None, one.split(), other.split()).ratio() for one, other in combinations(texts, 2)]
    assert max(ratios) < 0.5


def test_text_holds_amounts_questions_and_both_kinds_of_quotes() -> None:
    text = "\n".join(whole_text(write_conversation(make_scene(), Random(seed))) for seed in range(5))

    assert "$" in text
    assert "?" in text
    assert '"' in text
    assert "“" in text


def test_crisis_replies_name_988_at_once_and_give_no_figures() -> None:
    for seed in range(100):
        turns = write_conversation(make_scene(arc=CRISIS_ARC), Random(seed)).turns
        replies = [turn.content for turn in turns if turn.role is Role.ASSISTANT]

        assert "988" in replies[0]
        assert "are you thinking about suicide?" in replies[0]
        assert not any("$" in reply or "percent" in reply for reply in replies)


def test_unknown_scaffolding_is_read_from_the_prompt() -> None:
    system = '<scenario persona="night_nurse" arc="envy_to_peace" topic="boat_share" template="own"/>'
    scene = read_scene(system, "Name: Olu Adeyemi\nTopic: Sharing a boat\nWrite between 6 and 6 turns in all.")
    turns = write_conversation(scene, Random(0)).turns

    assert scene.labels == {"night_nurse", "envy_to_peace", "boat_share", "own"}
    assert scene.client_name == "Olu Adeyemi"
    assert (scene.starting_emotion, scene.ending_emotion) == ("envy", "peace")
    assert scene.topic_name == "Sharing a boat"
    assert len(turns) == 6


@pytest.mark.parametrize(
    "system", ["", "<scenario/>", '<scenario persona="" arc="" topic="" template=""/>', "<scenario {{x}}/>"]
)
def test_a_prompt_that_names_nothing_still_gives_a_conversation(system: str) -> None:
    assert len(write_conversation(read_scene(system, ""), Random(0)).turns) >= 4


def test_an_odd_or_reversed_turn_range_still_gives_an_even_count() -> None:
    scene = Scene(turn_count_min=9, turn_count_max=5)

    assert len(write_conversation(scene, Random(0)).turns) == 10
