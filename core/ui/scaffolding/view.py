"""The Scaffolding page: one kind at a time, its list or one record of it. Kind, search and record are in the link."""

from collections.abc import Sequence
from typing import assert_never

import streamlit as st

from core.bootstrap import PageServices
from core.domain.scaffolding.records import PromptTemplate, ScaffoldKind
from core.domain.scaffolding.rules import find_key
from core.ui.scaffolding.form import draw_form
from core.ui.scaffolding.list import Row, draw_list
from core.ui.scaffolding.state import NEW, close_record, forget_opened, read_open
from core.ui.scaffolding.template_editor import draw_template_editor
from core.ui.shell.formats import escape_markdown

LABELS = {
    ScaffoldKind.PERSONA: "Personas",
    ScaffoldKind.ARC: "Emotional arcs",
    ScaffoldKind.TOPIC: "Topics",
    ScaffoldKind.TEMPLATE: "Templates",
    ScaffoldKind.AXIS: "Variations",
}
KIND = "kind"


def draw_tabs() -> ScaffoldKind:
    """Draw the kinds and return the chosen one."""
    chosen = st.segmented_control(
        "Kind",
        list(ScaffoldKind),
        format_func=lambda kind: LABELS[ScaffoldKind(kind)],
        default=ScaffoldKind.PERSONA,
        required=True,
        key=KIND,
        bind="query-params",
        label_visibility="collapsed",
        on_change=close_record,
    )
    return ScaffoldKind(chosen or ScaffoldKind.PERSONA)


def draw_kind(services: PageServices, kind: ScaffoldKind) -> None:
    """Draw the record of the link, else the list."""
    rows = _list_rows(services, kind)
    opened = read_open()
    if opened is None:
        forget_opened()
        draw_list(services, kind, rows)
        return
    row = None if opened == NEW else _find_row(rows, opened)
    if row is None and opened != NEW:
        st.warning(f"There is no {kind} “{escape_markdown(opened[:60])}”. Choose from the list.", icon=":material/link_off:")
        draw_list(services, kind, rows)
        return
    _draw_record(services, kind, rows, row)


def _draw_record(services: PageServices, kind: ScaffoldKind, rows: Sequence[Row], row: Row | None) -> None:
    if kind is ScaffoldKind.TEMPLATE:
        templates = [template for template in rows if isinstance(template, PromptTemplate)]
        draw_template_editor(services, templates, row if isinstance(row, PromptTemplate) else None)
    elif not isinstance(row, PromptTemplate):
        draw_form(services, kind, row)


def _list_rows(services: PageServices, kind: ScaffoldKind) -> Sequence[Row]:
    editing = services.scaffolding_editing
    match kind:
        case ScaffoldKind.PERSONA:
            return editing.list_personas()
        case ScaffoldKind.ARC:
            return editing.list_arcs()
        case ScaffoldKind.TOPIC:
            return editing.list_topics()
        case ScaffoldKind.TEMPLATE:
            return editing.list_templates()
        case ScaffoldKind.AXIS:
            return editing.list_axes()
        case _:
            assert_never(kind)


def _find_row(rows: Sequence[Row], key: str) -> Row | None:
    return next((row for row in rows if key in (find_key(row), str(row.id))), None)
