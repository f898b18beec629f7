"""Review by keys: approve, reject for a reason, undo, edit, note. In a field letters do nothing but write."""

from enum import StrEnum
from pathlib import Path
from typing import assert_never
from uuid import UUID

import streamlit as st
from streamlit.components.v2 import component

from core.bootstrap import PageServices
from core.domain.datasets.records import ReviewStatus, StoredConversation
from core.services.reviews import edit_turn, note_conversation, review_conversation
from core.ui.shell.link_state import change_link
from core.ui.shell.links import CONVERSATION
from core.ui.shell.page import draw_answers, leave_notice
from core.ui.shell.review_undo import Undoable, can_undo, remember, undo
from core.ui.shell.session import report_errors

_guard_keys = component("review_keys", js=Path(__file__).with_name("review_keys.js").read_text(encoding="utf-8"))
QUESTION = "review_question"
"""Session state: the open question and its conversation."""
SHOWN_OF_TURN = 80
REASONS = ("Not realistic", "Wrong or risky advice", "Off topic", "Repetitive", "Emotions do not fit", "Too short")
KEYS = {
    "A": "approve, and on to the next",
    "X": "reject, and on to the next",
    "U": "undo the last review",
    "J / K": "next / previous",
    "E": "edit a turn",
    "N": "note",
    "H": "this help",
}


class Question(StrEnum):
    """What can be asked about a conversation."""

    REASON = "reason"
    EDIT = "edit"
    NOTE = "note"
    HELP = "help"


def review(
    services: PageServices,
    conversation: StoredConversation,
    status: ReviewStatus,
    next_id: UUID | None,
    reason: str | None = None,
) -> None:
    """Note a review and go on to the next conversation, if there is one."""
    with report_errors():
        review_conversation(services.conversations, conversation.id, status, reason)
        remember(Undoable([(conversation.id, conversation.review_status)], conversation.id))
        if next_id is not None:
            change_link({CONVERSATION: str(next_id)}, keep_page=True)


def draw_review_buttons(services: PageServices, conversation: StoredConversation, next_id: UUID | None) -> None:
    """Draw the buttons of the review, each with its key."""
    st.button(
        "Approve",
        icon=":material/thumb_up:",
        key="review_approved",
        shortcut="a",
        disabled=conversation.review_status is ReviewStatus.APPROVED,
        on_click=review,
        args=(services, conversation, ReviewStatus.APPROVED, next_id),
    )
    st.button(
        "Reject",
        icon=":material/thumb_down:",
        key="review_rejected",
        shortcut="x",
        disabled=conversation.review_status is ReviewStatus.REJECTED,
        on_click=_ask,
        args=(Question.REASON, conversation.id),
    )
    st.button(
        "Undo",
        icon=":material/undo:",
        key="review_undo_last",
        shortcut="u",
        disabled=not can_undo(),
        help="Takes your last review back",
        on_click=undo,
        args=(services,),
    )
    for question, label, icon, shortcut in (
        (Question.EDIT, "Edit", ":material/edit:", "e"),
        (Question.NOTE, "Note", ":material/sticky_note_2:", "n"),
        (Question.HELP, "Keys", ":material/keyboard:", "h"),
    ):
        st.button(
            label,
            icon=icon,
            key=f"review_{question}",
            shortcut=shortcut,
            type="tertiary",
            on_click=_ask,
            args=(question, conversation.id),
        )


def draw_review_question(services: PageServices, conversation: StoredConversation, next_id: UUID | None) -> None:
    """Draw the question that is open, if one is; meanwhile the letters of the review do nothing."""
    _guard_keys(key="review_keys")
    question, conversation_id = st.session_state.get(QUESTION, (None, None))
    if question is None or conversation_id != conversation.id:
        return
    match question:
        case Question.REASON:
            _ask_reason(services, conversation, next_id)
        case Question.EDIT:
            _ask_edit(services, conversation)
        case Question.NOTE:
            _ask_note(services, conversation)
        case Question.HELP:
            _show_keys()
        case _:
            assert_never(question)


def _ask(question: Question, conversation_id: UUID) -> None:
    st.session_state[QUESTION] = question, conversation_id


def _forget() -> None:
    st.session_state.pop(QUESTION, None)


@st.dialog("Why is it rejected?", icon=":material/thumb_down:", on_dismiss=_forget)
def _ask_reason(services: PageServices, conversation: StoredConversation, next_id: UUID | None) -> None:
    for number, reason in enumerate(REASONS, start=1):
        if st.button(reason, key=f"reason_{number}", shortcut=str(number), width="stretch"):
            _reject(services, conversation, next_id, reason)
    own = st.text_input("Another reason", max_chars=200, key="own_reason", placeholder="Enter keeps it")
    if own.strip():
        _reject(services, conversation, next_id, own.strip())
    if st.button("Without a reason", key="no_reason", type="tertiary"):
        _reject(services, conversation, next_id, None)


def _reject(services: PageServices, conversation: StoredConversation, next_id: UUID | None, reason: str | None) -> None:
    _forget()
    review(services, conversation, ReviewStatus.REJECTED, next_id, reason)
    st.rerun()


@st.dialog("Edit a turn", icon=":material/edit:", width="large", on_dismiss=_forget)
def _ask_edit(services: PageServices, conversation: StoredConversation) -> None:
    turns = conversation.turns

    def name_turn(place: int) -> str:
        turn = turns[place]
        return f"{turn.turn_number} · {turn.role}: {turn.content[:SHOWN_OF_TURN]}"

    place = st.selectbox(
        "Turn",
        list(range(len(turns))),
        format_func=name_turn,
        key=f"edit_place_{conversation.id}",
    )
    text = st.text_area("What it says", value=turns[place].content, height=300, key=f"edit_{conversation.id}_{place}")
    _guard_keys(key="edit_field", data={"focus": True})
    st.caption("What it said before is kept. An edit that would not pass the verdict is refused.")
    # Not disabled by the text: the page hears of it only when the field loses its focus, so it would take two clicks.
    if draw_answers("Save", ":material/save:", forget=_forget):
        if text.strip() == turns[place].content:
            st.warning("Nothing is changed yet: the turn says this already.", icon=":material/edit_off:")
            return
        with report_errors():
            edit_turn(services.conversations, conversation, place, text.strip())
        _forget()
        leave_notice(f"Turn {turns[place].turn_number} is edited.")
        st.rerun()


@st.dialog("Note", icon=":material/sticky_note_2:", on_dismiss=_forget)
def _ask_note(services: PageServices, conversation: StoredConversation) -> None:
    before = conversation.review_note or ""
    text = st.text_area("Note", value=before, max_chars=5_000, height=160, label_visibility="collapsed")
    _guard_keys(key="note_field", data={"focus": True})
    if draw_answers("Save", ":material/save:", forget=_forget):  # Not disabled by the text, as above.
        if text.strip() != before:
            with report_errors():
                note_conversation(services.conversations, conversation.id, text)
        _forget()
        st.rerun()


@st.dialog("Keys", icon=":material/keyboard:", on_dismiss=_forget)
def _show_keys() -> None:
    st.markdown("\n".join(f"- `{key}` {does}" for key, does in KEYS.items()))
    st.caption("They do nothing while you type into a field or a question is open.")
