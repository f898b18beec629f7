"""The dialog that makes a data set: its name, which conversations count, and its plan."""

import streamlit as st

from core.bootstrap import PageServices
from core.domain.batches.batch import MOST_PER_COMBINATION, Selection
from core.domain.datasets.plans import PlanPart, make_plan
from core.domain.datasets.versions import CountedStatus
from core.domain.scaffolding.records import ConversationCategory
from core.services.presets import build_presets
from core.services.scaffolding import Choices
from core.ui.shell.cached_reads import load_choices
from core.ui.shell.formats import escape_markdown, format_count
from core.ui.shell.links import open_dataset
from core.ui.shell.page import draw_answers, draw_same_prompts
from core.ui.shell.session import report_errors

CREATING = "creating_dataset"
OWN_CHOICE = "Own choice"
COUNTED_LABELS = {
    CountedStatus.APPROVED: "Approved by a reviewer",
    CountedStatus.ACCEPTED: "Accepted by the verdict",
}


def open_creation() -> None:
    """Let the dialog be drawn in this run."""
    st.session_state[CREATING] = True


def draw_creation(services: PageServices) -> None:
    """Draw the dialog if it is open."""
    if st.session_state.get(CREATING):
        _ask(services)


def _forget() -> None:
    st.session_state.pop(CREATING, None)


@st.dialog("New data set", icon=":material/dataset:", width="large", on_dismiss=_forget)
def _ask(services: PageServices) -> None:
    choices = load_choices(services, services.user_email)
    name = st.text_input("Name", max_chars=200, key="dataset_name", placeholder="For example: Money talks, first hundred")
    counted = st.radio(
        "Which conversations fill the plan",
        list(CountedStatus)[::-1],
        format_func=lambda counted: COUNTED_LABELS[CountedStatus(counted)],
        key="dataset_counted",
        horizontal=True,
    )
    presets = {preset.name: preset for preset in build_presets(choices)}
    plan_name = st.selectbox("Plan", [*presets, OWN_CHOICE], key="dataset_plan")
    per_combination = st.number_input(
        "Conversations of each combination",
        min_value=1,
        max_value=MOST_PER_COMBINATION,
        value=1,
        step=1,
        key="dataset_copies",
    )
    selections = _choose_selections(choices) if plan_name == OWN_CHOICE else presets[plan_name].selections
    draw_same_prompts(
        choices.describe_same_prompts([arc_id for each in selections for arc_id in each.arc_ids], per_combination)
    )
    copies = f", {per_combination:,} of each" if per_combination > 1 else ""
    planned = per_combination * sum(selection.planned for selection in selections)
    formulas = escape_markdown(" and ".join(_explain(selection) for selection in selections if selection.planned))
    st.markdown(f"**{format_count(planned, 'conversation')}** planned {f'({formulas}{copies})' if planned else ''}")
    # A missing name does not disable the button: the page would hear of a name only when the field loses its focus.
    if draw_answers("Create", ":material/add:", forget=_forget, enabled=planned > 0):
        if not name.strip():
            st.error("The name is missing. Give the data set one.", icon=":material/error:")
            return
        parts = [part for each in selections if each.planned for part in make_plan(each, per_combination)]
        _create(services, name, CountedStatus(counted), parts)


def _explain(selection: Selection) -> str:
    formula = selection.model_copy(update={"limit": None}).formula
    return formula if selection.limit is None else f"{selection.planned:,} of {formula}"


def _create(services: PageServices, name: str, counted: CountedStatus, parts: list[PlanPart]) -> None:
    with report_errors():
        dataset = services.datasets.create(name, counted, parts)
    _forget()
    open_dataset(dataset.id)


def _choose_selections(choices: Choices) -> tuple[Selection, ...]:
    """Draw lists of personas, arcs and topics; return a selection for each category that has an arc."""
    personas = st.multiselect(
        "Personas", choices.personas, default=choices.personas, format_func=lambda each: each.name, key="dataset_personas"
    )
    usable = [arc for category in ConversationCategory for arc in choices.usable_arcs_of(category)]
    arcs = st.multiselect(
        "Arcs",
        usable,
        default=choices.usable_arcs_of(ConversationCategory.CORE),
        format_func=lambda each: f"{each.name} ({each.conversation_category})",
        key="dataset_arcs",
    )
    topics = st.multiselect(
        "Topics", choices.topics, default=choices.topics, format_func=lambda each: each.name, key="dataset_topics"
    )
    return tuple(
        Selection(
            category=category,
            persona_ids=tuple(each.id for each in personas),
            arc_ids=tuple(each.id for each in arcs if each.conversation_category is category),
            topic_ids=tuple(each.id for each in topics),
        )
        for category in ConversationCategory
        if any(each.conversation_category is category for each in arcs)
    )
