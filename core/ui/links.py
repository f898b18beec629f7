"""Addresses of pages and what they carry: a link that is copied brings back the same view."""

from collections.abc import Mapping
from typing import NoReturn
from uuid import UUID

import streamlit as st

from core.domain.batch import BatchId
from core.domain.scaffolding import ArcId, PersonaId
from core.errors import InvalidRequest

SCAFFOLDING = "pages/Scaffolding.py"
GENERATOR, MONITOR, SYSTEM = "pages/Bulk_Generator.py", "pages/Batch_Monitor.py", "pages/System.py"
CONVERSATIONS, FAILURES = "pages/Conversations.py", "pages/Failed_Generations.py"
ANALYTICS = "pages/Failure_Analytics.py"
BATCH, CONVERSATION, FAILURE = "batch", "conversation", "failure"
EXPERIMENT = "experiment"
PERSONA, ARC, PATTERN = "persona", "arc", "pattern"


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


def open_conversation(conversation_id: UUID) -> NoReturn:
    """Go to one conversation."""
    st.switch_page(CONVERSATIONS, query_params={CONVERSATION: str(conversation_id)})


def open_conversations(
    batch_id: BatchId | None = None, *, persona_id: PersonaId | None = None, arc_id: ArcId | None = None
) -> NoReturn:
    """Go to the conversations: all, those of a batch, or those of a persona and an arc."""
    chosen = {BATCH: batch_id, PERSONA: persona_id, ARC: arc_id}
    st.switch_page(CONVERSATIONS, query_params={name: str(value) for name, value in chosen.items() if value is not None})


def open_failure(failure_id: UUID) -> NoReturn:
    """Go to one failed generation."""
    st.switch_page(FAILURES, query_params={FAILURE: str(failure_id)})


def open_failures(batch_id: BatchId | None = None, *, pattern: str | None = None) -> NoReturn:
    """Go to the failed generations: all, those of a batch, or those with a pattern."""
    chosen = {BATCH: batch_id, PATTERN: pattern}
    st.switch_page(FAILURES, query_params={name: str(value) for name, value in chosen.items() if value is not None})


def open_analytics(batch_id: BatchId | None = None) -> NoReturn:
    """Go to the analytics: of everything, or of a batch."""
    st.switch_page(ANALYTICS, query_params={} if batch_id is None else {BATCH: str(batch_id)})


def open_filtered_failures(filters: Mapping[str, str]) -> NoReturn:
    """Go to the failed generations that fit filters, given as the link holds them."""
    st.switch_page(FAILURES, query_params=dict(filters))


def open_template(template_id: str) -> NoReturn:
    """Go to a prompt template."""
    st.switch_page(SCAFFOLDING, query_params={"kind": "Templates", "open": template_id})


def open_system() -> NoReturn:
    """Go to the health of the parts."""
    st.switch_page(SYSTEM)


def open_generator() -> NoReturn:
    """Go to the Bulk Generator, with the choices last made there."""
    st.switch_page(GENERATOR)
