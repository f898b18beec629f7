"""What is asked before something is done to a data set: top up, read a sample, approve, freeze, export, delete."""

from collections.abc import Sequence
from enum import StrEnum
from typing import assert_never

import streamlit as st

from core.bootstrap import PageServices
from core.domain.amounts import format_duration, format_money
from core.domain.batches.batch import MOST_ITEMS
from core.domain.datasets.plans import Dataset, DatasetId, DatasetVersion, describe_left
from core.domain.datasets.versions import CountedStatus, describe_exclusions
from core.services.batches import estimate_settings
from core.services.reviews import ReviewedTogether
from core.ui.datasets.export import draw_export
from core.ui.datasets.lengths import draw_tokenizer_choice, make_measure
from core.ui.datasets.review_queue import choose_sample, open_review
from core.ui.shell.batch_settings import draw_settings
from core.ui.shell.cached_reads import find_own_history
from core.ui.shell.formats import escape_markdown, format_count
from core.ui.shell.links import open_dataset_list
from core.ui.shell.page import draw_answers, leave_notice
from core.ui.shell.review_undo import Undoable, remember
from core.ui.shell.session import find_settings, report_errors

QUESTION = "dataset_question"
"""Session state: which question is open, and for which data set."""


class Question(StrEnum):
    """What can be asked."""

    TOP_UP = "top_up"
    APPROVE = "approve"
    REJECT = "reject"
    FREEZE = "freeze"
    DELETE = "delete"
    SAMPLE = "sample"
    EXPORT = "export"


def ask(question: Question, dataset_id: DatasetId) -> None:
    """Open a question and rerun the page."""
    st.session_state[QUESTION] = question, dataset_id
    st.rerun()


def draw_question(services: PageServices, dataset: Dataset, versions: Sequence[DatasetVersion]) -> None:
    """Draw the question that is open, if one is."""
    question, dataset_id = st.session_state.get(QUESTION, (None, None))
    if question is None or dataset_id != dataset.id:
        return
    match question:
        case Question.TOP_UP:
            _ask_top_up(services, dataset)
        case Question.APPROVE:
            _ask_approve(services, dataset)
        case Question.REJECT:
            _ask_reject(services, dataset)
        case Question.FREEZE:
            _ask_freeze(services, dataset)
        case Question.DELETE:
            _ask_delete(services, dataset)
        case Question.EXPORT:
            _ask_export(services, dataset, versions)
        case Question.SAMPLE:
            _ask_sample(services, dataset)
        case _:
            assert_never(question)


def _forget() -> None:
    st.session_state.pop(QUESTION, None)


def _finish(notice: str) -> None:
    _forget()
    leave_notice(notice)
    st.rerun()


def _let_undo(dataset: Dataset, done: ReviewedTogether) -> None:
    if done.before:
        remember(Undoable(done.before, dataset_id=dataset.id))


@st.dialog("Top up", icon=":material/bolt:", width=640, on_dismiss=_forget)
def _ask_top_up(services: PageServices, dataset: Dataset) -> None:
    with report_errors():
        # The plan cell by cell is read only where it does not fit as a whole: the question is drawn with every choice in it.
        top_ups = services.datasets.plan_top_up(dataset) if dataset.to_generate > MOST_ITEMS else ()
        count = dataset.to_generate - sum(each.left for each in top_ups)
        conversations = format_count(count, "conversation")
        summary = st.container()
        settings = draw_settings(find_settings())
        estimate = estimate_settings(count, settings, find_own_history(services, settings.model))
        cost = escape_markdown(format_money(estimate.cost_usd))
        scope = escape_markdown(describe_left(top_ups) or "Exactly what the plan misses, a batch for each category.")
        summary.markdown(
            f"**{conversations}** with {escape_markdown(settings.model)}: about **{format_duration(estimate.seconds)}** and "
            f"**{cost}**. {scope}"
        )
        if draw_answers(f"Generate {conversations}", ":material/bolt:", forget=_forget, enabled=count > 0):
            submitted = services.datasets.top_up(dataset, settings)
            queued = format_count(sum(batch.planned for batch in submitted), "conversation")
            waits = all(batch.is_enqueued for batch in submitted)
            _finish(f"{queued} queued." if waits else f"{queued} saved; they start when the queue is back.")


@st.dialog("Read a sample", icon=":material/casino:", on_dismiss=_forget)
def _ask_sample(services: PageServices, dataset: Dataset) -> None:
    size = choose_sample(dataset)
    if not draw_answers("Read them", ":material/rate_review:", forget=_forget):
        return
    with report_errors():
        _forget()
        open_review(services, dataset.id, size)


@st.dialog("Approve all?", icon=":material/done_all:", on_dismiss=_forget)
def _ask_approve(services: PageServices, dataset: Dataset) -> None:
    waiting = format_count(dataset.awaiting_review, "conversation")
    st.markdown(
        f"**{waiting}** of this data set wait for review. Those that the verdict accepts once more are approved, "
        "read or not. You can undo it."
    )
    if not draw_answers("Approve all", ":material/done_all:", forget=_forget):
        return
    with report_errors(), st.spinner("Judging each once more …"):
        done = services.datasets.approve_passing(dataset)
    _let_undo(dataset, done)
    refused = f" The verdict refused {done.refused:,}, which wait on." if done.refused else ""
    _finish(f"{format_count(len(done.before), 'conversation')} approved; {done.read:,} of them had been read.{refused}")


@st.dialog("Have them replaced?", icon=":material/autorenew:", on_dismiss=_forget)
def _ask_reject(services: PageServices, dataset: Dataset) -> None:
    st.markdown(
        "Conversations that are cut off or damaged by now, and those that say the same as an earlier one, fill the plan and "
        "get into no version. They are rejected with the reason, and the next top-up generates others. You can undo it."
    )
    if not draw_answers("Reject them", ":material/thumb_down:", forget=_forget):
        return
    with report_errors(), st.spinner("Judging each once more …"):
        done = services.datasets.reject_unusable(dataset)
    _let_undo(dataset, done)
    _finish(f"{format_count(len(done.before), 'conversation')} rejected. Top up generates others.")


@st.dialog("Freeze a version", icon=":material/ac_unit:", on_dismiss=_forget)
def _ask_freeze(services: PageServices, dataset: Dataset) -> None:
    taken = "approved" if dataset.counted is CountedStatus.APPROVED else "accepted"
    st.markdown(
        f"Takes the {taken} conversations as they are now, judges each once more and leaves out duplicates. A version never "
        "changes; whatever is kept out is listed with its reason."
    )
    simulated = st.toggle(
        "Include simulated conversations",
        value=False,
        key="freeze_simulated",
        help="The simulated Claude's sentences teach nothing. The card of the version says so.",
    )
    with st.expander("Length"):
        longest = st.number_input(
            "Leave out what has more tokens than",
            min_value=1,
            value=None,
            step=512,
            placeholder="No limit",
            key="freeze_longest",
            help="By default TRL takes 1,024 tokens, Axolotl 512, LLaMA-Factory and Unsloth 2,048.",
        )
        tokenizer = draw_tokenizer_choice("freeze_tokenizer")
    if not draw_answers("Freeze", ":material/ac_unit:", forget=_forget):
        return
    with report_errors(), st.spinner("Judging each once more …"):
        version = services.datasets.freeze(
            dataset, include_simulated=simulated, longest_tokens=longest, measure=make_measure(tokenizer)
        )
    kept_out = describe_exclusions(version.exclusions)
    _finish(f"Version {version.number}: {format_count(version.conversations, 'conversation')}. Kept out: {kept_out}.")


@st.dialog("Export a version", icon=":material/download:", width="large", on_dismiss=_forget)
def _ask_export(services: PageServices, dataset: Dataset, versions: Sequence[DatasetVersion]) -> None:
    draw_export(services, dataset, versions, _forget)


@st.dialog("Delete this data set?", icon=":material/delete:", on_dismiss=_forget)
def _ask_delete(services: PageServices, dataset: Dataset) -> None:
    frozen = format_count(dataset.version or 0, "frozen version")
    st.markdown(f"Its plan and {frozen} are deleted for good. Its batches and conversations stay.")
    if not draw_answers("Delete the data set", ":material/delete:", forget=_forget):
        return
    with report_errors():
        services.datasets.delete(dataset)
    _forget()
    leave_notice(f"{dataset.name} is deleted.")
    open_dataset_list()
