"""More items of a group whose evidence is thin: the choices of the Bulk Generator that make them."""

from core.domain.batches.batch import BatchSettings, Selection
from core.domain.batches.results import FailureFilters
from core.domain.scaffolding.records import ConversationCategory, EmotionalArc
from core.services.scaffolding import Choices


def choose_more(choices: Choices, group: FailureFilters, wanted: int) -> Selection | None:
    """Return at most `wanted` combinations of a group; None if nothing active makes such items.

    A batch holds each combination once, so that there may be fewer.
    """
    if group.prompt_from is not None or group.prompt_to is not None:  # Nobody chooses the length of a prompt.
        return None
    arcs = _list_arcs(choices, group)
    selection = Selection(
        category=arcs[0].conversation_category if arcs else ConversationCategory.CORE,
        persona_ids=tuple(row.id for row in choices.personas if group.persona_id in (None, row.id)),
        arc_ids=tuple(arc.id for arc in arcs if arc.conversation_category is arcs[0].conversation_category),
        topic_ids=tuple(
            row.id
            for row in choices.topics
            if group.training_topic_id in (None, row.id) and group.topic_category in (None, row.category)
        ),
    )
    if not selection.grid_size:
        return None
    return selection if selection.grid_size <= wanted else selection.model_copy(update={"limit": wanted})


def choose_settings(group: FailureFilters, defaults: BatchSettings) -> BatchSettings:
    """Return the settings that a group's items were made with, the defaults for those that differ among them."""
    made_with = {
        "model": group.model,
        "max_tokens": group.max_tokens,
        "structured_outputs": group.structured_outputs,
        "effort": group.effort,
    }
    chosen = {name: value for name, value in made_with.items() if value is not None}
    own_effort = {"effort": None} if group.effort == "none" else {}  # A filter's word for the model's own.
    return BatchSettings.model_validate({**defaults.model_dump(), **chosen, **own_effort})


def _list_arcs(choices: Choices, group: FailureFilters) -> tuple[EmotionalArc, ...]:
    """Return the usable arcs of the group, those of the core category first."""
    usable = [arc for category in ConversationCategory for arc in choices.usable_arcs_of(category)]
    return tuple(
        arc
        for arc in usable
        if group.emotional_arc_id in (None, arc.id)
        and group.conversation_category in (None, arc.conversation_category)
        and (group.template_id is None or _is_template(choices, arc, group))
    )


def _is_template(choices: Choices, arc: EmotionalArc, group: FailureFilters) -> bool:
    template = choices.find_template(arc)
    return template is not None and template.id == group.template_id
