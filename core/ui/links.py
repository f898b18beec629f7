"""Addresses of pages and what they carry: a link that is copied brings back the same view."""

from typing import NoReturn
from uuid import UUID

import streamlit as st

from core.domain.batch import BatchId
from core.errors import InvalidRequest

GENERATOR, MONITOR = "pages/Bulk_Generator.py", "pages/Batch_Monitor.py"
SCAFFOLDING = "pages/Scaffolding.py"
FAILURES, CONVERSATIONS = "pages/Failed_Generations.py", "pages/Conversations.py"
BATCH, CONVERSATION = "batch", "conversation"


def read_batch_link() -> BatchId | None:
    """Return the batch of `?batch=ID`, None without one; raise InvalidRequest if it is not an id."""
    text = st.query_params.get(BATCH)
    if not text:
        return None
    try:
        return BatchId(UUID(text))
    except ValueError as error:
        shown = text if len(text) <= 60 else text[:60] + "…"  # noqa: PLR2004 - enough to recognise a typing error
        raise InvalidRequest(f"“{shown}” in this page's address is not a batch id. Choose a batch from the list.") from error


def open_batch(batch_id: BatchId) -> NoReturn:
    """Go to a batch."""
    st.switch_page(MONITOR, query_params={BATCH: str(batch_id)})


def open_batch_list() -> NoReturn:
    """Go to the list of batches."""
    st.switch_page(MONITOR)


def open_generator() -> NoReturn:
    """Go to the Bulk Generator, with the choices last made there."""
    st.switch_page(GENERATOR)


def open_failures(batch_id: BatchId) -> NoReturn:
    """Go to the failed generations of a batch."""
    st.switch_page(FAILURES, query_params={BATCH: str(batch_id)})


def open_conversations(batch_id: BatchId) -> NoReturn:
    """Go to the conversations of a batch."""
    st.switch_page(CONVERSATIONS, query_params={BATCH: str(batch_id)})


def open_conversation(conversation_id: UUID) -> NoReturn:
    """Go to the reading view of a conversation."""
    st.switch_page(CONVERSATIONS, query_params={CONVERSATION: str(conversation_id)})
