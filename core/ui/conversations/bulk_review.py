"""Approve or reject all that the filters show, after a question, with a way back."""

import streamlit as st

from core.bootstrap import PageServices
from core.domain.datasets.records import ConversationCounts, ConversationFilters, ReviewStatus
from core.services.reviews import review_all
from core.ui.conversations.review import REASONS
from core.ui.shell.formats import format_count
from core.ui.shell.page import draw_answers, leave_notice
from core.ui.shell.review_undo import Undoable, can_undo, remember, undo
from core.ui.shell.session import report_errors

ASKING = "reviewing_all"
VERBS = {ReviewStatus.APPROVED: "Approve", ReviewStatus.REJECTED: "Reject", ReviewStatus.PENDING_REVIEW: "Back to pending"}


def draw_bulk_review(services: PageServices, filters: ConversationFilters, counts: ConversationCounts) -> None:
    """Draw the buttons for all that the filters show, and the question that one of them opened."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if st.button(f"Review all {counts.total:,}", icon=":material/rule:", type="tertiary", key="review_all"):
            st.session_state[ASKING] = True
        if can_undo():
            st.button("Undo the last review", icon=":material/undo:", type="tertiary", on_click=undo, args=(services,))
    if st.session_state.get(ASKING):
        _ask(services, filters, counts)


def _forget() -> None:
    st.session_state.pop(ASKING, None)


@st.dialog("Review all that the filters show", icon=":material/rule:", on_dismiss=_forget)
def _ask(services: PageServices, filters: ConversationFilters, counts: ConversationCounts) -> None:
    status = st.radio(
        "Review",
        list(VERBS),
        format_func=lambda status: VERBS[ReviewStatus(status)],
        horizontal=True,
        key="review_all_status",
    )
    reason = None
    if status is ReviewStatus.REJECTED:
        reason = st.selectbox(
            "Reason", REASONS, index=None, accept_new_options=True, placeholder="None", key="review_all_reason"
        )
    st.markdown(
        f"**{format_count(counts.total, 'conversation')}** on all pages of the list get this review, read or not. "
        "You can undo it."
    )
    label = f"{VERBS[status]}: all {counts.total:,}"
    if not draw_answers(label, ":material/rule:", forget=_forget, key="do_review_all"):
        return
    with report_errors(), st.spinner("Reviewing …"):
        done = review_all(services.conversations, filters, status, reason)
    _forget()
    remember(Undoable(done.before))
    leave_notice(f"{format_count(len(done.before), 'review')} changed; {done.read:,} of these conversations had been read.")
    st.rerun()
