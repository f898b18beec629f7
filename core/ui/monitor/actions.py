"""The buttons of one batch: pause, resume and cancel while it is open, next steps once it has ended."""

from typing import assert_never

import streamlit as st

from core.bootstrap import PageServices
from core.domain.batches.batch import BatchAction, BatchProgress, BatchStatus, is_allowed
from core.errors import InvalidRequest
from core.ui.monitor.questions import Question, ask
from core.ui.shell.formats import escape_markdown, format_count
from core.ui.shell.links import open_analytics, open_batch_list, open_conversations, open_failures, open_generator


def draw_actions(services: PageServices, progress: BatchProgress) -> None:
    """Draw the buttons that make sense now."""
    if progress.status.is_final:
        _draw_next_steps(progress)
    else:
        _draw_controls(services, progress)
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


def _draw_next_steps(progress: BatchProgress) -> None:
    if progress.accepted and not progress.imported and st.button("View conversations", icon=":material/forum:"):
        open_conversations(progress.id)
    if progress.failed:
        if st.button("View failures", icon=":material/error:"):
            open_failures(progress.id)
        if st.button("Find out why", icon=":material/troubleshoot:"):
            open_analytics(progress.id)
        failed = format_count(progress.failed, "failed item")
        if not progress.imported and st.button(
            "Retry failed", icon=":material/replay:", help=f"A new batch of the {failed}, with other settings if you like"
        ):
            ask(Question.RETRY, progress.id)
    if progress.imported:
        return
    again = progress.status is BatchStatus.FAILED
    label, icon = ("Generate again", ":material/refresh:") if again else ("Generate more", ":material/bolt:")
    if st.button(label, icon=icon, type="primary", help="Opens the Bulk Generator with your last choices"):
        open_generator()


def _control(services: PageServices, progress: BatchProgress, action: BatchAction) -> None:
    try:
        services.batches.control(progress.id, action)
    except InvalidRequest as error:  # The batch has changed; the redrawn page shows how.
        st.toast(escape_markdown(str(error)), icon=":material/info:")
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
