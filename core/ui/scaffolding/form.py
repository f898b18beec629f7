"""Add or edit a persona, an arc, a topic or an axis of variation."""

from typing import Any, assert_never
from uuid import uuid4

import streamlit as st

from core.bootstrap import PageServices
from core.domain.scaffolding.records import EmotionalArc, Persona, Scaffold, ScaffoldKind, TrainingTopic, VariationAxis
from core.domain.scaffolding.rules import find_key, find_required
from core.ui.scaffolding.fields import draw_field, find_columns, read_field
from core.ui.scaffolding.state import close_record, remember_opened, say_outcome
from core.ui.shell.formats import escape_markdown

LABELS = {
    ScaffoldKind.PERSONA: "persona",
    ScaffoldKind.ARC: "emotional arc",
    ScaffoldKind.TOPIC: "topic",
    ScaffoldKind.AXIS: "axis of variation",
}
SHARED = "Existing batches keep their scaffolding; only new batches use what you save."
OWN = f"{SHARED} What you save is yours: other analysts keep the axes that ship."


def draw_form(services: PageServices, kind: ScaffoldKind, current: Scaffold | None) -> None:
    """Draw the form of a record, or of a new one, as it was when it was opened."""
    opened = remember_opened(current)
    title = "New " + LABELS[kind] if opened is None else escape_markdown(opened.name)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{title}**", width="content")
        st.space("stretch")
        st.button("Back to the list", icon=":material/arrow_back:", type="tertiary", on_click=close_record)
    with st.form("scaffold", border=True, enter_to_submit=False):
        values = _draw_fields(kind, opened)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            place = st.empty()
            saved = place.form_submit_button("Save", type="primary", icon=":material/save:")
            answer = st.container(width="stretch")  # Beside the button: below it would be below the edge of the window.
        st.caption(OWN if kind is ScaffoldKind.AXIS else SHARED)
    if saved:
        outcome = services.scaffolding_editing.save(_build(kind, values, opened))
        with answer:
            say_outcome(outcome, str(values["name"]), st.form_submit_button)
        if outcome.outcome == "conflict":
            # A conflict: saving would be refused again. Other errors can be corrected in the form.
            place.form_submit_button("Save", type="primary", icon=":material/save:", disabled=True, key="save_refused")


def _draw_fields(kind: ScaffoldKind, opened: Scaffold | None) -> dict[str, Any]:
    identity = "new" if opened is None else str(opened.id)
    columns, required = find_columns(kind), find_required(kind)
    values: dict[str, Any] = {}
    for place, fields in zip(st.columns(len(columns), gap="medium"), columns, strict=True):
        with place:
            for field in fields:
                value = field.start if opened is None else getattr(opened, field.name)
                fixed = opened is not None and field.label == "Key"
                entered = draw_field(
                    field,
                    value,
                    key=f"scaffold_{identity}_{field.name}",
                    disabled=fixed,
                    required=field.name in required,
                )
                values[field.name] = read_field(field, entered)
    return values


def _build(kind: ScaffoldKind, values: dict[str, Any], opened: Scaffold | None) -> Scaffold:
    identity: dict[str, Any] = {"id": uuid4() if opened is None else opened.id}
    if opened is not None:
        identity |= {"updated_at": opened.updated_at, f"{kind}_key": find_key(opened)}
    match kind:
        case ScaffoldKind.PERSONA:
            return Persona.model_validate(values | identity)
        case ScaffoldKind.ARC:
            return EmotionalArc.model_validate(values | identity)
        case ScaffoldKind.TOPIC:
            return TrainingTopic.model_validate(values | identity)
        case ScaffoldKind.TEMPLATE:
            raise ValueError("Templates have an editor of their own.")
        case ScaffoldKind.AXIS:
            return VariationAxis.model_validate(values | identity)
        case _:
            assert_never(kind)
