"""The searchable list of one kind of scaffolding, with a switch for each row and a link to its form."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import streamlit as st

from core.bootstrap import PageServices
from core.domain.scaffolding.records import (
    EmotionalArc,
    Persona,
    PromptTemplate,
    Scaffold,
    ScaffoldKind,
    TrainingTopic,
    Uses,
    VariationAxis,
)
from core.domain.scaffolding.rules import find_key
from core.ui.scaffolding.state import NEW, open_record
from core.ui.shell.cached_reads import load_choices
from core.ui.shell.formats import format_count, format_words
from core.ui.shell.page import leave_notice
from core.ui.shell.tables import RowButton, draw_table

Row = Scaffold | PromptTemplate
EDIT, SWITCH_ON, SWITCH_OFF = ":material/edit: Edit", ":material/toggle_off: Activate", ":material/toggle_on: Deactivate"
SEARCH = "search"
PLURALS = {ScaffoldKind.AXIS: "axes"}
ACTIVE, INACTIVE = "active", "inactive"
SHIPPED, YOURS = "ships with Bright Run", "yours"
VARYING = "The second and further conversations of a combination are told a value of each active axis."
MEANING = "Inactive records are not offered for new batches. Nothing is deleted; existing batches keep their scaffolding."


def draw_list(services: PageServices, kind: ScaffoldKind, rows: Sequence[Row]) -> None:
    """Draw the rows that the search finds, with their results."""
    active = sum(row.is_active for row in rows)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        words = _draw_search()
        shown = [row for row in rows if _has_words(row, words)]
        found = f", {len(shown)} found" if words else ""
        meaning = VARYING if kind is ScaffoldKind.AXIS else MEANING
        st.caption(f"{_count(len(rows), kind)}, {active} active{found}. {meaning}", width="stretch")
        st.button(f"Add {kind}", icon=":material/add:", on_click=open_record, args=(NEW,), key="add_record")
    if not shown:
        st.info("Nothing contains all these words." if rows else "There is none yet. Add one.", icon=":material/search_off:")
        return
    # No conversation is of one axis: each is told a value of all.
    uses = None if kind is ScaffoldKind.AXIS else services.scaffolding_editing.count_uses(kind)
    buttons = {
        "edit": RowButton(lambda row: open_record(_link_key(shown[row])), width=85),
        "switch": RowButton(lambda row: _switch(services, shown[row]), width=115),
    }
    draw_table(
        [_make_row(row, uses) for row in shown],
        _configure_columns(kind),
        key=f"list_{kind}",
        alt=f"{len(shown)} of {_count(len(rows), kind)}, {active} active",
        file_name=PLURALS.get(kind, f"{kind}s"),
        buttons=buttons,
    )


def _count(number: int, kind: ScaffoldKind) -> str:
    return format_count(number, kind, PLURALS.get(kind))


def _draw_search() -> str:
    words = st.text_input(
        "Search",
        key=SEARCH,
        type="search",
        live="300ms",
        bind="query-params",
        persist_state="session",
        placeholder="Search all texts",
        label_visibility="collapsed",
        width=260,
    )
    return words or ""


def _switch(services: PageServices, row: Row) -> None:
    if isinstance(row, PromptTemplate):
        outcome = services.scaffolding_editing.set_template_active(row.id, active=not row.is_active)
    else:
        outcome = services.scaffolding_editing.save(row.model_copy(update={"is_active": not row.is_active}))
    if outcome.outcome == "saved":
        load_choices.clear()
        state = "no longer offered" if row.is_active else "offered for new batches"
        leave_notice(f"{row.name} is {state}.")
    else:
        leave_notice(outcome.reason or "Not saved.")


def _link_key(row: Row) -> str:
    return str(row.id) if isinstance(row, PromptTemplate) else find_key(row)


def _has_words(row: Row, words: str) -> bool:
    text = " ".join(str(value) for value in row.model_dump(exclude={"id", "updated_at"}).values()).casefold()
    return all(word in text for word in words.casefold().split())


def _make_row(row: Row, uses: Mapping[UUID, Uses] | None) -> dict[str, Any]:
    counts = {} if uses is None else uses.get(row.id, Uses()).model_dump()
    return {
        "name": row.name,
        **_describe(row),
        "state": [ACTIVE if row.is_active else INACTIVE],
        **counts,
        "changed": row.updated_at,
        "edit": EDIT,
        "switch": SWITCH_OFF if row.is_active else SWITCH_ON,
    }


def _describe(row: Row) -> dict[str, Any]:
    match row:
        case Persona():
            return {"first": row.archetype, "second": row.occupation}
        case EmotionalArc():
            return {"first": row.conversation_category, "second": row.arc_strategy.replace("_", " ")}
        case TrainingTopic():
            return {"first": format_words(row.category), "second": row.complexity_level}
        case PromptTemplate():
            return {"first": f"version {row.version}", "second": row.template_key}
        case VariationAxis():
            return {"first": str(len(row.values)), "second": SHIPPED if row.created_by is None else YOURS}


def _configure_columns(kind: ScaffoldKind) -> dict[str, Any]:
    column = st.column_config
    first, second = {
        ScaffoldKind.PERSONA: ("Archetype", "Occupation"),
        ScaffoldKind.ARC: ("Category", "Strategy"),
        ScaffoldKind.TOPIC: ("Category", "Complexity"),
        ScaffoldKind.TEMPLATE: ("Version", "Key"),
        ScaffoldKind.AXIS: ("Values", "Origin"),
    }[kind]
    counts = {
        "accepted": column.NumberColumn(
            "Accepted", format="localized", width=85, help="Your accepted conversations that use it"
        ),
        "failed": column.NumberColumn("Failed", format="localized", width=70),
    }
    return {
        "name": column.TextColumn("Name", width=260),
        "first": column.TextColumn(first, width=150),
        "second": column.TextColumn(second, width=190),
        "state": column.MultiselectColumn("State", options=[ACTIVE, INACTIVE], color=["green", "gray"], width=85),
        **({} if kind is ScaffoldKind.AXIS else counts),
        "changed": column.DatetimeColumn("Changed", format="distance", width=110),
    }
