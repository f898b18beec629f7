"""What is asked before something is done to a batch: cancel, a new budget, a retry with other settings.

Dialogs are drawn by the main run of the page, outside the fragment that refreshes: a refresh while the reader closes a
dialog would open it again.
"""

from typing import assert_never

import streamlit as st

from core.bootstrap import PageServices
from core.domain.amounts import format_money
from core.domain.batches.batch import (
    MAX_OUTPUT_TOKENS,
    BatchAction,
    BatchId,
    BatchProgress,
    Effort,
    RetryChanges,
    is_allowed,
)
from core.domain.batches.monitor import RetryTemplate
from core.errors import InvalidRequest
from core.ui.shell.formats import escape_markdown, format_count
from core.ui.shell.links import QUESTION, Question, open_batch
from core.ui.shell.page import draw_answers, leave_notice
from core.ui.shell.session import report_errors

BUDGET_HEADROOM = 1.5
"""The budget that is proposed, as a multiple of the least one that helps."""


def ask(question: Question, batch_id: BatchId) -> None:
    """Open a question and rerun the page."""
    st.session_state[QUESTION] = (question, batch_id)
    st.rerun()


def draw_question(services: PageServices, progress: BatchProgress, to_retry: int) -> None:
    """Draw the question that is open, if one is and it still makes sense."""
    question, batch_id = st.session_state.get(QUESTION, (None, None))
    if question is None or batch_id != progress.id:
        return
    if not _makes_sense(question, progress, to_retry):
        _forget()
        return
    match question:
        case Question.CANCEL:
            _confirm_cancel(services, progress)
        case Question.BUDGET:
            _ask_budget(services, progress)
        case Question.RETRY:
            _ask_retry(services, progress, to_retry)
        case _:
            assert_never(question)


def _makes_sense(question: Question, progress: BatchProgress, to_retry: int) -> bool:
    match question:
        case Question.CANCEL:
            return is_allowed(BatchAction.CANCEL, progress.status)
        case Question.BUDGET:
            return is_allowed(BatchAction.RESUME, progress.status)
        case Question.RETRY:
            return to_retry > 0
        case _:
            assert_never(question)


def _forget() -> None:
    st.session_state.pop(QUESTION, None)


@st.dialog("Cancel this batch?", icon=":material/cancel:", on_dismiss=_forget)
def _confirm_cancel(services: PageServices, progress: BatchProgress) -> None:
    st.markdown(
        f"{format_count(progress.queued, 'conversation')} will not be generated. "
        f"Calls already running will finish, and what is accepted is kept. A cancelled batch cannot be resumed."
    )
    stay = "Keep it running" if progress.status.is_active else "Keep it"
    if draw_answers("Cancel the batch", ":material/cancel:", forget=_forget, stay=stay):
        _forget()
        _control(services, progress, BatchAction.CANCEL)


@st.dialog("Resume with a larger budget", icon=":material/payments:", on_dismiss=_forget)
def _ask_budget(services: PageServices, progress: BatchProgress) -> None:
    needed_usd = progress.needed_budget_usd or progress.cost_usd
    mean_usd = progress.cost_usd / progress.judged if progress.judged else 0.0
    rest_usd = progress.cost_usd + mean_usd * progress.remaining
    st.markdown(
        escape_markdown(
            f"{format_money(progress.cost_usd)} of {format_money(progress.budget_usd or 0)} is spent, so the batch would "
            f"pause again at once. {format_count(progress.remaining, 'conversation')} remain; at the cost so far all of "
            f"them need a budget of about {format_money(rest_usd)}."
        )
    )
    budget_usd = st.number_input(
        "New budget (USD)",
        min_value=round(needed_usd + 0.005, 2),
        value=round(max(rest_usd * 1.05, needed_usd * BUDGET_HEADROOM, needed_usd + 0.01), 2),
        step=1.0,
        format="%.2f",
        key="new_budget_usd",
    )
    if draw_answers("Resume the batch", ":material/play_arrow:", forget=_forget, stay="Keep it paused"):
        _forget()
        _control(services, progress, BatchAction.RESUME, budget_usd)


@st.dialog("Retry the failed items", icon=":material/replay:", width=640, on_dismiss=_forget)
def _ask_retry(services: PageServices, progress: BatchProgress, to_retry: int) -> None:
    fixed = progress.failed - to_retry
    others = f" {format_count(fixed, 'other')} of the {progress.failed:,} is in a retry already." if fixed == 1 else ""
    others = f" {fixed:,} others of the {progress.failed:,} are in a retry already." if fixed > 1 else others
    st.markdown(
        f"A new batch of the {format_count(to_retry, 'failed item')}, linked to this one. This batch stays as it is.{others}"
    )
    changes = _choose_changes(progress, services.monitor.list_retry_templates(progress.id))
    if changes == RetryChanges():
        st.caption("No setting is changed: a reply that was cut off by its settings will be cut off again.")
    if draw_answers(f"Retry {format_count(to_retry, 'item')}", ":material/replay:", forget=_forget):
        with report_errors():
            submitted = services.batches.retry_failed(progress.id, changes)
        _forget()
        open_batch(submitted.batch_id)


def _choose_changes(progress: BatchProgress, templates: tuple[RetryTemplate, ...]) -> RetryChanges:
    """Draw the settings with the batch's values, and return the changed ones."""
    name = st.text_input("Name", value=f"Retry of {progress.name}", max_chars=200, key="retry_name")
    left, right = st.columns(2, gap="small")
    model = left.text_input("Model", value=progress.model, max_chars=100, key="retry_model")
    max_tokens = right.number_input(
        "Max output tokens",
        min_value=1,
        max_value=MAX_OUTPUT_TOKENS,
        value=progress.max_tokens,
        step=1024,
        key="retry_max_tokens",
    )
    before = progress.effort or "Model default"
    effort = left.selectbox("Effort", list(dict.fromkeys((before, *Effort))), key="retry_effort")
    offered: list[RetryTemplate | None] = [None, *templates]
    template = right.selectbox(
        "Prompt template",
        offered,
        format_func=_name_template,
        key="retry_template",
        help="Replaces the template of its arc; other arcs keep theirs.",
    )
    structured = st.toggle(
        "Structured output",
        value=bool(progress.structured_outputs),
        key="retry_structured",
        help="Claude is held to the conversation's JSON schema.",
    )
    return RetryChanges(
        name=None if name.strip() in ("", f"Retry of {progress.name}") else name.strip(),
        model=None if model.strip() in ("", progress.model) else model.strip(),
        max_tokens=None if max_tokens == progress.max_tokens else max_tokens,
        effort=None if effort == before else Effort(effort),
        structured_outputs=None if structured == progress.structured_outputs else structured,
        template_id=None if template is None else template.id,
    )


def _name_template(template: RetryTemplate | None) -> str:
    if template is None:
        return "Unchanged"
    used = " (used)" if template.is_used else ""
    return f"{template.arc}: {template.name} v{template.version}{used}"


def _control(services: PageServices, progress: BatchProgress, action: BatchAction, budget_usd: float | None = None) -> None:
    try:
        services.batches.control(progress.id, action, budget_usd=budget_usd)
    except InvalidRequest as error:  # The batch has changed; the redrawn page shows how.
        leave_notice(str(error))
    st.rerun()
