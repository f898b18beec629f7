"""The template editor: two texts, checked while they are written, a preview, and a new version when they are saved."""

from collections.abc import Sequence
from uuid import uuid4

import streamlit as st

from core.bootstrap import PageServices
from core.domain.prompt import PLACEHOLDERS, REQUIRED_PLACEHOLDERS, render_prompt
from core.domain.scaffolding import ArcId, EmotionalArc, PromptTemplate, TemplateId, find_template
from core.domain.scaffolding_rules import find_problems
from core.errors import TemplateInvalid
from core.ui.formats import escape_markdown
from core.ui.page import draw_text_badge
from core.ui.scaffolding_state import close_record, remember_opened, say_outcome

BASED_ON = "scaffold_based_on"
TEXT_HEIGHT, PREVIEW_HEIGHT = 300, 320


def draw_template_editor(
    services: PageServices, templates: Sequence[PromptTemplate], current: PromptTemplate | None
) -> None:
    """Draw the editor of a version, or of a new template. Saving never changes a version."""
    opened = remember_opened(current)
    arcs = services.scaffolding_editing.list_arcs()
    _draw_title(opened, templates, arcs)
    draft = _draw_texts(opened, arcs)
    problems = find_problems(draft)
    if problems:
        lines = "\n".join(f"- {escape_markdown(problem)}" for problem in problems)
        st.warning(f"Cannot be saved yet:\n{lines}", icon=":material/rule:")
    else:
        st.success("Every placeholder is known, and none is missing.", icon=":material/check:")
    label = "Save as a new version" if opened else "Save template"
    # As it was when the editor was opened: a version that somebody saves meanwhile must not be passed over unseen.
    versions = [row.version for row in templates if opened is not None and row.template_key == opened.template_key]
    based_on = st.session_state.setdefault(BASED_ON, max(versions, default=None))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        saved = st.button(label, type="primary", icon=":material/save:", disabled=bool(problems), key="save_template")
        answer = st.container(width="stretch")
    if saved:
        with answer:
            say_outcome(services.scaffolding_editing.save_template(draft, based_on), draft.name)
    with st.expander("Placeholders", icon=":material/data_object:"):
        st.caption("Written as {{ name }}. These must be in every template:")
        st.code("  ".join(sorted(REQUIRED_PLACEHOLDERS)), language=None, wrap_lines=True)
        st.caption("These may be:")
        st.code("  ".join(sorted(PLACEHOLDERS - REQUIRED_PLACEHOLDERS)), language=None, wrap_lines=True)
    if not problems:
        _draw_preview(services, draft, arcs)


def _draw_title(opened: PromptTemplate | None, templates: Sequence[PromptTemplate], arcs: Sequence[EmotionalArc]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if opened is None:
            st.markdown("**New template**", width="content")
        else:
            st.markdown(f"**{escape_markdown(opened.name)}** :gray[· version {opened.version}]", width="content")
            arc = next((arc.name for arc in arcs if arc.id == opened.emotional_arc_id), "an arc that is gone")
            used = find_template(templates, opened.emotional_arc_id)
            if used is not None and used.id == opened.id:
                draw_text_badge(f"new batches of {arc} use it", icon=":material/check:", color="green")
            else:
                draw_text_badge(f"for {arc}; new batches use another version", color="gray")
        st.space("stretch")
        st.button("Back to the list", icon=":material/arrow_back:", type="tertiary", on_click=close_record)


def _draw_texts(opened: PromptTemplate | None, arcs: Sequence[EmotionalArc]) -> PromptTemplate:
    identity = "new" if opened is None else str(opened.id)

    def key(name: str) -> str:
        return f"scaffold_{identity}_{name}"

    first, second, third = st.columns(3, gap="small")
    template_key = first.text_input(
        "Key",
        value="" if opened is None else opened.template_key,
        disabled=opened is not None,
        key=key("key"),
        help="a-z, 0-9 and _. It cannot be changed later.",
    )
    name = second.text_input("Name", value="" if opened is None else opened.name, key=key("name"))
    arc_ids = [arc.id for arc in arcs]
    names = {arc.id: arc.name for arc in arcs}
    arc_id = third.selectbox(
        "Emotional arc",
        arc_ids,
        index=0 if opened is None else arc_ids.index(opened.emotional_arc_id),
        format_func=lambda arc_id: names[ArcId(arc_id)],
        disabled=opened is not None,
        key=key("arc"),
    )
    left, right = st.columns(2, gap="small")
    system = left.text_area(
        "System prompt", value="" if opened is None else opened.system_prompt, height=TEXT_HEIGHT, key=key("system")
    )
    user = right.text_area(
        "User prompt", value="" if opened is None else opened.user_prompt, height=TEXT_HEIGHT, key=key("user")
    )
    return PromptTemplate(
        id=TemplateId(uuid4()),
        template_key=template_key.strip(),
        name=name.strip(),
        description="" if opened is None else opened.description,
        version=1 if opened is None else opened.version + 1,
        emotional_arc_id=arc_id,
        system_prompt=system,
        user_prompt=user,
    )


def _draw_preview(services: PageServices, draft: PromptTemplate, arcs: Sequence[EmotionalArc]) -> None:
    """Show the draft filled with a persona and a topic."""
    personas, topics = services.scaffolding_editing.list_personas(), services.scaffolding_editing.list_topics()
    arc = next((arc for arc in arcs if arc.id == draft.emotional_arc_id), None)
    if not personas or not topics or arc is None:
        return
    st.markdown("**Preview**")
    left, right = st.columns(2, gap="small")
    persona = left.selectbox("Persona", personas, format_func=lambda row: row.name, key="template_persona")
    topic = right.selectbox("Topic", topics, format_func=lambda row: row.name, key="template_topic")
    try:
        prompt = render_prompt(draft, persona, arc, topic)
    except TemplateInvalid as error:
        st.error(escape_markdown(str(error)), icon=":material/error:")
        return
    left.code(prompt.system, language=None, wrap_lines=True, height=PREVIEW_HEIGHT)
    right.code(prompt.user, language=None, wrap_lines=True, height=PREVIEW_HEIGHT)
