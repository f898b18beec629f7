"""The shipped scaffolding agrees with the specification and every prompt made of it is whole."""

import re
from collections import Counter
from itertools import product

import pytest

from core.domain.scaffolding.prompt import PLACEHOLDERS, check_template, render_prompt
from core.domain.scaffolding.records import ConversationCategory, PromptTemplate, Tier
from core.scaffolding_data import load_emotional_arcs, load_personas, load_prompt_templates, load_training_topics

PERSONA_IDS = {
    "overwhelmed_avoider": "5a4a6042-5bb7-4da6-b2e2-119b6f97be6f",
    "anxious_planner": "74b5a919-d2e5-416a-b432-02b1751c989e",
    "pragmatic_optimist": "aa514346-cd61-42ac-adad-498934975402",
}
CORE_ARC_IDS = {
    "confusion_to_clarity": "53583301-5758-4781-99df-57b9c5fc1949",
    "couple_conflict_to_alignment": "33d2ac3e-3f92-44a5-a53d-788fdece2545",
    "fear_to_confidence": "4d2efafa-1df5-42de-9568-dc41b3839d7b",
    "overwhelm_to_empowerment": "1cb3c7a2-77e7-48d2-90f3-bd91e4fd4f51",
    "shame_to_acceptance": "d2466485-d5a0-4c54-b9c4-d5ce3cf47ad3",
}
EDGE_ARC_KEYS = {"crisis_to_referral", "hostility_to_boundary", "overwhelm_to_triage"}


def test_personas_have_the_ids_of_the_specification() -> None:
    assert {persona.persona_key: str(persona.id) for persona in load_personas()} == PERSONA_IDS


def test_five_core_arcs_are_active_and_have_the_ids_of_the_specification() -> None:
    active = [
        arc for arc in load_emotional_arcs() if arc.is_active and arc.conversation_category is ConversationCategory.CORE
    ]

    assert {arc.arc_key: str(arc.id) for arc in active} == CORE_ARC_IDS


def test_arcs_without_a_template_are_kept_and_inactive() -> None:
    inactive = {arc.arc_key for arc in load_emotional_arcs() if not arc.is_active}

    assert inactive == {"guilt_to_permission", "frustration_to_relief"}


def test_edge_arcs_fit_every_persona_and_any_topic() -> None:
    edge = [arc for arc in load_emotional_arcs() if arc.conversation_category is ConversationCategory.EDGE]

    assert {arc.arc_key for arc in edge} == EDGE_ARC_KEYS
    assert all(arc.tier is Tier.EDGE_CASE and arc.is_active for arc in edge)
    assert all(set(arc.suitable_personas) == set(PERSONA_IDS) and arc.suitable_topics == () for arc in edge)


def test_the_crisis_arc_has_the_figures_of_the_specification() -> None:
    arc = next(arc for arc in load_emotional_arcs() if arc.arc_key == "crisis_to_referral")

    assert (arc.starting_emotion, arc.starting_intensity_min, arc.starting_intensity_max) == ("despair", 0.8, 1.0)
    assert (arc.ending_emotion, arc.ending_intensity_min, arc.ending_intensity_max) == ("referred", 0.3, 0.5)
    assert (arc.typical_turn_count_min, arc.typical_turn_count_max, arc.complexity_baseline) == (4, 6, 10)


def test_there_are_65_topics_all_active() -> None:
    topics = load_training_topics()

    assert len(topics) == 65
    assert all(topic.is_active for topic in topics)
    assert Counter(topic.category for topic in topics)["retirement"] == 15


def test_ids_and_keys_are_unique() -> None:
    for ids in (
        [arc.id for arc in load_emotional_arcs()],
        [topic.id for topic in load_training_topics()],
        [topic.topic_key for topic in load_training_topics()],
        [template.id for template in load_prompt_templates()],
        [template.template_key for template in load_prompt_templates()],
    ):
        assert len(ids) == len(set(ids))


def test_references_between_the_files_resolve() -> None:
    arc_keys = {arc.arc_key for arc in load_emotional_arcs()}
    topic_keys = {topic.topic_key for topic in load_training_topics()}

    assert all(set(topic.suitable_emotional_arcs) <= arc_keys for topic in load_training_topics())
    assert all(set(topic.suitable_personas) <= set(PERSONA_IDS) for topic in load_training_topics())
    assert all(set(arc.suitable_topics) <= topic_keys for arc in load_emotional_arcs())


def test_prose_is_rich_enough_to_make_conversations_differ() -> None:
    for persona in load_personas():
        assert len(persona.typical_questions) >= 6
        assert len(persona.common_concerns) >= 5
        assert len(persona.language_patterns) >= 6
        assert len(persona.financial_background) > 200
    for topic in load_training_topics():
        assert len(topic.description) > 60
        assert len(topic.typical_question_examples) == 3
        assert len(topic.key_concepts) >= 3


def test_every_active_arc_has_exactly_one_template() -> None:
    arcs = {arc.id for arc in load_emotional_arcs() if arc.is_active}

    assert sorted(template.emotional_arc_id for template in load_prompt_templates()) == sorted(arcs)


@pytest.mark.parametrize("template", load_prompt_templates(), ids=lambda template: template.template_key)
def test_template_uses_known_placeholders_only_and_all_required_ones(template: PromptTemplate) -> None:
    assert check_template(template.system_prompt, template.user_prompt) == ()
    used = set(re.findall(r"{{\s*(\w+)\s*}}", template.system_prompt + template.user_prompt))
    assert used <= PLACEHOLDERS


@pytest.mark.parametrize("template", load_prompt_templates(), ids=lambda template: template.template_key)
def test_template_renders_for_every_persona_and_topic(template: PromptTemplate) -> None:
    arc = next(arc for arc in load_emotional_arcs() if arc.id == template.emotional_arc_id)
    for persona, topic in product(load_personas(), load_training_topics()):
        prompt = render_prompt(template, persona, arc, topic)

        assert "{{" not in prompt.text
        assert persona.name in prompt.user
        assert topic.name in prompt.user


@pytest.mark.parametrize("template", load_prompt_templates(), ids=lambda template: template.template_key)
def test_no_template_asks_for_escaping(template: PromptTemplate) -> None:
    """Advice on escaping quotes inside JSON is what made real replies stop at a backslash."""
    text = (template.system_prompt + template.user_prompt).lower()

    assert "escape" not in text
    assert "\\" not in text


def test_the_crisis_template_follows_safe_messaging() -> None:
    template = next(template for template in load_prompt_templates() if template.template_key == "safety_first")

    assert "988" in template.system_prompt
    assert "no financial advice" in template.system_prompt
    assert "911" in template.system_prompt
