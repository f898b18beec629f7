"""On the real stack: accepted replies are kept for their time, and it is known what takes how much room."""

from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import pytest

from core.adapters.supabase.health import SupabaseProbe
from core.config import Settings
from core.domain.batches.batch import BatchId
from core.domain.diagnosis.health import RoomPart
from core.worker_bootstrap import open_reconciliation
from tests.factories import make_selection
from tests.support.results import accept, fail
from tests.support.stores import Stores, lease, list_conversations, record, submit


def read(settings: Settings, query: LiteralString, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.require_db_url()) as connection:
        return connection.execute(query, values).fetchall()


def age(settings: Settings, batch_id: BatchId, days: int) -> None:
    with psycopg.connect(settings.require_db_url()) as connection:
        connection.execute(
            "update public.generation_attempts set created_at = now() - make_interval(days => %s) where batch_id = %s",
            (days, batch_id),
        )


def drop(settings: Settings, keep_days: int, most: int) -> int:
    ((dropped,),) = read(settings, "select public.drop_old_replies(%s, %s)", keep_days, most)
    return int(dropped)


def count_bodies(settings: Settings, batch_id: BatchId) -> dict[str, int]:
    query: LiteralString = (
        "select outcome, count(response_body) from public.generation_attempts where batch_id = %s group by 1"
    )
    return dict(read(settings, query, batch_id))


@pytest.fixture
def old(stores: Stores, seeded: Settings) -> BatchId:
    """A batch of 31 days ago, with two accepted replies and one that failed; nothing else is so old."""
    drop(seeded, 30, 1_000)
    batch_id = submit(stores, make_selection(1, 1, 3))
    first, second, third = lease(stores, batch_id)
    record(stores, accept(first), accept(second), fail(third))
    age(seeded, batch_id, 31)
    return batch_id


def test_the_body_of_an_accepted_reply_goes_after_its_time_and_nothing_else(
    stores: Stores, seeded: Settings, old: BatchId
) -> None:
    without_body: LiteralString = (
        "select to_jsonb(a) - 'response_body' from public.generation_attempts a where batch_id = %s order by id"
    )
    before, conversations = read(seeded, without_body, old), list_conversations(stores, old)
    young = submit(stores, make_selection(1, 1, 1))
    record(stores, accept(lease(stores, young)[0]))
    age(seeded, young, 29)

    assert drop(seeded, 32, 10) == 0
    assert [1, 1, 0] == [drop(seeded, 30, 1) for _ in range(3)]

    assert {"accepted": 0, "failed": 1} == count_bodies(seeded, old)
    assert {"accepted": 1} == count_bodies(seeded, young)
    assert before == read(seeded, without_body, old)
    assert conversations == list_conversations(stores, old)


def test_a_reply_without_a_conversation_is_never_forgotten(seeded: Settings, old: BatchId) -> None:
    with psycopg.connect(seeded.require_db_url()) as connection:
        connection.execute(
            "delete from public.conversations where id = (select min(id::text)::uuid from public.conversations"
            " where batch_id = %s)",
            (old,),
        )

    assert drop(seeded, 30, 10) == 1
    assert {"accepted": 1, "failed": 1} == count_bodies(seeded, old)
    with psycopg.connect(seeded.require_db_url()) as connection:
        connection.execute("delete from public.batches where id = %s", (old,))


def test_what_somebody_else_works_on_is_left_and_waited_for_by_nobody(seeded: Settings, old: BatchId) -> None:
    with psycopg.connect(seeded.require_db_url()) as connection:
        connection.execute("select 1 from public.generation_attempts where batch_id = %s for update", (old,))

        assert drop(seeded, 30, 10) == 0
    assert drop(seeded, 30, 10) == 2


def test_what_is_due_is_found_in_its_index(seeded: Settings) -> None:
    with psycopg.connect(seeded.require_db_url()) as connection:
        connection.execute("set enable_seqscan = off")
        plan = connection.execute(
            "explain select a.id from public.generation_attempts a where a.outcome = 'accepted'"
            " and a.response_body is not null and a.created_at < now() - make_interval(days => 30)"
            " and exists (select 1 from public.conversations c where c.attempt_id = a.id)"
            " order by a.created_at limit 10 for update of a skip locked"
        ).fetchall()

    assert any("idx_generation_attempts_kept_replies" in line for (line,) in plan)


@pytest.mark.parametrize(("keep_days", "left"), [(30, 0), (32, 2), (None, 2)])
def test_a_worker_s_reconciler_forgets_by_its_setting(
    seeded: Settings, old: BatchId, tmp_path: Any, keep_days: int | None, left: int
) -> None:
    changes = {"home": tmp_path, "queue_name": f"retention-{uuid4().hex[:8]}", "keep_replies_days": keep_days}

    with open_reconciliation(seeded.model_copy(update=changes)) as reconciliation:
        reconciliation.run_once()

    assert {"accepted": left, "failed": 1} == count_bodies(seeded, old)


def test_what_takes_how_much_room_is_measured(stores: Stores, seeded: Settings, old: BatchId) -> None:
    probe = SupabaseProbe(analyst=stores.analyst)
    with psycopg.connect(seeded.require_db_url(), autocommit=True) as connection:
        connection.execute(
            "update public.generation_attempts set response_body = (select string_agg(md5(n::text || id), '')"
            " from generate_series(1, 3000) n) where batch_id = %s",
            (old,),
        )
        connection.execute("vacuum full public.generation_attempts")
        use = probe.measure_storage()
        drop(seeded, 30, 10)
        connection.execute("vacuum full public.generation_attempts")
        less = probe.measure_storage()

    assert set(use.parts) == set(RoomPart)
    assert use.parts[RoomPart.REPORTS] == use.bytes
    assert min(use.parts.values()) >= 0
    assert 190_000 < use.parts[RoomPart.ACCEPTED_REPLIES] - less.parts[RoomPart.ACCEPTED_REPLIES] < 230_000
    assert 95_000 < less.parts[RoomPart.OTHER_REPLIES]
    assert use.replies_since is not None
    assert less.replies_since is None or use.replies_since < less.replies_since
    ((tables,),) = read(
        seeded,
        "select sum(pg_total_relation_size(oid)) from pg_class"
        " where relnamespace = 'public'::regnamespace and relkind = 'r'",
    )
    assert sum(less.parts.values()) - less.bytes == pytest.approx(float(tables), rel=0.02)
