"""The reading view of one conversation (`?conversation=ID`): chat, emotions, origin, review, previous and next.

What Claude wrote is shown as text, never as markdown or HTML.
"""

from uuid import UUID

import streamlit as st

from core.bootstrap import PageServices
from core.domain.amounts import format_duration, format_money
from core.domain.datasets.records import ConversationPlace, ReviewStatus, StoredConversation
from core.domain.paging import RowPlace
from core.domain.scaffolding.prompt import render_prompt
from core.domain.scaffolding.variations import Combination, draw_values
from core.domain.verdict.conversation import Role, Turn
from core.errors import TemplateInvalid
from core.ui.conversations.filters import read_conversation_filters
from core.ui.conversations.journey_chart import describe_journey, draw_journey
from core.ui.conversations.list import REVIEW_COLORS
from core.ui.conversations.review import draw_review_buttons, draw_review_question
from core.ui.shell.facts import draw_facts
from core.ui.shell.formats import NOTHING, escape_markdown, format_count, format_time, format_words
from core.ui.shell.link_state import change_link, read_uuid
from core.ui.shell.links import CONVERSATION, DATASET, open_batch, open_dataset
from core.ui.shell.page import draw_figure, draw_header, draw_simulated_badge
from core.ui.shell.session import find_reader
from core.ui.shell.status import name_tier

CHAT_PIXELS = 610
ICONS = {Role.USER: ":material/person:", Role.ASSISTANT: ":material/support_agent:"}


def draw_conversation(services: PageServices, conversation_id: UUID) -> None:
    """Draw the conversation; raise NotFound."""
    filters = read_conversation_filters()
    opened = services.conversations.open(conversation_id, find_reader(), filters)
    conversation, place = opened.conversation, opened.place
    _draw_title(conversation)
    _draw_controls(services, conversation, place)
    with st.container():
        if filters.review_status is not None:
            _draw_review_progress(place)
        _draw_review_state(conversation, is_held=opened.is_held)
    chat, side = st.columns([7, 5], gap="small")
    # Another conversation is another container, which begins at its top.
    with chat, st.container(height=CHAT_PIXELS, border=True, autoscroll=False, key=f"chat_{conversation.id}"):
        told = conversation.metadata
        st.caption(escape_markdown(f"{told.session_context} · {told.conversation_phase}"))
        for turn in conversation.turns:
            _draw_turn(turn)
    with side:
        with st.container(border=True, gap="xxsmall"):
            st.markdown("**Emotional journey** :gray[· circles: client, squares: adviser]")
            draw_figure(draw_journey(conversation.turns), key="journey", alt=describe_journey(conversation.turns))
        _draw_origin(conversation)
        _draw_edits(conversation)
    draw_review_question(services, conversation, place.older_id)


def _draw_title(conversation: StoredConversation) -> None:
    with draw_header(escape_markdown(conversation.name), says_simulated=conversation.simulated):
        st.badge(format_words(conversation.review_status), color=REVIEW_COLORS[conversation.review_status])
        if conversation.simulated:
            draw_simulated_badge()
        st.space("stretch")


def _draw_controls(services: PageServices, conversation: StoredConversation, place: RowPlace) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        dataset_id = read_uuid(DATASET)
        if dataset_id is not None and st.button("Data set", icon=":material/dataset:", type="tertiary", key="to_dataset"):
            open_dataset(dataset_id)
        st.button(
            "All conversations", icon=":material/list:", type="tertiary", on_click=_open, args=(None,), key="back_to_list"
        )
        for label, icon, shortcut, neighbour in (
            ("Previous", ":material/chevron_left:", "k", place.newer_id),
            ("Next", ":material/chevron_right:", "j", place.older_id),
        ):
            st.button(
                label,
                icon=icon,
                key=f"read_{label.lower()}",
                shortcut=shortcut,
                disabled=neighbour is None,
                on_click=_open,
                args=(neighbour,),
            )
        if place.total:
            st.caption(f"{place.newer + 1:,} of {max(place.total, place.newer + 1):,} filtered", width="content")
        st.space("stretch")
        draw_review_buttons(services, conversation, place.older_id)


def _draw_review_progress(place: ConversationPlace) -> None:
    """Say how far the review of this data set or filter is."""
    total, left = sum(place.by_review_status.values()), place.by_review_status.get(ReviewStatus.PENDING_REVIEW, 0)
    st.progress((total - left) / total if total else 1.0, text=f"**{total - left:,} of {total:,}** reviewed")
    if total and not left:
        st.success("All of them are reviewed.", icon=":material/done_all:")


def _draw_review_state(conversation: StoredConversation, *, is_held: bool) -> None:
    """Say what reviewers noted, and whether somebody else is at it."""
    if is_held:
        st.warning("Another reader has this open. Next leads to one that nobody reads.", icon=":material/group:")
    if conversation.review_reason is not None:
        st.caption(f"Rejected: {escape_markdown(conversation.review_reason)}")
    if conversation.review_note is not None:
        st.info(escape_markdown(conversation.review_note), icon=":material/sticky_note_2:")


def _draw_edits(conversation: StoredConversation) -> None:
    if not conversation.edits:
        return
    with st.expander(f"Edited {format_count(len(conversation.edits), 'time')}", icon=":material/history:"):
        for edit in conversation.edits:
            turn = conversation.turns[edit.turn_place]
            when = format_time(edit.edited_at, st.context.timezone)
            st.caption(f"Turn {turn.turn_number} said before {escape_markdown(when)}")
            st.text(edit.content_before)


def _open(conversation_id: UUID | None) -> None:
    change_link({CONVERSATION: None if conversation_id is None else str(conversation_id)}, keep_page=True)


def _draw_turn(turn: Turn) -> None:
    feeling = turn.emotional_context
    second = f" and {feeling.secondary_emotion}" if feeling.secondary_emotion else ""
    with st.chat_message(turn.role.value, avatar=ICONS[turn.role]):
        felt = f"{feeling.primary_emotion}{second} · intensity {feeling.intensity:.2f}"
        st.caption(escape_markdown(f"{turn.turn_number} · {felt}"))
        st.text(turn.content)


def _draw_origin(conversation: StoredConversation) -> None:
    template = conversation.template
    tokens = f"{_count(conversation.input_tokens)} in, {_count(conversation.output_tokens)} out"
    cost = NOTHING if conversation.cost_usd is None else format_money(conversation.cost_usd)
    took = NOTHING if conversation.duration_ms is None else format_duration(conversation.duration_ms / 1000)
    facts = {
        "Batch": conversation.batch_name,
        "Persona": None if conversation.persona is None else conversation.persona.name,
        "Arc": None if conversation.arc is None else conversation.arc.name,
        "Topic": None if conversation.topic is None else conversation.topic.name,
        "Category, tier": f"{conversation.category}, {name_tier(conversation.tier)}",
        "Template": None if template is None else f"{template.name}, version {template.version}",
        "Variation": _describe_variation(conversation),
        "Model": conversation.model,
        "Tokens": tokens,
        "Cost": f"{cost}{', simulated' if conversation.simulated else ''}; took {took}",
        "Quality": None if conversation.quality_score is None else f"{conversation.quality_score:.1f}",
        "Accepted": format_time(conversation.created_at, st.context.timezone),
        "Id": conversation.id,
    }
    with st.container(border=True, gap="xxsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**Origin**", width="content")
            st.space("stretch")
            if st.button("Open batch", type="tertiary", icon=":material/open_in_full:", key="open_batch"):
                open_batch(conversation.batch_id)  # pyright: ignore[reportArgumentType] - BatchId is a UUID by another name
        draw_facts(facts)
    with st.expander("Prompt", icon=":material/description:"):
        st.code(_make_prompt(conversation), language=None, wrap_lines=True, height=300)


def _describe_variation(conversation: StoredConversation) -> str | None:
    if conversation.variation == 1:
        return None
    names = {axis.axis_key: axis.name for axis in conversation.axes.values()}
    told = (f"{names.get(key, key)}: {value}" for key, value in conversation.variation_values.items())
    return "; ".join((str(conversation.variation), *told))


def _count(tokens: int | None) -> str:
    return NOTHING if tokens is None else f"{tokens:,}"


def _make_prompt(conversation: StoredConversation) -> str:
    """Return the prompt as it was sent: rendered again from what the batch keeps."""
    parts = (conversation.template, conversation.persona, conversation.arc, conversation.topic)
    template, persona, arc, topic = parts
    if template is None or persona is None or arc is None or topic is None:
        return "The batch does not hold the scaffolding of this prompt."
    try:
        combination = Combination.of(persona, arc, topic)
        drawn = draw_values(conversation.axes.values(), combination, conversation.variation)
        return render_prompt(template, persona, arc, topic, drawn).text
    except TemplateInvalid as error:
        return str(error)
