"""The way from a data set to its review: all that waits, or a sample that is drawn by chance."""

from random import SystemRandom
from typing import NoReturn

import streamlit as st

from core.bootstrap import PageServices
from core.domain.datasets.plans import Dataset, DatasetId
from core.domain.datasets.records import ConversationFilters, ReviewStatus
from core.ui.shell.links import CONVERSATION, REVIEW, SAMPLE, SEED, open_dataset_conversations
from core.ui.shell.session import find_reader

LARGEST_SAMPLE, USUAL_SAMPLE = 1_000, 20
LARGEST_SEED = 999_999
"""The seed stands in the link, so that a refresh and a colleague see the same sample."""


def open_review(services: PageServices, dataset_id: DatasetId, sample_size: int | None = None) -> NoReturn:
    """Go to the first conversation that waits, of all or of a new sample; the others follow it.

    A sample of which none waits any more is read whole.
    """
    seed = None if sample_size is None else SystemRandom().randint(1, LARGEST_SEED)
    queue = ConversationFilters(
        dataset_id=dataset_id,
        review_status=ReviewStatus.PENDING_REVIEW,
        sample_size=sample_size,
        sample_seed=seed,
    )
    first = services.conversations.find_place(None, queue, find_reader()).older_id
    if first is None:
        queue = queue.model_copy(update={"review_status": None})
        first = services.conversations.find_place(None, queue).older_id
    link = {REVIEW: queue.review_status, SAMPLE: sample_size, SEED: seed, CONVERSATION: first}
    open_dataset_conversations(dataset_id, **{name: str(value) for name, value in link.items() if value is not None})


def choose_sample(dataset: Dataset) -> int:
    """Draw how many are to be drawn; return it."""
    st.markdown(
        f"Drawn by chance from all **{dataset.accepted + dataset.rejected:,}** conversations of this data set, read or not. "
        "The link keeps the sample. Those of it that wait for review come one after the other; if none waits, all."
    )
    most = max(1, min(LARGEST_SAMPLE, dataset.accepted + dataset.rejected))
    return st.number_input(
        "Conversations", min_value=1, max_value=most, value=min(USUAL_SAMPLE, most), step=10, key="sample_size"
    )
