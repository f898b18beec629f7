"""One submission, however often the button is clicked before the page changes."""

import time
from collections.abc import Callable
from typing import NoReturn, cast

import streamlit as st

from core.bootstrap import PageServices
from core.domain.batches.batch import BatchSettings, Selection, Submitted
from core.ui.shell.formats import find_known_zone, format_count
from core.ui.shell.links import open_batch, open_batch_list
from core.ui.shell.page import leave_notice

SUBMISSIONS = "batch_submissions"
REPEAT_SECONDS = 5.0
"""The same submission again within this time is a second click, not a second batch."""


def submit_one(services: PageServices, selection: Selection, settings: BatchSettings, name: str | None) -> NoReturn:
    """Submit a batch and go to it."""
    asked = f"{selection.model_dump_json()}{settings.model_dump_json()}{name}"
    zone = find_known_zone(st.context.timezone)
    (submitted,) = _submit_once(asked, lambda: (services.batches.submit(selection, settings, name=name, zone=zone),))
    _say((submitted,))
    open_batch(submitted.batch_id)


def submit_all(services: PageServices, selections: tuple[Selection, ...], settings: BatchSettings) -> NoReturn:
    """Submit several batches and go to the list of batches."""
    asked = "".join(part.model_dump_json() for part in (*selections, settings))
    zone = find_known_zone(st.context.timezone)
    _say(_submit_once(asked, lambda: services.batches.submit_all(selections, settings, zone=zone)))
    open_batch_list()


def _submit_once(asked: str, submit: Callable[[], tuple[Submitted, ...]]) -> tuple[Submitted, ...]:
    # A second click interrupts this run at Streamlit's next command, and the next run comes here again. The dictionary is a
    # plain one, so what was submitted is in it before that can happen.
    remembered = st.session_state.setdefault(SUBMISSIONS, {})
    submissions = cast("dict[str, tuple[float, tuple[Submitted, ...]]]", remembered)
    at, submitted = submissions.get(asked, (0.0, ()))
    if not submitted or time.monotonic() - at > REPEAT_SECONDS:
        submitted = submit()
        submissions.clear()
        submissions[asked] = (time.monotonic(), submitted)
    return submitted


def _say(submitted: tuple[Submitted, ...]) -> None:
    if not all(batch.is_enqueued for batch in submitted):
        leave_notice("The batch is saved, but the queue does not answer. It starts automatically when the queue is back.")
        return
    batches = f" in {len(submitted)} batches" if len(submitted) > 1 else ""
    leave_notice(f"{format_count(sum(batch.planned for batch in submitted), 'conversation')} queued{batches}.")
