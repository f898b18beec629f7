"""The prompt of one combination, exactly as Claude is sent it, with its token count."""

from collections.abc import Sequence
from typing import TypeVar, cast

import streamlit as st

from core.bootstrap import PageServices
from core.domain.batches.batch import BatchSettings, Selection
from core.domain.batches.estimate import estimate_tokens
from core.domain.batches.work import ChatRequest
from core.domain.scaffolding.prompt import Prompt, render_prompt
from core.domain.scaffolding.records import EmotionalArc, Persona, TrainingTopic
from core.domain.scaffolding.variations import Combination, draw_values
from core.errors import TemplateInvalid
from core.services.scaffolding import Choices
from core.ui.shell.cached_reads import find_own_history
from core.ui.shell.formats import escape_markdown
from core.ui.shell.session import find_settings

PREVIEWING = "previewing_prompt"
COUNTS = "token_counts"
TEXT_HEIGHT = 320
Item = TypeVar("Item", Persona, EmotionalArc, TrainingTopic)


def draw_preview_button(services: PageServices, choices: Choices, selection: Selection, settings: BatchSettings) -> None:
    """Draw the button; show the preview while it is open."""
    if st.button(
        "Preview a prompt",
        icon=":material/visibility:",
        type="tertiary",
        disabled=not selection.grid_size,
        key="preview_prompt",
        help="The prompt that is sent to Claude for one of the combinations, with its token count",
    ):
        st.session_state[PREVIEWING] = True
    if st.session_state.get(PREVIEWING) and selection.grid_size:
        _preview(services, choices, selection, settings)


@st.dialog("Prompt", width="large", icon=":material/visibility:", on_dismiss=lambda: st.session_state.pop(PREVIEWING, None))
def _preview(services: PageServices, choices: Choices, selection: Selection, settings: BatchSettings) -> None:
    several = selection.per_combination > 1
    columns = st.columns([3, 3, 3, 2] if several else 3, gap="small")
    with columns[0]:
        persona = _choose("Persona", [row for row in choices.personas if row.id in selection.persona_ids])
    with columns[1]:
        arc = _choose("Emotional arc", [row for row in choices.arcs if row.id in selection.arc_ids])
    with columns[2]:
        topic = _choose("Topic", [row for row in choices.topics if row.id in selection.topic_ids])
    variation = 1
    if several:
        with columns[3]:
            variation = st.number_input(
                "Variation", min_value=1, max_value=selection.per_combination, key="prompt_variation"
            )
    template = choices.find_template(arc)
    if template is None:
        st.warning(f"{escape_markdown(arc.name)} has no active template. Add one under Scaffolding.")
        return
    try:
        combination = Combination.of(persona, arc, topic)
        prompt = render_prompt(template, persona, arc, topic, draw_values(choices.axes, combination, variation))
    except TemplateInvalid as error:
        st.error(escape_markdown(str(error)), icon=":material/error:")
        return
    st.caption(f"Template {escape_markdown(template.name)}, version {template.version:d}")
    figures = st.empty()
    system, user = st.columns(2, gap="small")
    with system:
        _draw_text("System prompt", prompt.system)
    with user:
        _draw_text("User prompt", prompt.user)
    with figures:
        _draw_count(services, prompt, settings)


def _choose(label: str, offered: Sequence[Item]) -> Item:
    return st.selectbox(label, offered, format_func=lambda row: row.name, key=f"preview_{label}")


def _draw_text(title: str, text: str) -> None:
    st.markdown(f"**{title}** :gray[· {len(text):,} characters]")
    st.code(text, language=None, wrap_lines=True, height=TEXT_HEIGHT)


def _draw_count(services: PageServices, prompt: Prompt, settings: BatchSettings) -> None:
    """Say at once about how many tokens it has; then exactly, if a worker can ask Claude."""
    counts = cast("dict[str, int]", st.session_state.setdefault(COUNTS, {}))
    asked = f"{settings.model} {settings.structured_outputs} {settings.effort} {prompt.text}"
    if asked not in counts:
        history = find_own_history(services, settings.model)
        about = f"about {estimate_tokens(len(prompt.text), history):,} input tokens"
        st.markdown(f"**{about}** :gray[· asking Claude …]")
        counted = services.tokens.count_tokens(ChatRequest(prompt=prompt, settings=settings))
        if counted is None:
            basis = "from earlier prompts" if history and history.characters_per_token else "at 4 characters a token"
            st.markdown(f"**{about}** :gray[· estimated {basis}; no worker is free to ask Claude]")
            return
        counts[asked] = counted
    by = "the simulated Claude" if find_settings().simulated else "Claude"
    st.markdown(f"**{counts[asked]:,} input tokens** :gray[· counted by {by} for {escape_markdown(settings.model)}]")
