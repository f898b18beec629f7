"""More items of a group with thin evidence: what the Bulk Generator is asked for."""

from uuid import uuid4

from core.domain.batches.results import FailureFilters
from core.domain.scaffolding.records import ConversationCategory
from core.services.more_items import choose_more, choose_settings
from core.services.scaffolding import ScaffoldingService
from tests.factories import make_scaffolding, make_settings

CHOICES = ScaffoldingService(store=make_scaffolding()).list_choices()
ARC = next(arc for arc in CHOICES.arcs if arc.arc_key == "shame_to_acceptance")
EDGE = next(arc for arc in CHOICES.arcs if arc.conversation_category is ConversationCategory.EDGE)


def test_the_items_of_an_arc_are_made_with_every_persona_and_topic_as_many_as_wanted() -> None:
    selection = choose_more(CHOICES, FailureFilters(emotional_arc_id=ARC.id), 40)

    assert selection is not None
    assert (selection.arc_ids, selection.planned) == ((ARC.id,), 40)
    assert len(selection.persona_ids) == len(CHOICES.personas)
    assert len(selection.topic_ids) == len(CHOICES.topics)


def test_a_template_stands_for_its_arc_and_an_edge_arc_for_its_category() -> None:
    template = CHOICES.find_template(ARC)
    assert template is not None
    assert choose_more(CHOICES, FailureFilters(template_id=template.id), 500) == choose_more(
        CHOICES, FailureFilters(emotional_arc_id=ARC.id), 500
    )
    edge = choose_more(CHOICES, FailureFilters(emotional_arc_id=EDGE.id), 500)
    assert edge is not None
    assert (edge.category, edge.limit) == (ConversationCategory.EDGE, None)  # Fewer than wanted: all there are.


def test_nothing_is_offered_for_what_nobody_can_choose() -> None:
    assert choose_more(CHOICES, FailureFilters(prompt_from=8_800), 60) is None
    assert choose_more(CHOICES, FailureFilters(persona_id=uuid4()), 60) is None


def test_settings_are_those_of_the_group_else_the_defaults() -> None:
    defaults = make_settings(effort="high", max_tokens=1_000)
    group = FailureFilters(model="claude-other", structured_outputs=False, effort="none")

    settings = choose_settings(group, defaults)

    assert (settings.model, settings.structured_outputs, settings.effort) == ("claude-other", False, None)
    assert settings.max_tokens == 1_000
