"""The way back from reviews, of one conversation or of many, for all pages that review."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import streamlit as st

from core.bootstrap import PageServices
from core.domain.datasets.records import ReviewStatus
from core.services.reviews import restore_reviews
from core.ui.shell.link_state import change_link
from core.ui.shell.links import CONVERSATION
from core.ui.shell.session import report_errors

UNDO = "review_undo"
"""Session state: what can be undone, the latest last."""
MOST_UNDONE = 100


@dataclass(frozen=True)
class Undoable:
    """Reviews that can be taken back: each conversation with the status it had, and the one to go back to."""

    before: Sequence[tuple[UUID, ReviewStatus]]
    shown: UUID | None = None
    dataset_id: UUID | None = None
    """The data set as a whole that they were made for."""


def remember(undoable: Undoable) -> None:
    """Let these reviews be taken back."""
    st.session_state[UNDO] = (*st.session_state.get(UNDO, ()), undoable)[-MOST_UNDONE:]


def can_undo() -> bool:
    """Return whether there is a review to take back."""
    return bool(st.session_state.get(UNDO))


def count_undoable(dataset_id: UUID) -> int:
    """Return how many reviews the last step made, if it was one for this data set as a whole."""
    *_, last = st.session_state.get(UNDO) or (None,)
    return len(last.before) if last is not None and last.dataset_id == dataset_id else 0


def undo(services: PageServices) -> None:
    """Take the last review back, and show its conversation."""
    *rest, last = st.session_state[UNDO]
    with report_errors():
        restore_reviews(services.conversations, last.before)
        st.session_state[UNDO] = tuple(rest)
        if last.shown is not None:
            change_link({CONVERSATION: str(last.shown)}, keep_page=True)
