"""What the chosen batch comes to, and the button that submits it."""

import time
from typing import NoReturn, cast

import streamlit as st

from core.bootstrap import PageServices
from core.config import PageSettings
from core.domain.batch import BatchSettings, Selection, Submitted
from core.domain.estimate import Estimate, GenerationHistory, estimate_batch
from core.services.batches import find_history
from core.ui.batch_options import draw_advanced, draw_limit, draw_name
from core.ui.formats import NOTHING, format_count, format_duration, format_money
from core.ui.links import open_batch
from core.ui.page import leave_notice
from core.ui.session import report_errors

CONFIRMING = "confirming_batch"
SUBMISSIONS = "batch_submissions"
REPEAT_SECONDS = 5.0
"""The same submission again within this time is a second click, not a second batch."""
LARGE_CONVERSATIONS, LARGE_COST_USD = 200, 50.0


@st.cache_resource(scope="session", ttl=10, show_spinner=False)
def load_history(_services: PageServices, user: str) -> tuple[GenerationHistory, ...]:  # noqa: ARG001 - the cache's key
    """Return what items have taken so far, read anew every ten seconds."""
    return _services.batches.list_history()


def draw_summary(services: PageServices, settings: PageSettings, selection: Selection) -> None:
    """Draw count, estimate, options and the submit button."""
    card = st.container(border=True, gap="small")
    with report_errors():  # An option that is wrong stops the page here, beside the option.
        batch_settings = draw_advanced(settings)
    with card, report_errors():
        figures = st.container(gap="small")
        left, right = st.columns(2, gap="small")
        with left:
            selection = draw_limit(selection)
        with right:
            name = draw_name()
        history = find_history(load_history(services, services.user_email), batch_settings.model)
        estimate = estimate_batch(selection.planned, concurrency=batch_settings.concurrency, history=history)
        with figures:
            _draw_figures(selection, estimate, simulated=settings.simulated)
        label = f"Generate {format_count(selection.planned, 'conversation')}"
        clicked = st.button(
            label, type="primary", icon=":material/bolt:", width="stretch", disabled=selection.planned == 0, key="generate"
        )
        large = selection.planned >= LARGE_CONVERSATIONS or estimate.cost_usd >= LARGE_COST_USD
        if clicked and not large:
            _submit(services, selection, batch_settings, name)
        if clicked and large:
            st.session_state[CONFIRMING] = True
        if st.session_state.get(CONFIRMING):
            _confirm(services, selection, batch_settings, name, estimate)


def _draw_figures(selection: Selection, estimate: Estimate, *, simulated: bool) -> None:
    st.markdown("**Batch summary**")
    st.metric(
        "Conversations to generate",
        f"{selection.planned:,}",
        delta_description=selection.formula if selection.grid_size else "Choose at least one persona, one arc and one topic",
    )
    duration, cost = st.columns(2, gap="small")
    duration.metric("Estimated time", f"~{format_duration(estimate.seconds)}" if selection.planned else NOTHING)
    cost.metric("Estimated cost", format_money(estimate.cost_usd) if selection.planned else NOTHING)
    note = " Claude is simulated: nothing is charged." if simulated else ""
    st.caption(f"{estimate.basis[0].upper()}{estimate.basis[1:]}.{note}".replace("$", r"\$"))


@st.dialog("Generate a large batch?", icon=":material/bolt:", on_dismiss=lambda: st.session_state.pop(CONFIRMING, None))
def _confirm(
    services: PageServices, selection: Selection, settings: BatchSettings, name: str | None, estimate: Estimate
) -> None:
    st.markdown(
        f"**{format_count(selection.planned, 'conversation')}** with {settings.model}, about "
        f"**{format_duration(estimate.seconds)}** and **{format_money(estimate.cost_usd)}**.".replace("$", r"\$")
    )
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Not now"):
            del st.session_state[CONFIRMING]
            st.rerun()
        if st.button(f"Generate {selection.planned:,}", type="primary", icon=":material/bolt:"):
            st.session_state.pop(CONFIRMING, None)
            with report_errors():
                _submit(services, selection, settings, name)


def _submit(services: PageServices, selection: Selection, settings: BatchSettings, name: str | None) -> NoReturn:
    """Submit once and go to the batch, however often the button is pressed before the page has changed."""
    # A second click interrupts this run at Streamlit's next command, and the next run comes here again. The dictionary is a
    # plain one, so what was submitted is in it before that can happen.
    submissions = cast("dict[str, tuple[float, Submitted]]", st.session_state.setdefault(SUBMISSIONS, {}))
    asked = f"{selection.model_dump_json()}{settings.model_dump_json()}{name}"
    at, submitted = submissions.get(asked, (0.0, None))
    if submitted is None or time.monotonic() - at > REPEAT_SECONDS:
        submitted = services.batches.submit(selection, settings, name=name)
        submissions.clear()
        submissions[asked] = (time.monotonic(), submitted)
    if submitted.rung:
        leave_notice(f"{format_count(submitted.planned, 'conversation')} on the way.")
    else:
        leave_notice("The batch is kept. The queue does not answer; it starts when the queue is back.")
    open_batch(submitted.batch_id)
