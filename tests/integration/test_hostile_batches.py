"""Batches that nobody can generate, beside another analyst's: they end with their reason, and his goes through."""

import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from rq import Queue
from rq.serializers import JSONSerializer

from core.adapters.queue.redis_connection import connect_redis
from core.adapters.supabase.failures import SupabaseFailureStore
from core.adapters.supabase.migrations import apply_migrations
from core.adapters.supabase.pages import SupabaseBatchStore, SupabaseScaffoldingStore
from core.adapters.supabase.scaffolding import SupabaseScaffoldingEditor
from core.adapters.supabase.session import Analyst, open_service
from core.adapters.supabase.worker import SupabaseReconciler
from core.config import Settings
from core.domain.batches.batch import BatchAction, BatchId, BatchProgress, BatchStatus, Selection
from core.domain.batches.estimate import estimate_batch
from core.domain.batches.results import FailureFilters
from core.domain.scaffolding.prompt import choose_template
from core.domain.scaffolding.records import ArcId, ConversationCategory, PromptTemplate
from core.embedded.plan import REPOSITORY, SERVICES, Part, StackPlan
from core.embedded.stack import Stack, start_stack
from core.seed import seed
from core.services.reconciliation import INTERVAL_SECONDS
from tests.factories import make_selection, make_settings
from tests.support.stack import bare_settings, sign_up

ARCS = make_selection(1, 4, 1).arc_ids
ENDLESS = "{% for i in range(10**9) %}{% for j in range(10**9) %}{% endfor %}{% endfor %}"
WORKER = "worker-1"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own with a worker: others' templates must not become hostile."""
    settings = bare_settings(tmp_path_factory.mktemp("hostile"))
    plan = StackPlan(
        settings.model_copy(update={"sim_faults": "", "sim_latency_seconds": 0.2, "worker_count": 1}),
        SERVICES | {Part.SIMULATOR, Part.WORKER},
        migrate=partial(apply_migrations, folder=REPOSITORY / "migrations"),
        seed=seed,
    )
    with start_stack(plan, print) as running:
        yield running


def save_hostile_template(analyst: Analyst, arc_id: ArcId, text: str) -> None:
    """Save a template past the editor, as anybody with a session can."""
    good = choose_template(SupabaseScaffoldingStore(analyst=analyst).list_offered_templates(), arc_id)
    assert good is not None
    hostile = PromptTemplate.model_validate(
        good.model_dump() | {"id": uuid4(), "template_key": f"hostile_{uuid4().hex}", "user_prompt": good.user_prompt + text}
    )
    assert SupabaseScaffoldingEditor(analyst=analyst).save_template(hostile, None).outcome == "saved"


def submit(analyst: Analyst, arc_id: ArcId, topics: int) -> BatchId:
    some = make_selection(1, 1, topics)
    selection = Selection(
        category=ConversationCategory.CORE, persona_ids=some.persona_ids, arc_ids=(arc_id,), topic_ids=some.topic_ids
    )
    batches = SupabaseBatchStore(analyst=analyst)
    return batches.submit("B", selection, make_settings(), estimate_batch(topics, concurrency=3), None).batch_id


def spoil_persona(settings: Settings, batch_id: BatchId) -> None:
    """Make the ages of a batch's personas numbers."""
    with psycopg.connect(settings.require_db_url(), autocommit=True) as connection:
        connection.execute(
            "update public.batches b set snapshot = jsonb_set(b.snapshot, '{personas}', ("
            "select jsonb_object_agg(p.key, jsonb_set(p.value, '{demographics}', '{\"age\": 41}'))"
            " from jsonb_each(b.snapshot -> 'personas') p)) where b.id = %s",
            (batch_id,),
        )


def wait_until_idle(analyst: Analyst, batch_id: BatchId) -> BatchProgress:
    deadline = time.monotonic() + 400
    while time.monotonic() < deadline:
        progress = SupabaseBatchStore(analyst=analyst).get(batch_id)
        assert progress is not None
        if not progress.has_work_in_flight:
            return progress
        time.sleep(0.5)
    pytest.fail(f"The batch still moves: {progress}")


def read_failures(analyst: Analyst, batch_id: BatchId) -> list[str]:
    page = SupabaseFailureStore(analyst=analyst).list_page(FailureFilters(batch_id=batch_id), page_size=10)
    return [row.truncation_details or "" for row in page.rows]


def read_log(stack: Stack) -> str:
    return "".join(path.read_text() for path in Path(stack.folder.path).rglob("*worker-1*.log"))


@pytest.mark.timeout(900)
def test_batches_that_nobody_can_generate_end_with_their_reason_and_disturb_nobody(stack: Stack) -> None:
    settings = stack.settings
    stack.supervisor.stop(WORKER)
    with sign_up(settings) as hostile, sign_up(settings) as neighbour:
        save_hostile_template(hostile, ARCS[0], "{{ 1/0 }}")
        save_hostile_template(hostile, ARCS[1], ENDLESS)
        raising, endless, malformed = submit(hostile, ARCS[0], 2), submit(hostile, ARCS[1], 2), submit(hostile, ARCS[2], 2)
        spoil_persona(settings, malformed)
        good = submit(neighbour, ARCS[3], 6)
        stack.supervisor.start(WORKER)

        undisturbed = wait_until_idle(neighbour, good)
        assert (undisturbed.status, undisturbed.accepted) == (BatchStatus.COMPLETED, 6)

        for batch_id, what in ((raising, "arithmetic"), (endless, "a call such as range")):
            progress = wait_until_idle(hostile, batch_id)
            assert (progress.status, progress.failed, progress.attempts) == (BatchStatus.FAILED, 2, 0)
            assert all(f"uses {what}" in failure for failure in read_failures(hostile, batch_id))

        paused = wait_until_idle(hostile, malformed)
        assert (paused.status, paused.queued) == (BatchStatus.PAUSED, 2)
        assert paused.status_reason is not None
        assert paused.status_reason.startswith(
            "Paused automatically: its persona Marcus Chen cannot be read (demographics.age"
        )

        _wait_for_empty_queue(settings)
        complaints = read_log(stack).count("plan_unreadable")
        time.sleep(2 * INTERVAL_SECONDS)
        log = read_log(stack)
        assert 1 <= log.count("plan_unreadable") == complaints
        assert "Traceback" not in log

        batches = SupabaseBatchStore(analyst=hostile)
        assert batches.control(malformed, BatchAction.CANCEL, None) is BatchStatus.CANCELLED
        cancelled = batches.get(malformed)
        assert cancelled is not None
        assert (cancelled.cancelled, cancelled.remaining) == (2, 0)


def _wait_for_empty_queue(settings: Settings) -> None:
    """Jobs that were asked for before the last batch stopped end; none has crashed, and nobody asks for more."""
    with closing(connect_redis(settings.require_redis(), retries=1)) as redis:
        queue = Queue(settings.queue_name, connection=redis, serializer=JSONSerializer)
        deadline = time.monotonic() + 60
        while queue.get_job_ids() or queue.started_job_registry.get_job_ids():
            assert time.monotonic() < deadline, "The queue does not become empty."
            time.sleep(0.5)
        assert queue.failed_job_registry.get_job_ids() == []
    with open_service(settings.require_supabase()[0], settings.require_secret_key()) as client:
        assert SupabaseReconciler(client=client).reconcile() == ()
