"""The buttons of one batch: pause, resume and cancel while it is open, next steps once it has ended."""

from typing import assert_never

import streamlit as st

from core.bootstrap import PageServices
from core.domain.batches.batch import BatchAction, BatchProgress, BatchStatus, is_allowed
from core.errors import InvalidRequest
from core.ui.monitor.questions import Question, ask
from core.ui.shell.formats import format_count
from core.ui.shell.links import open_analytics, open_batch_list, open_conversations, open_failures, open_generator
from core.ui.shell.page import leave_notice


def draw_actions(services: PageServices, progress: BatchProgress, to_retry: int) -> None:
    """Draw the buttons that make sense now; `to_retry` failed items are not fixed yet."""
    controls, results, next_steps = (st.container(horizontal=True, width="content", gap="small") for _ in range(3))
    # Each group has a place of its own: a button that goes does not push the next ones under the pointer.
    if not progress.status.is_final:
        with controls:
            _draw_controls(services, progress)
    with results:
        _draw_results(progress)
    if progress.status.is_final and not progress.imported:
        with next_steps:
            _draw_next_steps(progress, to_retry)
    if st.button("All batches", icon=":material/list:", type="tertiary"):
        open_batch_list()


def _draw_controls(services: PageServices, progress: BatchProgress) -> None:
    for action in BatchAction:
        label, icon = _name_action(action)
        clicked = st.button(label, icon=icon, key=f"batch_{action}", disabled=not is_allowed(action, progress.status))
        if not clicked:
            continue
        if action is BatchAction.CANCEL:
            ask(Question.CANCEL, progress.id)
        elif action is BatchAction.RESUME and progress.needed_budget_usd is not None:
            ask(Question.BUDGET, progress.id)
        else:
            _control(services, progress, action)


def _draw_results(progress: BatchProgress) -> None:
    """Draw the ways to what came of it so far."""
    if progress.accepted and not progress.imported and st.button("View conversations", icon=":material/forum:"):
        open_conversations(progress.id)
    if progress.failed and st.button("View failures", icon=":material/error:"):
        open_failures(progress.id)
    if progress.failed and st.button("Find out why", icon=":material/troubleshoot:"):
        open_analytics(progress.id)


def _draw_next_steps(progress: BatchProgress, to_retry: int) -> None:
    if progress.failed:
        items = format_count(to_retry, "failed item")
        hint = f"A new batch of the {items}, with other settings if you like" if to_retry else "All of them are in a retry"
        if st.button("Retry failed", icon=":material/replay:", help=hint, disabled=not to_retry):
            ask(Question.RETRY, progress.id)
    again = progress.status is BatchStatus.FAILED
    label, icon = ("Generate again", ":material/refresh:") if again else ("Generate more", ":material/bolt:")
    if st.button(label, icon=icon, type="primary", help="Opens the Bulk Generator with your last choices"):
        open_generator()


def _control(services: PageServices, progress: BatchProgress, action: BatchAction) -> None:
    try:
        services.batches.control(progress.id, action)
    except InvalidRequest as error:  # The batch has changed; the redrawn page shows how.
        leave_notice(str(error))
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
