"""The Bulk Generator's choices: category, personas, arcs, topics. They live in the session and survive a change of page."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Protocol, TypeVar
from uuid import UUID

import streamlit as st

from core.domain.batches.batch import Selection
from core.domain.scaffolding.compatibility import Hint, find_hints
from core.domain.scaffolding.records import ConversationCategory, EmotionalArc, Persona, TrainingTopic
from core.services.scaffolding import Choices
from core.ui.shell.formats import escape_markdown, format_count, format_words

CATEGORY = "choice_category"
TOPIC_SEARCH = "topic_search"
BOXES_IN_ROW = 3
TOPICS_BEFORE_SCROLLING = 30
TOPICS_HEIGHT = 420
WITHOUT_TEMPLATE = "You have no template for this arc. Add one under Scaffolding, or save another analyst's as your own."
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


def set_choices(choices: Choices, selection: Selection) -> None:
    """Choose exactly what a selection has; only before the boxes are drawn."""
    st.session_state[CATEGORY] = selection.category
    st.session_state[TOPIC_SEARCH] = ""
    for kind, offered, ids in (
        ("persona", choices.personas, selection.persona_ids),
        ("arc", choices.arcs, selection.arc_ids),
        ("topic", choices.topics, selection.topic_ids),
    ):
        for item in offered:
            st.session_state[_key(kind, item.id)] = item.id in ids


def draw_choices(choices: Choices) -> Selection:
    """Draw all four and return what is chosen, without a limit."""
    category = _draw_category(choices)
    arcs_offered = choices.usable_arcs_of(category)
    topics = _read_chosen("topic", choices.topics)
    with st.container(border=True, gap="xsmall"):
        personas = _draw_heading("Personas", "persona", choices.personas)
        with st.grid(BOXES_IN_ROW, gap="xsmall"):
            for persona in choices.personas:
                label = escape_markdown(f"{persona.name} · {persona.archetype}")
                _draw_box("persona", persona.id, label, _describe_persona(persona))
    with st.container(border=True, gap="xsmall"):
        title = "Emotional arcs" if category is ConversationCategory.CORE else "Edge case arcs"
        arcs = _draw_heading(title, "arc", arcs_offered)
        with st.grid(BOXES_IN_ROW, gap="xsmall"):
            for arc in arcs_offered:
                _draw_box("arc", arc.id, escape_markdown(arc.name), _describe_arc(arc, choices))
            for arc in choices.arcs_of(category):
                if arc not in arcs_offered:
                    st.checkbox(
                        escape_markdown(arc.name), key=f"unusable_arc_{arc.id}", help=WITHOUT_TEMPLATE, disabled=True
                    )
        _draw_hints(find_hints(arcs, personas, topics), len(topics))
    with st.container(border=True, gap="xsmall"):
        _draw_topics(choices.topics)
    return Selection(
        category=category,
        persona_ids=tuple(persona.id for persona in personas),
        arc_ids=tuple(arc.id for arc in arcs),
        topic_ids=tuple(topic.id for topic in topics),
    )


def find_topics(topics: Iterable[TrainingTopic], words: str) -> tuple[TrainingTopic, ...]:
    """Return the topics with all the words in name, category, description or key concepts."""
    wanted = words.casefold().split()

    def has_all(topic: TrainingTopic) -> bool:
        text = " ".join((topic.name, format_words(topic.category), topic.description, *topic.key_concepts)).casefold()
        return all(word in text for word in wanted)

    return tuple(topic for topic in topics if has_all(topic))


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
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        chosen = _draw_counts(title, kind, offered)
        st.space("stretch")
        _draw_mass_buttons(kind, offered)
    return chosen


def _draw_counts(title: str, kind: str, offered: Sequence[Item]) -> tuple[Item, ...]:
    chosen = _read_chosen(kind, offered)
    counts = f"{len(chosen)} of {len(offered)} chosen" if chosen else f"{len(offered)} available"
    st.markdown(f"**{title}** :gray[· {counts}]", width="content")
    return chosen


def _draw_mass_buttons(kind: str, shown: Sequence[Choosable]) -> None:
    chosen = len(_read_chosen(kind, shown))
    for label, wanted, done in (("Select all", True, chosen == len(shown)), ("Clear", False, not chosen)):
        st.button(
            label,
            key=f"{kind}_{label.lower().replace(' ', '_')}",
            type="tertiary",
            disabled=done,
            on_click=_set_all,
            args=(kind, shown),
            kwargs={"chosen": wanted},
        )


def _draw_topics(topics: Sequence[TrainingTopic]) -> None:
    """Draw the topics that the search finds, by category; the two buttons act on those shown."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _draw_counts("Training topics", "topic", topics)
        words = st.text_input(
            "Search topics",
            key=TOPIC_SEARCH,
            type="search",
            live="300ms",
            placeholder="Search topics",
            label_visibility="collapsed",
            width=220,
        )
        shown = find_topics(topics, words or "")
        st.space("stretch")
        _draw_mass_buttons("topic", shown)
    if not shown:
        st.caption("No topic contains all these words. Chosen topics stay chosen.")
        return
    height = TOPICS_HEIGHT if len(shown) > TOPICS_BEFORE_SCROLLING else "content"
    with st.container(height=height, border=False), st.grid(BOXES_IN_ROW, gap="xsmall"):
        for category, members in groupby(shown, key=lambda topic: topic.category):
            with st.container(gap="xxsmall"):
                st.caption(escape_markdown(format_words(category)))
                for topic in members:
                    _draw_box("topic", topic.id, escape_markdown(topic.name))


def _draw_hints(hints: Sequence[Hint], topics: int) -> None:
    """Say quietly what an arc is not recommended for; everything may be combined."""
    if not hints:
        return
    first, *others = (_word_hint(hint, topics) for hint in hints)
    more = f" {format_count(len(others), 'more hint')} …" if others else ""
    st.caption(f":material/lightbulb: {first}{more}", help="\n\n".join([*others, "You can still combine them."]))


def _word_hint(hint: Hint, topics: int) -> str:
    beyond = [escape_markdown(persona.name) for persona in hint.personas]
    if hint.topics:
        beyond.append(_word_topics(len(hint.topics), topics))
    return f"{escape_markdown(hint.arc.name)} is not recommended for {', '.join(beyond)}."


def _word_topics(unsuited: int, chosen: int) -> str:
    if unsuited < chosen:
        return f"{unsuited} of the {chosen} topics chosen"
    return "the topic chosen" if chosen == 1 else f"the {chosen} topics chosen"


def _describe_persona(persona: Persona) -> str:
    facts = f"{persona.age_range}, {persona.occupation}, {persona.income_range}."
    return escape_markdown(f"{facts} {persona.emotional_baseline}")


def _describe_arc(arc: EmotionalArc, choices: Choices) -> str:
    suited = [row.name for row in choices.personas if row.persona_key in arc.suitable_personas]
    topics = sum(topic.topic_key in arc.suitable_topics for topic in choices.topics)
    parts = [escape_markdown(arc.description)]
    if suited:
        parts.append(f"Suits {escape_markdown(', '.join(suited))}.")
    if arc.suitable_topics:
        parts.append(f"Suits {topics} of {format_count(len(choices.topics), 'topic')}.")
    return "\n\n".join(parts)


def _draw_box(kind: str, item_id: UUID, label: str, description: str | None = None) -> None:
    st.checkbox(label, key=_key(kind, item_id), help=description, persist_state="session")


def _read_chosen(kind: str, offered: Sequence[Item]) -> tuple[Item, ...]:
    return tuple(item for item in offered if st.session_state.get(_key(kind, item.id), False))


def _set_all(kind: str, items: Sequence[Choosable], *, chosen: bool) -> None:
    for item in items:
        st.session_state[_key(kind, item.id)] = chosen


def _key(kind: str, item_id: UUID) -> str:
    return f"choice_{kind}_{item_id}"
