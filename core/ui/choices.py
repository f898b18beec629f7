"""The Bulk Generator's choices: category, personas, arcs, topics. They live in the session and survive a change of page."""

from collections.abc import Sequence
from itertools import groupby
from typing import Protocol, TypeVar
from uuid import UUID

import streamlit as st

from core.bootstrap import PageServices
from core.domain.batch import Selection
from core.domain.scaffolding import ConversationCategory, TrainingTopic
from core.services.scaffolding import Choices
from core.ui.formats import escape_markdown, format_words

CATEGORY = "choice_category"
BOXES_IN_ROW = 3
CATEGORY_LABELS = {
    ConversationCategory.CORE: "Core conversations",
    ConversationCategory.EDGE: "Edge case conversations",
}
CATEGORY_CAPTIONS = {
    ConversationCategory.CORE: "Standard emotional journeys: confusion → clarity, fear → confidence …",
    ConversationCategory.EDGE: "Boundary and crisis scenarios: crisis → referral, hostility → boundary …",
}


class Choosable(Protocol):
    """A persona, an arc or a topic."""

    @property
    def id(self) -> UUID: ...


Item = TypeVar("Item", bound=Choosable)


@st.cache_resource(scope="session", ttl=30, show_spinner="Reading personas, arcs and topics …")
def load_choices(_services: PageServices, user: str) -> Choices:  # noqa: ARG001 - `user` is the cache's key
    """Return what is active, read anew every half minute."""
    return _services.scaffolding.list_choices()


def draw_choices(choices: Choices) -> Selection:
    """Draw all four and return what is chosen, without a limit."""
    category = _draw_category(choices)
    arcs_offered = choices.arcs_of(category)
    with st.container(border=True, gap="xsmall"):
        personas = _draw_heading("Personas", "persona", choices.personas)
        with st.grid(BOXES_IN_ROW, gap="xsmall"):
            for persona in choices.personas:
                _draw_box("persona", persona.id, escape_markdown(f"{persona.name} · {persona.archetype}"))
    with st.container(border=True, gap="xsmall"):
        title = "Emotional arcs" if category is ConversationCategory.CORE else "Edge case arcs"
        arcs = _draw_heading(title, "arc", arcs_offered)
        with st.grid(BOXES_IN_ROW, gap="xsmall"):
            for arc in arcs_offered:
                _draw_box("arc", arc.id, escape_markdown(arc.name))
    with st.container(border=True, gap="xsmall"):
        topics = _draw_heading("Training topics", "topic", choices.topics)
        _draw_topics(choices.topics)
    return Selection(
        category=category,
        persona_ids=tuple(persona.id for persona in personas),
        arc_ids=tuple(arc.id for arc in arcs),
        topic_ids=tuple(topic.id for topic in topics),
    )


def _draw_category(choices: Choices) -> ConversationCategory:
    def clear_arcs() -> None:
        _set_all("arc", choices.arcs, chosen=False)

    chosen = st.radio(
        "Conversation category",
        list(ConversationCategory),
        key=CATEGORY,
        format_func=lambda category: CATEGORY_LABELS[ConversationCategory(category)],
        captions=list(CATEGORY_CAPTIONS.values()),
        horizontal=True,
        label_visibility="collapsed",
        on_change=clear_arcs,
        persist_state="session",
    )
    return ConversationCategory(chosen)


def _draw_heading(title: str, kind: str, offered: Sequence[Item]) -> tuple[Item, ...]:
    """Draw a title with its counts and the two buttons; return what is chosen of it."""
    chosen = tuple(item for item in offered if st.session_state.get(_key(kind, item.id), False))
    counts = f"{len(chosen)} of {len(offered)} chosen" if chosen else f"{len(offered)} available"
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.markdown(f"**{title}** :gray[· {counts}]", width="content")
        st.space("stretch")
        for label, wanted, done in (
            ("Select all", True, len(chosen) == len(offered)),
            ("Clear", False, not chosen),
        ):
            st.button(
                label,
                key=f"{kind}_{label.lower().replace(' ', '_')}",
                type="tertiary",
                disabled=done,
                on_click=_set_all,
                args=(kind, offered),
                kwargs={"chosen": wanted},
            )
    return chosen


def _draw_topics(topics: Sequence[TrainingTopic]) -> None:
    with st.grid(BOXES_IN_ROW, gap="xsmall"):
        for category, members in groupby(topics, key=lambda topic: topic.category):
            with st.container(gap="xxsmall"):
                st.caption(format_words(category))
                for topic in members:
                    _draw_box("topic", topic.id, escape_markdown(topic.name))


def _draw_box(kind: str, item_id: UUID, label: str) -> None:
    st.checkbox(label, key=_key(kind, item_id), persist_state="session")


def _set_all(kind: str, items: Sequence[Choosable], *, chosen: bool) -> None:
    for item in items:
        st.session_state[_key(kind, item.id)] = chosen


def _key(kind: str, item_id: UUID) -> str:
    return f"choice_{kind}_{item_id}"
