"""The template editor: two texts, checked while they are written, a preview, and a new version when they are saved."""

from collections.abc import Sequence
from uuid import uuid4

import streamlit as st

from core.bootstrap import PageServices
from core.domain.scaffolding.prompt import LIST_PLACEHOLDERS, PLACEHOLDERS, REQUIRED_PLACEHOLDERS, render_prompt
from core.domain.scaffolding.records import ArcId, EmotionalArc, PromptTemplate, TemplateId
from core.domain.scaffolding.rules import find_problems
from core.domain.scaffolding.variations import Combination, draw_values
from core.errors import TemplateInvalid
from core.ui.scaffolding.fields import KEY_HELP
from core.ui.scaffolding.state import close_record, remember_opened, say_outcome
from core.ui.shell.formats import escape_markdown
from core.ui.shell.page import draw_text_badge

BASED_ON = "scaffold_based_on"
TEXT_HEIGHT, PREVIEW_HEIGHT = 300, 320
EXAMPLE_VARIATION = 2
"""The first that is told something of the axes."""
EXAMPLE = """{% for question in topic_typical_questions %}{{ loop.index }}. {{ question }}
{% endfor %}
{% if starting_intensity_max > 0.8 or "anger" in starting_emotion %}Begin slowly.{% elif arc_key_principles %}…{% endif %}
{{ topic_key_concepts | join(", ") }}   {{ starting_emotion | upper }}   (or lower, capitalize, title, trim)
{% if variation %}Differ from others in this: {{ variation }}{% endif %}"""


def draw_template_editor(
    services: PageServices, templates: Sequence[PromptTemplate], current: PromptTemplate | None
) -> None:
    """Draw the editor of a version, or of a new template. Saving never changes a version."""
    opened = remember_opened(current)
    arcs = services.scaffolding_editing.list_arcs()
    _draw_title(services, opened, arcs)
    draft = _draw_texts(opened, arcs)
    # The preview stands below the button, but whether it can be made decides whether the draft may be saved.
    above, below = st.container(), st.container()
    with below:
        _draw_language()
        problems = find_problems(draft) or _draw_preview(services, draft, arcs)
    with above:
        _draw_verdict(problems)
        _draw_save(services, draft, templates, opened, problems)


def _draw_verdict(problems: Sequence[str]) -> None:
    if problems:
        lines = "\n".join(f"- {escape_markdown(problem)}" for problem in problems)
        st.warning(f"Cannot be saved yet:\n{lines}", icon=":material/rule:")
    else:
        st.success("Every placeholder is known, and none is missing.", icon=":material/check:")


def _draw_save(
    services: PageServices,
    draft: PromptTemplate,
    templates: Sequence[PromptTemplate],
    opened: PromptTemplate | None,
    problems: Sequence[str],
) -> None:
    label = "Save as a new version" if opened else "Save template"
    # As it was when the editor was opened: a newer version of somebody else must not be overwritten.
    versions = [row.version for row in templates if opened is not None and row.template_key == opened.template_key]
    based_on = st.session_state.setdefault(BASED_ON, max(versions, default=None))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        place = st.empty()
        saved = place.button(label, type="primary", icon=":material/save:", disabled=bool(problems), key="save_template")
        answer = st.container(width="stretch")
    if saved:
        with answer:
            say_outcome(services.scaffolding_editing.save_template(draft, based_on), draft.name)
        # Not saved: the same text would be refused again. Typing shows the button again.
        place.button(label, type="primary", icon=":material/save:", disabled=True, key="save_refused_template")


def _draw_language() -> None:
    with st.expander("Placeholders, loops and conditions", icon=":material/data_object:"):
        st.caption("Written as {{ name }}. Required in every template:")
        _draw_names(REQUIRED_PLACEHOLDERS)
        st.caption("These are optional:")
        _draw_names(PLACEHOLDERS - REQUIRED_PLACEHOLDERS - LIST_PLACEHOLDERS)
        st.caption("These are lists, written one entry per line, or as a loop says:")
        _draw_names(LIST_PLACEHOLDERS)
        st.code(EXAMPLE, language="jinja2", wrap_lines=True)
        st.caption("Nothing else is allowed: no calls, no arithmetic, no macros.")


def _draw_names(names: frozenset[str]) -> None:
    st.code("  ".join(sorted(names)), language=None, wrap_lines=True)


def _draw_title(services: PageServices, opened: PromptTemplate | None, arcs: Sequence[EmotionalArc]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if opened is None:
            st.markdown("**New template**", width="content")
        else:
            st.markdown(f"**{escape_markdown(opened.name)}** :gray[· version {opened.version:d}]", width="content")
            arc = next((arc.name for arc in arcs if arc.id == opened.emotional_arc_id), "an arc that is gone")
            used = services.scaffolding_editing.find_used_template(opened.emotional_arc_id)
            if used is not None and used.id == opened.id:
                draw_text_badge(f"your new batches of {arc} use it", icon=":material/check:", color="green")
            else:
                draw_text_badge(f"for {arc}; your new batches use another version", color="gray")
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
        help=KEY_HELP,
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


def _draw_preview(services: PageServices, draft: PromptTemplate, arcs: Sequence[EmotionalArc]) -> tuple[str, ...]:
    """Show the draft filled with a persona and a topic; return the problems."""
    personas, topics = services.scaffolding_editing.list_personas(), services.scaffolding_editing.list_topics()
    arc = next((arc for arc in arcs if arc.id == draft.emotional_arc_id), None)
    if not personas or not topics or arc is None:
        return ()
    st.markdown("**Preview**")
    left, right = st.columns(2, gap="small")
    persona = left.selectbox("Persona", personas, format_func=lambda row: row.name, key="template_persona")
    topic = right.selectbox("Topic", topics, format_func=lambda row: row.name, key="template_topic")
    try:
        drawn = draw_values(services.scaffolding_editing.list_axes(), Combination.of(persona, arc, topic), EXAMPLE_VARIATION)
        prompt = render_prompt(draft, persona, arc, topic, drawn)
    except TemplateInvalid as error:
        return (f"With {persona.name} and {topic.name}: {error}",)
    left.code(prompt.system, language=None, wrap_lines=True, height=PREVIEW_HEIGHT)
    right.code(prompt.user, language=None, wrap_lines=True, height=PREVIEW_HEIGHT)
    return ()
