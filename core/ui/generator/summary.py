"""The size, time and cost of the chosen batch, and the button that submits it."""

import streamlit as st

from core.bootstrap import PageServices
from core.config import PageSettings
from core.domain.amounts import format_duration, format_money
from core.domain.batches.batch import BatchSettings, Selection, choose_skip
from core.domain.batches.estimate import Estimate, Range
from core.services.batches import estimate_settings
from core.services.scaffolding import Choices
from core.ui.generator.options import draw_limit, draw_name, draw_per_combination, draw_skip
from core.ui.generator.submission import submit_one
from core.ui.shell.batch_settings import draw_settings
from core.ui.shell.cached_reads import find_own_history
from core.ui.shell.formats import NOTHING, escape_markdown, format_count
from core.ui.shell.page import draw_answers, draw_same_prompts
from core.ui.shell.session import report_errors

CONFIRMING = "confirming_batch"
LARGE_CONVERSATIONS, LARGE_COST_USD = 200, 50.0


def draw_summary(
    services: PageServices, settings: PageSettings, choices: Choices, selection: Selection
) -> tuple[Selection, BatchSettings]:
    """Draw count, estimate, options and the submit button; return the whole selection and its settings."""
    card = st.container(border=True, gap="small")
    with report_errors():  # An option that is wrong stops the page here, beside the option.
        batch_settings = draw_settings(settings)
    with card, report_errors():
        figures = st.container(gap="small")
        left, right = st.columns(2, gap="small")
        with left:
            selection = draw_limit(selection)
        with right:
            selection = draw_per_combination(selection)
        draw_same_prompts(choices.describe_same_prompts(selection.arc_ids, selection.per_combination))
        name = draw_name()
        skip = choose_skip(simulated=settings.simulated)
        existing = services.batches.count_existing(selection, skip)
        selection = draw_skip(selection, skip, existing)
        planned = selection.count_planned(existing if selection.skip_existing else 0)
        history = find_own_history(services, batch_settings.model)
        estimate = estimate_settings(planned, batch_settings, history)
        with figures:
            formula = selection.explain(existing if selection.skip_existing else 0)
            _draw_figures(estimate, formula if selection.grid_size else None, simulated=settings.simulated)
        label = f"Generate {format_count(planned, 'conversation')}"
        clicked = st.button(
            label, type="primary", icon=":material/bolt:", width="stretch", disabled=planned == 0, key="generate"
        )
        large = planned >= LARGE_CONVERSATIONS or estimate.cost_usd >= LARGE_COST_USD
        if clicked and not large:
            submit_one(services, selection, batch_settings, name)
        if clicked and large:
            st.session_state[CONFIRMING] = True
        if st.session_state.get(CONFIRMING):
            _confirm(services, selection, batch_settings, name, estimate)
    return selection, batch_settings


def _draw_figures(estimate: Estimate, formula: str | None, *, simulated: bool) -> None:
    st.markdown("**Batch summary**")
    with st.container(gap="xxsmall"):
        st.metric("Conversations to generate", f"{estimate.conversations:,}")
        st.caption(escape_markdown(formula or "Choose at least one persona, one arc and one topic"))
    duration, cost = st.columns(2, gap="small")
    some = estimate.conversations > 0
    seconds = estimate.seconds_range
    duration.metric(
        "Estimated time",
        f"~{format_duration(estimate.seconds)}" if some else NOTHING,
        delta_description=None if seconds is None else f"{format_duration(seconds.low)} to {format_duration(seconds.high)}",
    )
    cost.metric(
        "Estimated cost",
        format_money(estimate.cost_usd) if some else NOTHING,
        delta_description=_word_costs(estimate.cost_usd_range),
    )
    basis = escape_markdown(f"{estimate.basis[0].upper()}{estimate.basis[1:]}.")
    chance = " 8 in 10 batches stay within this range." if seconds is not None else ""
    note = " Claude is simulated: nothing is charged." if simulated else ""
    st.caption(f"{basis}{chance}{note}")


def _word_costs(costs: Range | None) -> str | None:
    return None if costs is None else f"{format_money(costs.low)} to {format_money(costs.high)}"


def _forget() -> None:
    st.session_state.pop(CONFIRMING, None)


@st.dialog("Generate a large batch?", icon=":material/bolt:", on_dismiss=_forget)
def _confirm(
    services: PageServices, selection: Selection, settings: BatchSettings, name: str | None, estimate: Estimate
) -> None:
    st.markdown(
        f"**{format_count(estimate.conversations, 'conversation')}** with {escape_markdown(settings.model)}, about "
        f"**{format_duration(estimate.seconds)}** and **{escape_markdown(format_money(estimate.cost_usd))}**."
    )
    if draw_answers(f"Generate {estimate.conversations:,}", ":material/bolt:", forget=_forget):
        _forget()
        with report_errors():
            submit_one(services, selection, settings, name)
