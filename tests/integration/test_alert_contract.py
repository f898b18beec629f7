"""Alerts as the database keeps them."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import uuid4

import psycopg
import pytest

from core.adapters.files.dataset_files import UploadedFile
from core.adapters.supabase.alerts import SupabaseAlertRecorder, SupabaseAlertStore
from core.adapters.supabase.session import Analyst, open_service
from core.config import Settings
from core.domain.diagnosis.alerts import (
    AlertEvaluation,
    AlertRule,
    AlertSeverity,
    JudgedCount,
    OwnerFacts,
    RaisedAlert,
    StoredAlert,
    find_alerts,
)
from core.errors import NotFound
from core.ports.alerts import AlertRecorder, AlertStore
from core.services.importing import ImportService
from tests.factories import make_old_data_set, make_selection
from tests.support.results import accept, fail
from tests.support.stack import sign_up
from tests.support.stores import Stores, lease, list_batches, record, submit


@dataclass(frozen=True, kw_only=True)
class Alerts:
    """Both sides of alerts, and the analyst whose they are."""

    stores: Stores
    recorder: AlertRecorder
    store: AlertStore

    def read_owner(self) -> OwnerFacts:
        """Return the facts of this analyst, who has a batch."""
        batch = list_batches(self.stores)[0]
        return next(owner for owner in begin(self.recorder).facts.owners if owner.created_by == batch.created_by)


@pytest.fixture
def alerts(stores: Stores, seeded: Settings) -> Iterator[Alerts]:
    with psycopg.connect(seeded.require_db_url()) as connection:
        connection.execute("delete from public.alerts")
    url, _ = seeded.require_supabase()
    with open_service(url, seeded.require_secret_key()) as client:
        yield Alerts(
            stores=stores,
            recorder=SupabaseAlertRecorder(client=client),
            store=SupabaseAlertStore(analyst=stores.analyst),
        )


def begin(recorder: AlertRecorder) -> AlertEvaluation:
    evaluation = recorder.begin(0, has_webhook=False)
    assert evaluation is not None
    return evaluation


def save(recorder: AlertRecorder, *raised: RaisedAlert) -> None:
    assert recorder.save(begin(recorder).id, raised)


def make_alert(**changes: object) -> RaisedAlert:
    """Return an alert of the installation, which every analyst sees."""
    known = {"rule": AlertRule.STORAGE, "severity": AlertSeverity.WARNING, "message": "Full. Nearly.", "advice": "Prune."}
    return RaisedAlert.model_validate(known | {"figures": {"share": 0.8}} | changes)


def read_open(store: AlertStore) -> StoredAlert:
    (alert,) = store.read().open
    return alert


def test_facts_are_what_was_judged(alerts: Alerts) -> None:
    batch_id = submit(alerts.stores, make_selection(1, 2, 9), concurrency=30)
    items = lease(alerts.stores, batch_id, wanted=30)
    record(alerts.stores, *(accept(item) for item in items[:10]), *(fail(item) for item in items[10:14]))

    owner = alerts.read_owner()

    assert JudgedCount(judged=14, failed=4) == owner.day == owner.week
    assert (JudgedCount(), 0, True) == (owner.week_before_day, owner.earlier_judged, owner.simulated)
    assert ["lone_backslash"] == [seen.pattern for seen in owner.patterns]


def test_what_a_real_claude_wrote_is_judged_by_itself(alerts: Alerts) -> None:
    batch_id = submit(alerts.stores, make_selection(1, 1, 9), concurrency=30)
    items = lease(alerts.stores, batch_id, wanted=9)
    record(alerts.stores, *(fail(item) for item in items[:5]), *(accept(item, simulated=False) for item in items[5:]))

    owner = alerts.read_owner()

    assert (JudgedCount(judged=4, failed=0), False) == (owner.day, owner.simulated)


def test_what_was_imported_raises_no_alert(alerts: Alerts) -> None:
    batch_id = submit(alerts.stores, make_selection(1, 1, 2))
    record(alerts.stores, *(accept(item) for item in lease(alerts.stores, batch_id, wanted=2)))

    file = UploadedFile(name="old.jsonl", content=make_old_data_set())
    report = ImportService(store=alerts.stores.imports, scaffolding=alerts.stores.scaffolding).import_files([file])

    assert report.flagged > 0
    owner = alerts.read_owner()
    assert (JudgedCount(judged=2, failed=0), 0, ()) == (owner.day, owner.earlier_judged, owner.patterns)


def test_alert_is_one_row_while_its_condition_lasts(alerts: Alerts) -> None:
    save(alerts.recorder, make_alert())
    first = read_open(alerts.store)
    time.sleep(0.01)
    save(alerts.recorder, make_alert(figures={"share": 0.9}))

    again = read_open(alerts.store)

    assert (first.id, first.created_at, {"share": 0.9}) == (again.id, again.created_at, again.figures)
    assert again.last_seen_at > first.last_seen_at


def test_alert_resolves_and_opens_anew(alerts: Alerts) -> None:
    save(alerts.recorder, make_alert())
    first = read_open(alerts.store)
    save(alerts.recorder)
    assert alerts.store.read().open == ()
    save(alerts.recorder, make_alert())

    assert first.id != read_open(alerts.store).id


def test_acknowledged_alert_stays_away_while_the_condition_lasts_and_comes_back_with_it(alerts: Alerts) -> None:
    save(alerts.recorder, make_alert())
    alerts.store.acknowledge(read_open(alerts.store).id, is_seen=True)
    save(alerts.recorder, make_alert())

    board = alerts.store.read()
    assert ((), 1) == (board.open, len(board.acknowledged))
    assert board.acknowledged[0].acknowledged_by_reader
    assert board.acknowledged[0].acknowledged_at is not None
    save(alerts.recorder)
    with pytest.raises(NotFound, match="already resolved"):
        alerts.store.acknowledge(board.acknowledged[0].id, is_seen=True)
    save(alerts.recorder, make_alert())
    assert read_open(alerts.store).id != board.acknowledged[0].id


def test_acknowledgement_can_be_taken_back(alerts: Alerts) -> None:
    save(alerts.recorder, make_alert())
    alert_id = read_open(alerts.store).id
    alerts.store.acknowledge(alert_id, is_seen=True)

    alerts.store.acknowledge(alert_id, is_seen=False)

    assert alert_id == read_open(alerts.store).id
    assert alerts.store.read().acknowledged == ()


def test_alert_that_gets_worse_is_told_again_and_stays_at_its_worst(alerts: Alerts) -> None:
    save(alerts.recorder, make_alert())
    (claimed,) = alerts.recorder.claim_unsent(5)
    alerts.recorder.settle(claimed.id, was_sent=True)
    alerts.store.acknowledge(claimed.id, is_seen=True)

    save(alerts.recorder, make_alert(severity=AlertSeverity.CRITICAL))

    assert (claimed.id, AlertSeverity.CRITICAL) == ((alert := read_open(alerts.store)).id, alert.severity)
    assert [claimed.id] == [alert.id for alert in alerts.recorder.claim_unsent(5)]
    alerts.recorder.settle(claimed.id, was_sent=True)
    save(alerts.recorder, make_alert())
    assert read_open(alerts.store).severity is AlertSeverity.CRITICAL
    assert alerts.recorder.claim_unsent(5) == ()


def test_alert_is_claimed_for_the_webhook_once_and_again_if_it_was_not_sent(alerts: Alerts) -> None:
    save(alerts.recorder, make_alert(), make_alert(rule=AlertRule.DRIFT, severity=AlertSeverity.CRITICAL))

    claimed = alerts.recorder.claim_unsent(5)

    assert [AlertRule.DRIFT, AlertRule.STORAGE] == [alert.rule for alert in claimed]
    assert alerts.recorder.claim_unsent(5) == ()
    alerts.recorder.settle(claimed[0].id, was_sent=False)
    alerts.recorder.settle(claimed[1].id, was_sent=True)
    assert [claimed[0].id] == [alert.id for alert in alerts.recorder.claim_unsent(5)]


def test_acknowledged_alert_is_not_sent(alerts: Alerts) -> None:
    save(alerts.recorder, make_alert())
    alerts.store.acknowledge(read_open(alerts.store).id, is_seen=True)

    assert alerts.recorder.claim_unsent(5) == ()


def test_evaluation_is_for_one_in_its_time(alerts: Alerts) -> None:
    begin(alerts.recorder)

    assert alerts.recorder.begin(60, has_webhook=True) is None
    assert not alerts.store.read().has_webhook


def test_evaluation_that_was_overtaken_saves_nothing(alerts: Alerts) -> None:
    slow, quick = begin(alerts.recorder), begin(alerts.recorder)
    assert alerts.recorder.save(quick.id, [make_alert()])

    assert not alerts.recorder.save(slow.id, [])
    assert not alerts.recorder.save(uuid4(), [])

    board = alerts.store.read()
    assert len(board.open) == 1
    assert board.evaluated_at is not None


def test_rules_find_what_the_database_counted(alerts: Alerts) -> None:
    batch_id = submit(alerts.stores, make_selection(1, 3, 10), concurrency=40)
    items = lease(alerts.stores, batch_id, wanted=40)
    record(alerts.stores, *(fail(item) for item in items[:8]), *(accept(item) for item in items[8:]))
    evaluation = begin(alerts.recorder)

    alerts.recorder.save(evaluation.id, find_alerts(evaluation.facts, storage_limit_bytes=10**12))

    alert = read_open(alerts.store)
    assert (AlertRule.FAILURE_RATE, AlertSeverity.CRITICAL) == (alert.rule, alert.severity)
    assert (8, 30) == (alert.figures["failed"], alert.figures["judged"])
    opened = begin(alerts.recorder).facts.open
    assert [AlertRule.FAILURE_RATE] == [each.rule for each in opened if each.created_by == alert.created_by]


def test_many_workers_at_once_open_one_alert_and_send_it_once(alerts: Alerts, seeded: Settings) -> None:
    workers = 6
    url, _ = seeded.require_supabase()
    starts = threading.Barrier(workers)

    def work(_: int) -> tuple[bool, int]:
        with open_service(url, seeded.require_secret_key()) as client:
            recorder = SupabaseAlertRecorder(client=client)
            starts.wait()
            evaluation = recorder.begin(0, has_webhook=True)
            saved = evaluation is not None and recorder.save(evaluation.id, [make_alert()])
            starts.wait()
            return saved, len(recorder.claim_unsent(5))

    with ThreadPoolExecutor(workers) as threads:
        done = list(threads.map(work, range(workers)))

    assert read_open(alerts.store)
    assert any(saved for saved, _ in done)
    assert sum(claimed for _, claimed in done) == 1


def test_many_workers_at_once_evaluate_once_in_its_time(alerts: Alerts, seeded: Settings) -> None:
    with psycopg.connect(seeded.require_db_url()) as connection:
        connection.execute("update public.alert_evaluations set begun_at = '-infinity'")
    url, _ = seeded.require_supabase()

    def ask(_: int) -> bool:
        with open_service(url, seeded.require_secret_key()) as client:
            return SupabaseAlertRecorder(client=client).begin(60, has_webhook=False) is not None

    with ThreadPoolExecutor(6) as threads:
        assert [True] == [was_first for was_first in threads.map(ask, range(6)) if was_first]


@pytest.fixture
def stranger(seeded: Settings) -> Iterator[Analyst]:
    with sign_up(seeded) as analyst:
        yield analyst


def test_another_analyst_sees_the_installations_alerts_alone(alerts: Alerts, stranger: Analyst) -> None:
    owner = alerts.stores.analyst.user_id
    save(alerts.recorder, make_alert(), make_alert(rule=AlertRule.DRIFT, created_by=owner))
    other = SupabaseAlertStore(analyst=stranger)
    mine = next(alert for alert in alerts.store.read().open if alert.created_by is not None)

    (shared,) = other.read().open

    assert shared.rule is AlertRule.STORAGE
    with pytest.raises(NotFound):
        other.acknowledge(mine.id, is_seen=True)
    assert len(alerts.store.read().open) == 2
    other.acknowledge(shared.id, is_seen=True)
    (acknowledged,) = alerts.store.read().acknowledged
    assert (shared.id, False) == (acknowledged.id, acknowledged.acknowledged_by_reader)
    with pytest.raises(NotFound):
        other.acknowledge(mine.id, is_seen=False)


def test_alert_of_an_analyst_who_is_gone_is_not_kept(alerts: Alerts) -> None:
    save(alerts.recorder, make_alert(rule=AlertRule.DRIFT, created_by=uuid4()))

    assert alerts.store.read().open == ()
