"""Addresses of pages and what they carry: a link that is copied brings back the same view."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import PurePath
from typing import NoReturn
from uuid import UUID

import streamlit as st

from core.domain.batches.batch import BatchId, choose_skip
from core.domain.scaffolding.records import ArcId, ConversationCategory, PersonaId
from core.errors import InvalidRequest
from core.services.scaffolding import ALL
from core.ui.shell.session import find_settings

SCAFFOLDING = "pages/Scaffolding.py"
GENERATOR, MONITOR, SYSTEM = "pages/Bulk_Generator.py", "pages/Batch_Monitor.py", "pages/System.py"
CONVERSATIONS, FAILURES = "pages/Conversations.py", "pages/Failed_Generations.py"
ANALYTICS, DATASETS = "pages/Failure_Analytics.py", "pages/Datasets.py"
BATCH, CONVERSATION, FAILURE, DATASET = "batch", "conversation", "failure", "dataset"
EXPERIMENT, REVIEW = "experiment", "review"
SAMPLE, SEED = "sample", "seed"
PERSONA, ARC, TOPIC, PATTERN = "persona", "arc", "topic", "pattern"
FROM = "from"
"""The page that a button was on; for pages that take no parameter of that button."""
OPEN_PAGE = "open_page"
"""Session state: the path of the page that is open."""
LINK_SEEN = "choice_link_seen"
"""Session state: the parameters by which the Bulk Generator's choices were last set."""
LEFT = "left_views"
"""Session state: by the path of a page that was left, its parameters then and before."""
QUESTION = "batch_question"
"""Session state: which question is open, and for which batch."""


class Question(StrEnum):
    """What can be asked."""

    CANCEL = "cancel"
    BUDGET = "budget"
    RETRY = "retry"


def enter_page(path: str) -> None:
    """Note which page is open, and bring back the view that a button on it left when the back button leads here.

    Streamlit writes the parameters of the next page into the browser's history of this one first, so the button would lead
    to this page with the parameters of another.
    """
    st.session_state[OPEN_PAGE] = path
    if any("\0" in value for value in st.query_params.values()):  # No database takes this character.
        st.query_params.from_dict({name: value for name, value in st.query_params.items() if "\0" not in value})
    noted, left = st.session_state.get(LEFT, {}).pop(path, (None, None))
    if left is not None and st.query_params.to_dict() == noted:
        st.query_params.from_dict(left)


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
    _go(MONITOR, {BATCH: str(batch_id)})


def open_retry(batch_id: BatchId) -> NoReturn:
    """Go to a batch with the question open how its failed items are to be retried."""
    st.session_state[QUESTION] = (Question.RETRY, batch_id)
    open_batch(batch_id)


def open_batch_list() -> NoReturn:
    """Go to the list of batches."""
    _go(MONITOR, {})


def open_conversation(conversation_id: UUID) -> NoReturn:
    """Go to one conversation."""
    _go(CONVERSATIONS, {CONVERSATION: str(conversation_id)})


def open_conversations(
    batch_id: BatchId | None = None, *, persona_id: PersonaId | None = None, arc_id: ArcId | None = None
) -> NoReturn:
    """Go to the conversations: all, those of a batch, or those of a persona and an arc."""
    chosen = {BATCH: batch_id, PERSONA: persona_id, ARC: arc_id}
    _go(CONVERSATIONS, {name: str(value) for name, value in chosen.items() if value is not None})


def open_dataset(dataset_id: UUID) -> NoReturn:
    """Go to a data set."""
    _go(DATASETS, {DATASET: str(dataset_id)})


def open_dataset_list() -> NoReturn:
    """Go to the list of data sets."""
    _go(DATASETS, {})


def open_dataset_conversations(dataset_id: UUID, **filters: str) -> NoReturn:
    """Go to the conversations of a data set, or those of them that fit filters, given as the link holds them."""
    _go(CONVERSATIONS, {DATASET: str(dataset_id), **filters})


def open_failure(failure_id: UUID) -> NoReturn:
    """Go to one failed generation."""
    _go(FAILURES, {FAILURE: str(failure_id)})


def open_failures(batch_id: BatchId | None = None, *, pattern: str | None = None) -> NoReturn:
    """Go to the failed generations: all, those of a batch, or those with a pattern."""
    chosen = {BATCH: batch_id, PATTERN: pattern}
    _go(FAILURES, {name: str(value) for name, value in chosen.items() if value is not None})


def open_analytics(batch_id: BatchId | None = None) -> NoReturn:
    """Go to the analytics: of everything, or of a batch."""
    _go(ANALYTICS, {} if batch_id is None else {BATCH: str(batch_id)})


def open_filtered_failures(filters: Mapping[str, str]) -> NoReturn:
    """Go to the failed generations that fit filters, given as the link holds them."""
    _go(FAILURES, dict(filters))


def open_template(template_id: str) -> NoReturn:
    """Go to a prompt template."""
    _go(SCAFFOLDING, {"kind": "Templates", "open": template_id})


def open_system() -> NoReturn:
    """Go to the health of the parts."""
    _go(SYSTEM, {})


def open_generator() -> NoReturn:
    """Go to the Bulk Generator, with the choices last made there."""
    _go(GENERATOR, {})


def open_choices(choices: Mapping[str, str]) -> NoReturn:
    """Go to the Bulk Generator with choices, given as its link holds them."""
    st.session_state.pop(LINK_SEEN, None)  # The same ones as before are chosen again.
    _go(GENERATOR, dict(choices))


def open_combinations(
    category: ConversationCategory, persona_key: str, arc_key: str, topic_keys: Sequence[str] = (ALL,)
) -> NoReturn:
    """Go to the Bulk Generator with a persona, an arc and topics chosen, of which those with a conversation are skipped."""
    st.session_state.pop(LINK_SEEN, None)  # The same cell again chooses the same again.
    skip = choose_skip(simulated=find_settings().simulated)
    _go(
        GENERATOR,
        {"category": category, "personas": persona_key, "arcs": arc_key, "topics": ",".join(topic_keys), "skip": skip},
    )


def open_scaffolding() -> NoReturn:
    """Go to personas, arcs, topics and templates."""
    _go(SCAFFOLDING, {})


def _go(page: str, link: dict[str, str]) -> NoReturn:
    path, left = st.session_state.get(OPEN_PAGE), st.query_params.to_dict()
    if path is not None and path != PurePath(page).stem and (link or left):
        # Without a parameter, coming back could not be told from choosing the page in the navigation.
        link = link or {FROM: path}
        st.session_state.setdefault(LEFT, {})[path] = link, left
    st.switch_page(page, query_params=link)
