"""What Home and the Batch Monitor read."""

import csv
import io
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import psycopg
import pytest

from core.config import Settings
from core.domain.batches.batch import BatchAction, BatchId, BatchStatus, RetryChanges
from core.domain.batches.monitor import BatchFilters, ItemStatus, LogFormat
from core.domain.batches.work import ItemReleased
from core.domain.verdict.reply import RawResponse
from core.errors import InvalidRequest, NotFound
from core.services.batches import BatchService
from core.services.monitor import MonitorService
from tests.factories import make_attempt, make_selection
from tests.fakes.queue import ScriptedQueue
from tests.support import stores as support
from tests.support.results import accept, fail
from tests.support.stores import Stores, lease, open_stores, record


@dataclass(frozen=True, kw_only=True)
class Watched:
    """The services over an analyst's stores."""

    stores: Stores
    batches: BatchService
    monitor: MonitorService


@pytest.fixture
def watched(stores: Stores) -> Watched:
    return Watched(
        stores=stores,
        batches=BatchService(batches=stores.batches, scaffolding=stores.scaffolding, queue=ScriptedQueue()),
        monitor=MonitorService(store=stores.monitor),
    )


def submit(watched: Watched, name: str = "A batch", topics: int = 4, **settings: object) -> BatchId:
    return support.submit(watched.stores, make_selection(topics=topics), name=name, **settings)


def work_off(watched: Watched, batch_id: BatchId) -> None:
    """Accept the first item, fail the second, give the third back after a refusal, leave the fourth."""
    first, second, third = lease(watched.stores, batch_id, 3)
    raw = RawResponse(status_code=529, headers={}, body=b"{}")
    refused = make_attempt(
        stop_reason=None, http_status=529, raw=raw, error_type="overloaded_error", cost_usd=None, usage={}
    )
    record(watched.stores, accept(first), fail(second), ItemReleased(item=third, attempt=refused, delay_seconds=60))


def test_batches_are_found_by_text_and_status_in_pages_newest_first(watched: Watched) -> None:
    for number in range(3):
        submit(watched, f"Autumn {number}", topics=1)
    paused = submit(watched, "Winter_100%", topics=1)
    watched.stores.batches.control(paused, BatchAction.PAUSE)

    def names(filters: BatchFilters, page: int = 1, page_size: int = 25) -> list[str]:
        return [batch.name for batch in watched.monitor.list_batches(filters, page=page, page_size=page_size).batches]

    assert names(BatchFilters()) == ["Winter_100%", "Autumn 2", "Autumn 1", "Autumn 0"]
    assert names(BatchFilters(text="AUTUMN")) == ["Autumn 2", "Autumn 1", "Autumn 0"]
    assert names(BatchFilters(text="_100%")) == ["Winter_100%"]
    assert names(BatchFilters(text=str(paused)[:8])) == ["Winter_100%"]
    assert names(BatchFilters(statuses=(BatchStatus.PAUSED, BatchStatus.FAILED))) == ["Winter_100%"]
    assert names(BatchFilters(text="autumn"), page=2, page_size=2) == ["Autumn 0"]
    assert watched.monitor.list_batches(BatchFilters(text="autumn"), page_size=1).total == 3
    assert names(BatchFilters(text="nothing like it")) == []


def test_a_batch_is_watched_with_its_charts(watched: Watched) -> None:
    batch_id = submit(watched)
    work_off(watched, batch_id)

    found = watched.monitor.watch(batch_id)

    progress = found.progress
    assert (progress.accepted, progress.failed, progress.queued, progress.attempts) == (1, 1, 2, 3)
    assert found.breakdown.by_failure_type == {"truncation": 1}
    assert found.breakdown.by_pattern == {"lone_backslash": 1}
    assert found.breakdown.by_stop_reason == {"end_turn": 2, "none": 1}
    assert sum(point.accepted for point in found.trend) == 1
    assert sum(point.failed for point in found.trend) == 1
    assert len(found.trend) <= 60
    assert (found.retries, found.retry_of_name) == ((), None)


def test_a_point_of_the_trend_stands_for_ten_items_or_more_where_the_middle_one_closed(
    watched: Watched, seeded: Settings
) -> None:
    batch_id = support.submit(watched.stores, make_selection(personas=2, topics=14), concurrency=40)
    items = lease(watched.stores, batch_id, 28)
    record(watched.stores, *(fail(item) if item.position == 3 else accept(item) for item in items))
    with psycopg.connect(seeded.require_db_url()) as connection:
        connection.execute(
            """update batch_items set finished_at = now() - interval '9 hours' + position * interval '1 s'
                + case when position > 5 then interval '8 hours' else interval '0' end where batch_id = %(id)s""",
            {"id": batch_id},
        )

    first, second = watched.monitor.watch(batch_id).trend

    assert [(9, 1), (18, 0)] == [(point.accepted, point.failed) for point in (first, second)]
    assert (8 * 3600 + 9, 17) == tuple((point.ends_at - point.begins_at).total_seconds() for point in (first, second))
    assert (4, 8) == tuple((point.at - point.begins_at).total_seconds() for point in (first, second))
    assert second.ends_at < datetime.now(UTC)


def test_a_batch_that_has_not_begun_has_no_trend_and_an_unknown_one_is_not_found(watched: Watched) -> None:
    assert watched.monitor.watch(submit(watched)).trend == ()
    with pytest.raises(NotFound):
        watched.monitor.watch(BatchId(uuid4()))


def test_items_say_what_happened_and_lead_on(watched: Watched) -> None:
    batch_id = submit(watched)
    work_off(watched, batch_id)

    page = watched.monitor.list_items(batch_id)

    assert page.total == 4
    accepted, failed, waiting, untouched = page.items
    assert [item.position for item in page.items] == [0, 1, 2, 3]
    assert (accepted.status, accepted.turn_count, accepted.failure_id) == (ItemStatus.COMPLETED, 4, None)
    assert accepted.conversation_id is not None
    assert (accepted.duration_ms, accepted.output_tokens, accepted.cost_usd) == (1200, 2000, 0.022)
    assert (failed.status, failed.truncation_pattern, failed.turn_index) == (ItemStatus.FAILED, "lone_backslash", 3)
    assert failed.failure_id is not None
    assert failed.failure_details == "turn 4 (assistant) stops at: the \\"
    assert (waiting.status, waiting.attempts, waiting.last_error, waiting.last_http_status) == (
        ItemStatus.QUEUED, 1, "overloaded_error", 529,
    )  # fmt: skip
    assert (untouched.attempts, untouched.cost_usd, untouched.output_tokens) == (0, None, None)
    assert all(item.persona and item.arc and item.topic for item in page.items)


def test_items_are_filtered_by_status_and_paged(watched: Watched) -> None:
    batch_id = submit(watched)
    work_off(watched, batch_id)

    failed = watched.monitor.list_items(batch_id, ItemStatus.FAILED)
    second = watched.monitor.list_items(batch_id, page=2, page_size=3)

    assert (failed.total, [item.position for item in failed.items]) == (1, [1])
    assert (second.total, [item.position for item in second.items]) == (4, [3])
    assert watched.monitor.list_items(BatchId(uuid4())).total == 0


def test_the_log_has_every_attempt_and_disarms_formulas(watched: Watched) -> None:
    monitor = replace(watched.monitor, log_rows_of_page=2)  # three attempts: two pages
    batch_id = submit(watched)
    first, second, third = lease(watched.stores, batch_id, 3)
    record(watched.stores, accept(first), fail(second, request_id="=cmd()"), accept(third))

    rows = list(csv.DictReader(io.StringIO(monitor.write_log(batch_id, LogFormat.CSV).decode())))
    lines = [json.loads(line) for line in monitor.write_log(batch_id, LogFormat.JSONL).splitlines()]

    assert sorted(row["item"] for row in rows) == ["0", "1", "2"]
    by_item = {line["item"]: line for line in lines}
    assert len(lines) == 3
    assert (by_item[1]["outcome"], by_item[1]["request_id"]) == ("failed", "=cmd()")
    assert next(row for row in rows if row["item"] == "1")["request_id"] == "'=cmd()"
    assert all(line["simulated"] and line["persona"] and line["topic"] for line in lines)
    assert monitor.write_log(BatchId(uuid4()), LogFormat.JSONL) == b""


def test_a_retry_is_linked_both_ways(watched: Watched) -> None:
    batch_id = submit(watched, "First")
    work_off(watched, batch_id)

    retry = watched.batches.retry_failed(batch_id, RetryChanges(name="Second try", max_tokens=4000)).batch_id

    assert [(link.id, link.name) for link in watched.monitor.watch(batch_id).retries] == [(retry, "Second try")]
    found = watched.monitor.watch(retry)
    assert (found.progress.retry_of, found.retry_of_name, found.progress.max_tokens) == (batch_id, "First", 4000)


def test_a_retry_leaves_out_what_a_retry_has_fixed_or_works_on(watched: Watched) -> None:
    batch_id = submit(watched, topics=3)
    record(watched.stores, *(fail(item) for item in lease(watched.stores, batch_id)))
    assert watched.monitor.watch(batch_id).to_retry == 3

    retry = watched.batches.retry_failed(batch_id).batch_id
    with pytest.raises(InvalidRequest, match="or waits in one"):
        watched.batches.retry_failed(batch_id)
    first, *others = lease(watched.stores, retry)
    record(watched.stores, accept(first), *(fail(item) for item in others))

    assert (watched.monitor.watch(batch_id).to_retry, watched.monitor.watch(retry).to_retry) == (2, 2)
    assert watched.batches.retry_failed(retry).planned == 2
    assert watched.monitor.watch(batch_id).to_retry == 0  # A retry of the retry works on them.


def test_batches_of_one_name_are_told_apart(watched: Watched) -> None:
    for _ in range(3):
        submit(watched, "A" * 200, topics=1)
    first, second = submit(watched, "Autumn", topics=1), submit(watched, "Autumn", topics=1)

    names = [batch.name for batch in watched.monitor.list_batches().batches]

    assert ["Autumn (2)", "Autumn", f"{'A' * 196} (3)", f"{'A' * 196} (2)", "A" * 200] == names
    assert first != second


def test_templates_for_a_retry_are_those_of_the_failed_arcs(watched: Watched) -> None:
    batch_id = submit(watched)
    assert watched.monitor.list_retry_templates(batch_id) == ()
    work_off(watched, batch_id)

    (template,) = watched.monitor.list_retry_templates(batch_id)

    assert template.is_used
    assert watched.batches.retry_failed(batch_id, RetryChanges(template_id=template.id)).planned == 1


def test_a_paused_batch_resumes_with_a_new_budget(watched: Watched) -> None:
    batch_id = submit(watched, budget_usd=0.05)
    record(watched.stores, *(accept(item) for item in lease(watched.stores, batch_id, 2)))
    lease(watched.stores, batch_id, 2)
    progress = watched.batches.get(batch_id)
    assert progress.status is BatchStatus.PAUSED
    with pytest.raises(InvalidRequest, match="spent"):
        watched.batches.control(batch_id, BatchAction.RESUME, budget_usd=progress.cost_usd)
    with pytest.raises(InvalidRequest, match="when a batch is resumed"):
        watched.batches.control(batch_id, BatchAction.CANCEL, budget_usd=5)

    watched.batches.control(batch_id, BatchAction.RESUME, budget_usd=5)

    assert watched.batches.get(batch_id).budget_usd == 5
    assert len(lease(watched.stores, batch_id, 2)) == 2


def test_what_was_judged_since_a_pause_is_counted_apart(watched: Watched) -> None:
    batch_id = submit(watched, topics=4)
    assert (watched.batches.get(batch_id).recent_since, watched.batches.get(batch_id).recent_judged) == (None, 0)
    record(watched.stores, *(accept(item) for item in lease(watched.stores, batch_id, 2)))
    watched.stores.batches.control(batch_id, BatchAction.PAUSE)
    paused = watched.batches.get(batch_id)
    watched.stores.batches.control(batch_id, BatchAction.RESUME)
    resumed = watched.batches.get(batch_id)
    (third,) = lease(watched.stores, batch_id, 1)
    record(watched.stores, fail(third))
    going_on = watched.batches.get(batch_id)

    assert (paused.recent_since, paused.recent_judged) == (paused.started_at, 2)
    assert paused.recent_since is not None and paused.recent_until is not None  # noqa: PT018 - for the types
    assert paused.recent_since <= paused.recent_until
    assert (resumed.recent_judged, resumed.recent_until) == (0, None)
    assert resumed.recent_since is not None and resumed.recent_since >= paused.recent_until  # noqa: PT018 - likewise
    assert (going_on.recent_judged, going_on.recent_since) == (1, resumed.recent_since)
    assert going_on.recent_until is not None and going_on.recent_until >= resumed.recent_since  # noqa: PT018 - likewise


def test_of_an_open_batch_the_latest_thirty_count_and_of_one_that_has_ended_all(watched: Watched) -> None:
    selection = make_selection(personas=2, topics=17)
    batch_id = support.submit(watched.stores, selection, concurrency=40)
    first, *others, last = lease(watched.stores, batch_id, 34)
    record(watched.stores, accept(first))
    first_at = watched.batches.get(batch_id).recent_until
    for item in others[:2]:
        record(watched.stores, accept(item))
    record(watched.stores, *(accept(item) for item in others[2:]))
    going_on = watched.batches.get(batch_id)
    record(watched.stores, accept(last))
    ended = watched.batches.get(batch_id)

    assert going_on.recent_judged == 30
    assert going_on.recent_since is not None and first_at is not None and going_on.recent_since > first_at  # noqa: PT018
    assert (ended.status, ended.recent_judged, ended.recent_since) == (BatchStatus.COMPLETED, 34, ended.started_at)


def test_the_overview_counts_all_batches(watched: Watched) -> None:
    assert watched.stores.overview.read().batches == 0
    for name in ("One", "Two"):
        work_off(watched, submit(watched, name))
    watched.stores.batches.control(submit(watched, "Three"), BatchAction.PAUSE)

    overview = watched.stores.overview.read()

    assert (overview.batches, overview.active_batches, overview.paused_batches, overview.open_items) == (3, 2, 1, 4)
    assert (overview.accepted, overview.failed, overview.recent_accepted, overview.recent_failed) == (2, 2, 2, 2)
    assert (overview.conversations, overview.simulated_conversations) == (2, 2)
    assert (overview.spend_usd, overview.simulated_spend_usd) == (0, pytest.approx(0.088))
    assert [seen.pattern for seen in overview.patterns] == ["lone_backslash"]
    coverage = overview.coverage
    assert (coverage.topics, len(coverage.personas), len(coverage.arcs)) == (20, 3, 8)
    (cell,) = coverage.cells
    assert (cell.topics, cell.conversations) == (1, 2)  # Twice the same topic.
    assert coverage.count_topics(cell.persona_id, cell.emotional_arc_id) == 1


def test_what_was_really_charged_stands_apart(watched: Watched) -> None:
    batch_id = submit(watched)
    first, second = lease(watched.stores, batch_id, 2)
    record(watched.stores, accept(first, simulated=False), accept(second))

    overview = watched.stores.overview.read()

    assert (overview.spend_usd, overview.simulated_spend_usd) == (pytest.approx(0.022), pytest.approx(0.022))


def test_a_stranger_sees_nothing_of_a_batch(watched: Watched, seeded: Settings) -> None:
    batch_id = submit(watched)
    with open_stores(seeded) as stranger:
        theirs = MonitorService(store=stranger.monitor)

        assert theirs.list_batches().total == 0
        assert theirs.list_items(batch_id).total == 0
        assert list(theirs.iterate_log(batch_id)) == []
        assert stranger.overview.read().batches == 0
        with pytest.raises(NotFound):
            theirs.watch(batch_id)


@pytest.mark.parametrize("function", ["read_overview", "read_database_health", "measure_storage", "read_claude_health"])
def test_a_visitor_may_call_none_of_it(seeded: Settings, function: str) -> None:
    url, key = seeded.require_supabase()

    answer = httpx.post(f"{url}/rest/v1/rpc/{function}", headers={"apikey": key}, json={})

    assert answer.status_code in {401, 403, 404}, answer.text
