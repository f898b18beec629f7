"""How a batch is generated: name, limit, conversations of each combination, what is skipped."""

import streamlit as st
from pydantic import ValidationError

from core.domain.batches.batch import MOST_PER_COMBINATION, BatchSettings, Selection, SkipExisting
from core.errors import InvalidRequest
from core.ui.shell.batch_settings import set_settings
from core.ui.shell.formats import format_count

LIMIT, SKIP, PER_COMBINATION = "option_limit", "option_skip", "option_per_combination"


def set_options(selection: Selection, settings: BatchSettings) -> None:
    """Set all options but the name, and the advanced settings; only before they are drawn."""
    set_amounts(selection)
    st.session_state[SKIP] = selection.skip_existing is not None
    set_settings(settings)


def set_amounts(selection: Selection) -> None:
    """Set the limit and how many conversations of each combination; only before they are drawn."""
    st.session_state[LIMIT] = selection.limit
    st.session_state[PER_COMBINATION] = selection.per_combination


def draw_per_combination(selection: Selection) -> Selection:
    """Ask how many conversations of each combination and return the selection with it."""
    st.session_state.setdefault(PER_COMBINATION, 1)
    per_combination = st.number_input(
        "Each combination",
        min_value=1,
        max_value=MOST_PER_COMBINATION,
        step=1,
        key=PER_COMBINATION,
        help="So many conversations of each combination. They differ by what the axes of variation say (Scaffolding).",
        persist_state="session",
    )
    return selection.model_copy(update={"per_combination": per_combination})


def draw_skip(selection: Selection, skip: SkipExisting, existing: int) -> Selection:
    """Ask whether covered combinations are skipped, and say how many are left; return the selection with it."""
    skipping = st.toggle(
        "Skip combinations already covered",
        key=SKIP,
        help="Skips combinations for which you have an accepted conversation, unless it was rejected in review.",
        persist_state="session",
    )
    with st.container():  # With or without the words, what follows keeps its place.
        if existing:
            left = selection.grid_size - existing
            st.caption(
                f"{existing:,} of {format_count(selection.grid_size, 'combination')} already covered, {left:,} to go."
            )
    return selection.model_copy(update={"skip_existing": skip if skipping else None})


def draw_limit(selection: Selection) -> Selection:
    """Ask for a limit and return the selection with it; raise InvalidRequest for an invalid limit."""
    limit = st.number_input(
        "Limit",
        min_value=0,  # 0 comes through and is answered below; a smaller minimum of the field would read it as no limit
        value=None,
        step=1,
        placeholder="None",
        key=LIMIT,
        help="At most this many combinations, spread evenly over personas, arcs and topics.",
        persist_state="session",
    )
    try:
        return Selection.model_validate(selection.model_dump() | {"limit": limit})
    except ValidationError as error:
        raise InvalidRequest("The limit must be 1 or more. Leave it empty to generate every combination.") from error


def draw_name() -> str | None:
    """Ask for a name; None leaves it to the service."""
    return st.text_input(
        "Name",
        max_chars=200,
        placeholder="Automatic",
        key="option_name",
        persist_state="session",
    )
