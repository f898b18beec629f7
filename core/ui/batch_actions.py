"""Pause, resume and cancel; cancel asks first. After the end: what comes next."""

from typing import assert_never

import streamlit as st

from core.bootstrap import PageServices
from core.domain.batch import BatchAction, BatchProgress, BatchStatus, is_allowed
from core.errors import InvalidRequest
from core.ui.batch_results import CONVERSATIONS, results_key
from core.ui.formats import escape_markdown, format_count
from core.ui.links import open_batch, open_batch_list, open_generator

CANCELLING = "cancelling_batch"


def draw_actions(services: PageServices, progress: BatchProgress) -> None:
    """Draw the buttons that make sense now."""
    if progress.status.is_final:
        _draw_next_steps(services, progress)
    else:
        _draw_controls(services, progress)
    if st.button("All batches", icon=":material/list:", type="tertiary"):
        open_batch_list()


def draw_question(services: PageServices, progress: BatchProgress) -> None:
    """Draw the question that is open, if one is.

    Called outside the fragment that refreshes itself: a refresh in flight while a reader opens or closes the dialog would
    close it or open it anew.
    """
    if st.session_state.get(CANCELLING) == progress.id:
        if is_allowed(BatchAction.CANCEL, progress.status):
            _confirm_cancel(services, progress)
        else:
            st.session_state.pop(CANCELLING)


def _draw_controls(services: PageServices, progress: BatchProgress) -> None:
    for action in BatchAction:
        label, icon = _name_action(action)
        clicked = st.button(label, icon=icon, key=f"batch_{action}", disabled=not is_allowed(action, progress.status))
        if not clicked:
            continue
        if action is BatchAction.CANCEL:
            st.session_state[CANCELLING] = progress.id
            st.rerun()
        else:
            _control(services, progress, action)


def _draw_next_steps(services: PageServices, progress: BatchProgress) -> None:
    if progress.accepted:
        st.button("View conversations", icon=":material/forum:", on_click=_show_conversations, args=(progress,))
    if progress.failed:
        _draw_retry(services, progress)
    again = progress.status is BatchStatus.FAILED
    label, icon = ("Try again", ":material/refresh:") if again else ("Generate more", ":material/bolt:")
    if st.button(label, icon=icon, type="primary", help="To the Bulk Generator, with the choices last made there"):
        open_generator()


def _draw_retry(services: PageServices, progress: BatchProgress) -> None:
    failed = format_count(progress.failed, "failed item")
    if st.button("Retry failed", icon=":material/replay:", help=f"A new batch of the {failed}, with the same settings"):
        open_batch(services.batches.retry_failed(progress.id).batch_id)


def _show_conversations(progress: BatchProgress) -> None:
    st.session_state[results_key(progress)] = CONVERSATIONS


@st.dialog("Cancel this batch?", icon=":material/cancel:", on_dismiss=lambda: st.session_state.pop(CANCELLING, None))
def _confirm_cancel(services: PageServices, progress: BatchProgress) -> None:
    st.markdown(
        f"{format_count(progress.queued, 'conversation')} will not be generated. "
        f"Calls that run now are finished, and what is accepted is kept. A cancelled batch cannot be resumed."
    )
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Keep it running" if progress.status.is_active else "Keep it"):
            st.session_state.pop(CANCELLING, None)
            st.rerun()
        if st.button("Cancel the batch", type="primary", icon=":material/cancel:"):
            st.session_state.pop(CANCELLING, None)
            _control(services, progress, BatchAction.CANCEL)


def _control(services: PageServices, progress: BatchProgress, action: BatchAction) -> None:
    try:
        services.batches.control(progress.id, action)
    except InvalidRequest as error:  # It ended, or someone else was faster: the page shows how it stands.
        st.toast(escape_markdown(str(error)), icon=":material/info:", duration="long")
    st.rerun()


def _name_action(action: BatchAction) -> tuple[str, str]:
    match action:
        case BatchAction.PAUSE:
            return "Pause", ":material/pause:"
        case BatchAction.RESUME:
            return "Resume", ":material/play_arrow:"
        case BatchAction.CANCEL:
            return "Cancel", ":material/cancel:"
        case _:
            assert_never(action)
