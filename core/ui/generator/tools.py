"""Above the Bulk Generator's choices: presets, and the link to what is chosen."""

from urllib.parse import urlencode, urlsplit

import streamlit as st

from core.bootstrap import PageServices
from core.domain.amounts import format_duration, format_money
from core.domain.batches.batch import BatchSettings, Selection, choose_skip
from core.services.batches import estimate_settings
from core.services.choice_links import decode_choices, encode_choices
from core.services.presets import Preset, build_presets
from core.services.scaffolding import Choices
from core.ui.generator.choices import CATEGORY_LABELS, set_choices
from core.ui.generator.options import PER_COMBINATION, SKIP, set_amounts, set_options
from core.ui.generator.submission import submit_all
from core.ui.shell.cached_reads import find_own_history
from core.ui.shell.formats import escape_markdown, format_count
from core.ui.shell.links import FROM, LINK_SEEN
from core.ui.shell.page import draw_answers
from core.ui.shell.session import find_settings, report_errors

LINK_PROBLEMS = "choice_link_problems"
SUBMITTING_SET = "submitting_set"


def open_link(choices: Choices) -> None:
    """Apply the choices in the page's address once; report unavailable choices."""
    parameters = {name: value for name, value in st.query_params.items() if name != FROM}
    if parameters and parameters != st.session_state.get(LINK_SEEN):
        linked = decode_choices(choices, parameters, find_settings().batch_defaults)
        set_choices(choices, linked.selection)
        set_options(linked.selection, linked.settings)
        st.session_state[LINK_SEEN] = parameters
        st.session_state[LINK_PROBLEMS] = linked.problems
    if problems := st.session_state.get(LINK_PROBLEMS):
        lines = "\n".join(f"- {escape_markdown(problem)}" for problem in problems)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.warning(f"Some choices in this link are not available:\n{lines}", icon=":material/link_off:")
            st.button("Dismiss", type="tertiary", on_click=lambda: st.session_state.pop(LINK_PROBLEMS, None))


def draw_link(choices: Choices, selection: Selection, settings: BatchSettings) -> None:
    """Draw the link that brings this selection back, here or in a colleague's browser."""
    parameters = encode_choices(choices, selection, settings, find_settings().batch_defaults)
    address = urlsplit(st.context.url or "")._replace(query=urlencode(parameters, safe=","), fragment="").geturl()
    with st.popover("Copy link", icon=":material/link:", type="tertiary"):
        st.caption("Opens this page with these choices and settings.")
        st.code(address, language=None, wrap_lines=True)


def draw_presets(choices: Choices) -> None:
    """Draw the presets; one of a single batch is chosen on the page, one of several is asked about."""
    presets = {preset.name: preset for preset in build_presets(choices)}
    name = st.menu_button(
        "Presets",
        list(presets),
        format_func=escape_markdown,
        icon=":material/auto_awesome:",
        type="tertiary",
        key="presets",
    )
    if name is None:
        return
    preset = presets[name]
    if len(preset.selections) != 1:
        st.session_state[SUBMITTING_SET] = preset
        return
    (selection,) = preset.selections
    set_choices(choices, selection)
    set_amounts(selection)


def draw_set_question(services: PageServices, settings: BatchSettings) -> None:
    """Ask before several batches are submitted together, if that was asked for."""
    preset = st.session_state.get(SUBMITTING_SET)
    if preset is not None:
        _ask(services, preset, settings)


def _forget() -> None:
    st.session_state.pop(SUBMITTING_SET, None)


@st.dialog("Generate the whole data set?", icon=":material/bolt:", on_dismiss=_forget)
def _ask(services: PageServices, preset: Preset, settings: BatchSettings) -> None:
    skip = choose_skip(simulated=find_settings().simulated) if st.session_state.get(SKIP) else None
    each = st.session_state.get(PER_COMBINATION, 1)
    selections = tuple(
        selection.model_copy(update={"skip_existing": skip, "per_combination": each}) for selection in preset.selections
    )
    history = find_own_history(services, settings.model)
    planned = 0
    for selection in selections:
        existing = services.batches.count_existing(selection, skip) if skip else 0
        planned += selection.count_planned(existing)
        st.markdown(f"**{CATEGORY_LABELS[selection.category]}**  \n{escape_markdown(selection.explain(existing))}")
    estimate = estimate_settings(planned, settings, history)
    cost = escape_markdown(format_money(estimate.cost_usd))
    st.markdown(
        f"{format_count(len(selections), 'batch', 'batches')} with {escape_markdown(settings.model)} and this page's "
        f"settings, about **{format_duration(estimate.seconds)}** of work and **{cost}**."
    )
    label = f"Generate {format_count(planned, 'conversation')}"
    if draw_answers(label, ":material/bolt:", forget=_forget, enabled=planned > 0):
        _forget()
        with report_errors():
            submit_all(services, selections, settings)
