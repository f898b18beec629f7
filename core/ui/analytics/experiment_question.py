"""What is asked before a comparison starts: which batch, which one setting, how many items, at what cost."""

from enum import StrEnum
from uuid import UUID

import streamlit as st

from core.bootstrap import PageServices
from core.domain.amounts import format_duration, format_money
from core.domain.batches.batch import MAX_OUTPUT_TOKENS, BatchId, BatchProgress, BatchSettings, Effort
from core.domain.batches.estimate import estimate_batch
from core.domain.batches.monitor import RetryTemplate
from core.domain.diagnosis.diagnosis import Diagnosis, Dimension
from core.domain.diagnosis.experiments import MOST_ITEMS, ExperimentChange, ExperimentPlan, ItemScope
from core.domain.diagnosis.findings import StepKind
from core.domain.record import Record
from core.errors import BrightRunError, InvalidRequest
from core.services.experiments import propose_change
from core.ui.shell.cached_reads import find_own_history
from core.ui.shell.failure_filters import read_mark
from core.ui.shell.formats import escape_markdown, format_count
from core.ui.shell.link_state import change_link
from core.ui.shell.links import BATCH, EXPERIMENT
from core.ui.shell.page import draw_answers
from core.ui.shell.session import find_settings

QUESTION = "experiment_question"
"""Session state: the comparison that is being asked about."""
NAME_LENGTH = 200


class ChangedSetting(StrEnum):
    """The one setting that a comparison changes."""

    STRUCTURED_OUTPUT = "Structured output"
    MAX_TOKENS = "Max output tokens"
    EFFORT = "Effort"
    MODEL = "Model"
    TEMPLATE = "Prompt template"


SETTING_OF_STEP = {
    StepKind.RAISE_MAX_TOKENS: ChangedSetting.MAX_TOKENS,
    StepKind.CHANGE_EFFORT: ChangedSetting.EFFORT,
    StepKind.COMPARE_MODEL: ChangedSetting.MODEL,
    StepKind.CHANGE_PROMPT: ChangedSetting.TEMPLATE,
}
SCOPES = {ItemScope.JUDGED: "All judged items", ItemScope.FAILED: "Failed items only"}


class ExperimentQuestion(Record):
    """A requested comparison: the next step, and filters and name of the suspect's items."""

    step: StepKind
    mark: dict[str, str]
    about: str | None = None


def ask_experiment(step: StepKind, mark: dict[str, str] | None = None, about: str | None = None) -> None:
    """Open the question and rerun the page."""
    st.session_state[QUESTION] = ExperimentQuestion(step=step, mark=mark or {}, about=about)
    st.rerun()


def draw_experiment_question(services: PageServices, diagnosis: Diagnosis) -> None:
    """Draw the question that is open, if one is."""
    question: ExperimentQuestion | None = st.session_state.get(QUESTION)
    if question is not None and diagnosis.batches:
        _ask(services, diagnosis, question)


def read_settings(progress: BatchProgress) -> BatchSettings | None:
    """Return how the calls of a batch are made; None for an imported one, for which no call was made."""
    if progress.imported or progress.max_tokens is None or progress.structured_outputs is None:
        return None
    return BatchSettings(
        model=progress.model,
        max_tokens=progress.max_tokens,
        effort=progress.effort,
        structured_outputs=progress.structured_outputs,
    )


def _forget() -> None:
    st.session_state.pop(QUESTION, None)


@st.dialog("Compare with one setting changed", icon=":material/compare_arrows:", width=680, on_dismiss=_forget)
def _ask(services: PageServices, diagnosis: Diagnosis, question: ExperimentQuestion) -> None:
    about = "" if question.about is None else f" of **{escape_markdown(question.about)}**"
    st.markdown(
        f"The combinations of judged items{about} are generated again with **one** setting changed, and each new item is "
        "compared with the one before."
    )
    progress = services.batches.get(_choose_batch(diagnosis, question))
    settings = read_settings(progress)
    if settings is None:
        st.info("This batch was imported, so it has no prompts to send. Choose another one.", icon=":material/upload_file:")
        return
    change = _choose_change(services, progress, settings, question.step)
    left, right = st.columns([3, 2], gap="small")
    scope = left.segmented_control(
        "Items to compare",
        list(SCOPES),
        format_func=lambda each: SCOPES[ItemScope(each)],
        default=ItemScope.JUDGED,
        required=True,
        key="experiment_scope",
        help="Only all judged items prove something: some failed items would be accepted the second time anyway.",
    )
    limit = right.number_input("Limit", min_value=1, max_value=MOST_ITEMS, value=100, step=10, key="experiment_limit")
    plan = ExperimentPlan(
        batch_id=progress.id, change=change, scope=ItemScope(scope), limit=int(limit), items=read_mark(question.mark)
    )
    items = _draw_cost(services, progress, plan)
    label = f"Start with {format_count(items, 'item')}"
    if draw_answers(label, ":material/play_arrow:", forget=_forget, enabled=items > 0, key="experiment_start"):
        _start(services, plan.model_copy(update={"name": f"{change.label}: {progress.name}"[:NAME_LENGTH]}))


def _choose_batch(diagnosis: Diagnosis, question: ExperimentQuestion) -> BatchId:
    """Draw the newest batches, the one with most failures chosen."""
    failed = {row.key: row.rate.failed for row in diagnosis.list_rates(Dimension.BATCH)}
    names = {str(batch.id): batch.name for batch in diagnosis.batches}
    first = question.mark.get(BATCH) or max(names, key=lambda key: failed.get(key, 0))
    chosen = st.selectbox(
        "Batch to compare with",
        list(names),
        index=list(names).index(first) if first in names else 0,
        format_func=lambda key: f"{names[str(key)]} ({failed.get(str(key), 0):,} failed)",
        key="experiment_batch",
    )
    return BatchId(UUID(chosen))


def _choose_change(
    services: PageServices, progress: BatchProgress, settings: BatchSettings, step: StepKind
) -> ExperimentChange:
    proposed = propose_change(step, settings) or ExperimentChange()
    first = SETTING_OF_STEP.get(step, ChangedSetting.STRUCTURED_OUTPUT)
    left, right = st.columns(2, gap="small")
    setting = left.selectbox(
        "Setting to change", list(ChangedSetting), index=list(ChangedSetting).index(first), key="experiment_setting"
    )
    with right:
        match ChangedSetting(setting):
            case ChangedSetting.STRUCTURED_OUTPUT:
                return _change_structure(settings)
            case ChangedSetting.MAX_TOKENS:
                value = proposed.max_tokens or min(settings.max_tokens * 2, MAX_OUTPUT_TOKENS)
                tokens = st.number_input(
                    f"To (now {settings.max_tokens:,})", 1, MAX_OUTPUT_TOKENS, value, step=1024, key="experiment_max_tokens"
                )
                return ExperimentChange(max_tokens=int(tokens))
            case ChangedSetting.EFFORT:
                others = [effort for effort in Effort if effort is not settings.effort]
                now = escape_markdown(settings.effort or "model default")
                effort = st.selectbox(f"To (now {now})", others, index=0, key="experiment_effort")
                return ExperimentChange(effort=Effort(effort))
            case ChangedSetting.MODEL:
                label = f"To (now {escape_markdown(settings.model)})"
                model = st.text_input(label, max_chars=100, key="experiment_model").strip()
                return ExperimentChange(model=model or None)
            case ChangedSetting.TEMPLATE:
                return _change_template(services.monitor.list_retry_templates(progress.id))


def _change_structure(settings: BatchSettings) -> ExperimentChange:
    words = ("on", "off") if settings.structured_outputs else ("off", "on")
    st.selectbox(f"To (now {words[0]})", [words[1]], key="experiment_structured", disabled=True)
    return ExperimentChange(structured_outputs=not settings.structured_outputs)


def _change_template(templates: tuple[RetryTemplate, ...]) -> ExperimentChange:
    others = [template for template in templates if not template.is_used]
    template = st.selectbox(
        "To",
        others,
        index=0 if others else None,
        format_func=lambda each: f"{each.arc}: {each.name} v{each.version}",
        placeholder="There is no other active template",
        disabled=not others,
        key="experiment_template",
    )
    return ExperimentChange(template_id=None if template is None else template.id)


def _draw_cost(services: PageServices, progress: BatchProgress, plan: ExperimentPlan) -> int:
    """Show cost and time of the comparison; return the number of items."""
    if plan.change == ExperimentChange():
        st.caption("Choose the new value of the setting.")
        return 0
    rate = services.diagnostics.measure(plan.items.model_copy(update={"batch_id": progress.id}))
    items = min(rate.judged if plan.scope is ItemScope.JUDGED else rate.failed, plan.limit or MOST_ITEMS)
    model = plan.change.model or progress.model
    history = find_own_history(services, model)
    estimate = estimate_batch(items, concurrency=progress.concurrency, history=history)
    note = " Claude is simulated: nothing is charged." if find_settings().simulated else ""
    st.markdown(
        f"**{format_count(items, 'item')}** with **{escape_markdown(plan.change.label)}**: about "
        f"**{escape_markdown(format_money(estimate.cost_usd))}** and {format_duration(estimate.seconds)}.{note}"
    )
    if not rate.judged:
        st.caption("This batch has no such items. Choose another one.")
    if plan.change.template_id is not None:
        st.caption("Only items of the template's arc that used another template are compared.")
    return items


def _start(services: PageServices, plan: ExperimentPlan) -> None:
    try:
        experiment = services.experiments.compare(plan)
    except (BrightRunError, InvalidRequest) as error:
        st.error(escape_markdown(str(error)), icon=":material/error:")
        return
    _forget()
    change_link({EXPERIMENT: str(experiment.id)})
    st.rerun()
