"""Batches of any size, for measurements: enough scaffolding for them, their submission and their end."""

import math
import time
from datetime import datetime

import psycopg
from pydantic import AwareDatetime

from core.bootstrap import PageServices
from core.domain.batches.batch import BatchId, BatchSettings, BatchStatus, Selection
from core.domain.record import Record
from core.domain.scaffolding.records import ConversationCategory
from core.errors import StackError

POLL_SECONDS = 0.1
# Copies differ by key and name; what is in them is the same, so prompts are as long as real ones.
_COPY_PERSONAS = """
insert into public.personas
select (jsonb_populate_record(null::public.personas, to_jsonb(p) || jsonb_build_object('id', gen_random_uuid(),
    'persona_key', p.persona_key || '_' || n, 'name', p.name || ' ' || n))).*
from (select * from public.personas where is_active order by persona_key limit 1) p, generate_series(2, %(copies)s) n
where not exists (select from public.personas o where o.persona_key = p.persona_key || '_' || n)
"""
_COPY_TOPICS = """
insert into public.training_topics
select (jsonb_populate_record(null::public.training_topics, to_jsonb(t) || jsonb_build_object('id', gen_random_uuid(),
    'topic_key', t.topic_key || '_' || n, 'name', t.name || ' ' || n))).*
from (select * from public.training_topics where is_active order by topic_key limit 1) t, generate_series(2, %(copies)s) n
where not exists (select from public.training_topics o where o.topic_key = t.topic_key || '_' || n)
"""


class BatchEnd(Record):
    """How a batch ended, and when."""

    status: BatchStatus
    accepted: int
    completed_at: AwareDatetime


def select_items(services: PageServices, database_url: str, items: int) -> Selection:
    """Return a selection of this many combinations; personas and topics are copied until there are enough."""
    category = ConversationCategory.CORE
    arcs = services.scaffolding.list_choices().arcs_of(category)
    copies = math.ceil(math.sqrt(items / len(arcs)))
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in (_COPY_PERSONAS, _COPY_TOPICS):
            connection.execute(statement, {"copies": copies})
    choices = services.scaffolding.list_choices()
    return Selection(
        category=category,
        persona_ids=tuple(persona.id for persona in choices.personas[: copies + 1]),
        arc_ids=tuple(arc.id for arc in arcs),
        topic_ids=tuple(topic.id for topic in choices.topics[: copies + 1]),
        limit=items,
    )


def submit_items(services: PageServices, selection: Selection, settings: BatchSettings, items: int) -> BatchId:
    """Submit a batch; raise StackError if it would not have this many items."""
    submitted = services.batches.submit(selection, settings)
    if submitted.planned != items:
        raise StackError(f"The batch has {submitted.planned} items instead of {items}.")
    return submitted.batch_id


def wait_for_batch(database_url: str, batch_id: BatchId, limit_seconds: float) -> BatchEnd:
    """Wait until a batch has ended; raise StackError if it was paused or takes too long."""
    deadline = time.monotonic() + limit_seconds
    with psycopg.connect(database_url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            status, reason, completed_at = _read_status(connection, batch_id)
            if status is BatchStatus.PAUSED:
                raise StackError(f"The batch was paused: {reason}")
            if status.is_final and completed_at is not None:
                row = connection.execute(
                    "select count(*) from public.batch_items where batch_id = %s and status = 'completed'", (batch_id,)
                ).fetchone()
                return BatchEnd(status=status, accepted=row[0] if row else 0, completed_at=completed_at)
            time.sleep(POLL_SECONDS)
    raise StackError(f"The batch did not end within {limit_seconds:.0f} s.")


def _read_status(connection: psycopg.Connection, batch_id: BatchId) -> tuple[BatchStatus, str | None, datetime | None]:
    row = connection.execute(
        "select status, status_reason, completed_at from public.batches where id = %s", (batch_id,)
    ).fetchone()
    if row is None:
        raise StackError(f"There is no batch {batch_id}.")
    return BatchStatus(row[0]), row[1], row[2]
