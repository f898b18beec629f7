"""The filters of the Conversations page."""

from collections.abc import Callable, Mapping

import streamlit as st

from core.domain.batches.result_options import ResultOptions
from core.domain.datasets.records import ConversationFilters, ReviewStatus
from core.domain.scaffolding.records import ConversationCategory, Tier
from core.ui.shell.failure_filters import ARC, LONGEST_SEARCH, MODEL, PERSONA, TEXT, TOPIC, name_options
from core.ui.shell.formats import format_words
from core.ui.shell.link_state import (
    WITH,
    draw_choice,
    draw_clear,
    draw_flag,
    draw_search,
    drop_unreadable,
    read_choice,
    read_number,
    read_uuid,
    read_whole,
)
from core.ui.shell.links import BATCH, CONVERSATION, DATASET, REVIEW, SAMPLE, SEED

CATEGORY, TIER, QUALITY = "category", "tier", "quality"
COMPARISONS = "comparisons"
NAMES = (DATASET, BATCH, PERSONA, ARC, TOPIC, CATEGORY, TIER, MODEL, REVIEW, QUALITY, TEXT, COMPARISONS, SAMPLE, SEED)
QUALITY_STEPS = ("9", "8", "7", "6", "5")
READERS: Mapping[str, Callable[[str], object | None]] = {
    **dict.fromkeys((DATASET, BATCH, PERSONA, ARC, TOPIC, CONVERSATION), read_uuid),
    CATEGORY: lambda name: read_choice(name, ConversationCategory),
    TIER: lambda name: read_choice(name, Tier),
    REVIEW: lambda name: read_choice(name, ReviewStatus),
    QUALITY: read_number,
    SAMPLE: read_whole,
    SEED: read_whole,
    COMPARISONS: lambda name: st.query_params[name] == WITH or None,
}
"""Parsers of parameters that are not free text."""


def read_conversation_filters() -> ConversationFilters:
    """Return the filters of the link."""
    link = st.query_params
    return ConversationFilters(
        dataset_id=read_uuid(DATASET),
        batch_id=read_uuid(BATCH),
        persona_id=read_uuid(PERSONA),
        emotional_arc_id=read_uuid(ARC),
        training_topic_id=read_uuid(TOPIC),
        category=read_choice(CATEGORY, ConversationCategory),
        tier=read_choice(TIER, Tier),
        model=link.get(MODEL) or None,
        review_status=read_choice(REVIEW, ReviewStatus),
        minimum_quality=read_number(QUALITY),
        text=link.get(TEXT, "")[:LONGEST_SEARCH].strip() or None,
        sample_size=read_whole(SAMPLE),
        sample_seed=read_whole(SEED),
        with_comparisons=link.get(COMPARISONS) == WITH or None,
    )


def draw_conversation_filters(options: ResultOptions) -> None:
    """Draw all filters in two rows."""
    drop_unreadable(READERS)
    with st.grid(6, min_column_width=150, gap="xsmall"):
        draw_choice(BATCH, "Batch", name_options(options.batches))
        draw_choice(PERSONA, "Persona", name_options(options.personas))
        draw_choice(ARC, "Arc", name_options(options.arcs))
        draw_choice(TOPIC, "Topic", name_options(options.topics))
        draw_choice(CATEGORY, "Category", {category: category.value for category in ConversationCategory})
        draw_choice(TIER, "Tier", {tier: format_words(tier) for tier in Tier})
        draw_choice(REVIEW, "Review status", {status: format_words(status) for status in ReviewStatus})
        draw_choice(QUALITY, "Quality", {step: f"Quality {step} or better" for step in QUALITY_STEPS})
        draw_choice(MODEL, "Model", {model: model for model in options.models})
        draw_search(TEXT, "Search name and text", "Words, or beginnings of words, in the name and in what is said")
        draw_flag(COMPARISONS, "With comparisons", "What comparisons made is left out, unless a batch is chosen")
        draw_clear(NAMES)
