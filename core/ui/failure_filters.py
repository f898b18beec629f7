"""The filters of the Failed Generations page."""

import streamlit as st

from core.domain.reply import StopReason
from core.domain.result_options import Option, ResultOptions
from core.domain.results import FailureFilters
from core.domain.verdict import FailurePattern, FailureType
from core.ui.link_state import (
    DATES,
    draw_choice,
    draw_clear,
    draw_dates,
    draw_search,
    find_moments,
    read_dates,
    read_uuid,
)
from core.ui.links import BATCH

TYPE, STOP_REASON, PATTERN, MODEL, TEXT = "type", "stop_reason", "pattern", "model", "text"
PERSONA, ARC, TOPIC, TEMPLATE = "persona", "arc", "topic", "template"
NAMES = (TYPE, STOP_REASON, PATTERN, BATCH, MODEL, DATES, PERSONA, ARC, TOPIC, TEMPLATE, TEXT)
NO_STOP_REASON, NO_PATTERN = "no stop reason", "no pattern"
LONGEST_SEARCH = 200


def read_failure_filters() -> FailureFilters:
    """Return the filters of the link; an id that is none filters nothing."""
    link, days = st.query_params, read_dates()
    begin, end = (None, None) if days is None else find_moments(days, st.context.timezone)
    return FailureFilters(
        failure_type=link.get(TYPE) or None,
        stop_reason=link.get(STOP_REASON) or None,
        truncation_pattern=link.get(PATTERN) or None,
        batch_id=read_uuid(BATCH),
        persona_id=read_uuid(PERSONA),
        emotional_arc_id=read_uuid(ARC),
        training_topic_id=read_uuid(TOPIC),
        template_id=read_uuid(TEMPLATE),
        model=link.get(MODEL) or None,
        date_from=begin,
        date_to=end,
        text=link.get(TEXT, "")[:LONGEST_SEARCH].strip() or None,
    )


def draw_failure_filters(options: ResultOptions) -> None:
    """Draw all filters in two rows."""
    with st.grid(6, min_column_width=150, gap="xsmall"):
        draw_choice(TYPE, "Type", {kind: kind.value for kind in FailureType})
        draw_choice(STOP_REASON, "Stop reason", {reason: reason.value for reason in StopReason} | {"none": NO_STOP_REASON})
        draw_choice(PATTERN, "Pattern", {pattern: pattern.value for pattern in FailurePattern} | {"none": NO_PATTERN})
        draw_choice(BATCH, "Batch", name_options(options.batches))
        draw_choice(MODEL, "Model", {model: model for model in options.models})
        draw_dates("Days on which they failed")
        draw_choice(PERSONA, "Persona", name_options(options.personas))
        draw_choice(ARC, "Arc", name_options(options.arcs))
        draw_choice(TOPIC, "Topic", name_options(options.topics))
        draw_choice(TEMPLATE, "Template", name_options(options.templates))
        draw_search(TEXT, "Search the text", "Words, or beginnings of words, in details, error message and reply")
        draw_clear(NAMES)


def name_options(options: tuple[Option, ...]) -> dict[str, str]:
    """Return names by the id that the link holds."""
    return {str(option.id): option.name for option in options}
