"""Beside a worker on the real stack: what a dead one left is recorded, what cannot be is set aside and told."""

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from core.adapters.files.spool import SPOOL_FOLDER, FileSpool
from core.adapters.supabase.alerts import SupabaseAlertStore
from core.adapters.supabase.health import SupabaseProbe
from core.adapters.supabase.work_payload import encode_result, write_result
from core.cli.doctor import examine_spool
from core.config import Settings
from core.domain.batches.work import ItemReleased, ItemResult
from core.domain.diagnosis.alerts import AlertRule
from core.worker_bootstrap import open_alerting, open_reconciliation
from tests.factories import make_attempt, make_item, make_selection
from tests.support.results import accept
from tests.support.stack import sign_up
from tests.support.stores import Stores, lease, list_conversations, record, submit


@pytest.fixture
def host(seeded: Settings, tmp_path: Path) -> Settings:
    """A host of its own, beside a queue of its own."""
    return seeded.model_copy(update={"home": tmp_path, "queue_name": f"spool-{uuid4().hex[:8]}"})


@pytest.fixture
def spool(host: Settings) -> FileSpool:
    return FileSpool(folder=host.home / SPOOL_FOLDER, min_age_seconds=0)


@pytest.fixture
def alerts(host: Settings) -> Iterator[SupabaseAlertStore]:
    with psycopg.connect(host.require_db_url()) as connection:
        connection.execute("delete from public.alerts")
        connection.execute("update public.alert_evaluations set begun_at = '-infinity'")
    with sign_up(host) as analyst:
        yield SupabaseAlertStore(analyst=analyst)


def reconcile(host: Settings, spool: FileSpool) -> None:
    """Look as the reconciler does, when the files are old enough for it."""
    minute_ago = time.time() - 60
    for path in spool.list_waiting():
        os.utime(path, (minute_ago, minute_ago))
    with open_reconciliation(host) as reconciliation:
        reconciliation.run_once()


def keep(spool: FileSpool, result: ItemResult) -> None:
    """Leave a result behind as a worker does that is killed before the database has it."""
    assert result.attempt is not None
    spool.keep({result.attempt.id: write_result(encode_result(result))})


def test_bad_files_stop_nobody_and_an_alert_tells_of_them(
    host: Settings, spool: FileSpool, stores: Stores, alerts: SupabaseAlertStore
) -> None:
    batch_id = submit(stores, make_selection(1, 1, 2))
    first, second = lease(stores, batch_id)
    keep(spool, accept(first))
    spool.folder.joinpath(f"{uuid4()}.json").write_text('{"kind": "succ')
    refused = accept(second)
    keep(spool, refused.model_copy(update={"attempt": make_attempt(duration_ms=2**40)}))
    gone = ItemReleased(item=make_item(), attempt=make_attempt())
    keep(spool, gone)

    reconcile(host, spool)

    assert len(list_conversations(stores, batch_id)) == 1
    reasons = "\n".join(path.read_text() for path in spool.set_aside_folder.glob("*.reason"))
    assert spool.count_stuck() == 3
    assert "not a result of Bright Run" in reasons
    assert "The database refused (22003)" in reasons
    assert "no such item" in reasons
    assert "3 paid replies wait" in examine_spool(host).text
    with open_alerting(host) as alerting:
        assert alerting.evaluate()
    (alert,) = [alert for alert in alerts.read().open if alert.rule is AlertRule.STUCK_RESULTS]
    assert alert.message.startswith("3 paid replies wait on disk")


def test_what_was_put_right_and_moved_back_is_recorded_and_the_alert_passes(
    host: Settings, spool: FileSpool, stores: Stores, alerts: SupabaseAlertStore
) -> None:
    (item,) = lease(stores, batch_id := submit(stores, make_selection(1, 1, 1)))
    keep(spool, result := accept(item))
    (path,) = spool.list_waiting()
    good = path.read_text()
    path.write_text(json.dumps(json.loads(good) | {"kind": "gift"}))
    reconcile(host, spool)
    with open_alerting(host) as alerting:
        alerting.evaluate()
    assert AlertRule.STUCK_RESULTS in {alert.rule for alert in alerts.read().open}

    (aside,) = spool.set_aside_folder.glob("*.json")
    aside.write_text(good)
    aside.rename(path)
    reconcile(host, spool)

    assert result.attempt is not None
    assert len(list_conversations(stores, batch_id)) == 1
    assert examine_spool(host).ok
    with psycopg.connect(host.require_db_url()) as connection:
        connection.execute("update public.alert_evaluations set begun_at = '-infinity'")
    with open_alerting(host) as alerting:
        alerting.evaluate()
    assert AlertRule.STUCK_RESULTS not in {alert.rule for alert in alerts.read().open}


def test_the_database_says_that_an_item_is_gone(stores: Stores) -> None:
    gone = make_item()

    assert ["no_such_item"] * 2 == record(stores, accept(gone), ItemReleased(item=gone, attempt=make_attempt()))


def note(host: Settings, spool_id: UUID, files: int) -> None:
    with psycopg.connect(host.require_db_url()) as connection:
        connection.execute("select public.note_spool(%s, %s, %s, %s)", (spool_id, "gone.example", files, 7_200))


def fall_silent(host: Settings, spool_id: UUID, minutes: int) -> None:
    with psycopg.connect(host.require_db_url()) as connection:
        connection.execute(
            "update public.spools set heard_at = now() - make_interval(mins => %s) where id = %s", (minutes, spool_id)
        )


def find_silent(host: Settings, alerts: SupabaseAlertStore) -> list[str]:
    with psycopg.connect(host.require_db_url()) as connection:
        connection.execute("update public.alert_evaluations set begun_at = '-infinity'")
    with open_alerting(host) as alerting:
        assert alerting.evaluate()
    return [alert.subject for alert in alerts.read().open if alert.rule is AlertRule.SILENT_HOST]


def test_a_host_tells_what_waits_on_its_disk_until_nothing_does(host: Settings, spool: FileSpool, stores: Stores) -> None:
    probe = SupabaseProbe(analyst=stores.analyst)
    spool.folder.mkdir()
    spool.folder.joinpath(f"{uuid4()}.json").write_text("{}")
    reconcile(host, spool)
    spool_id = spool.identify()

    (found,) = [each for each in probe.read_database().spools if each.id == spool_id]
    assert (socket.gethostname(), 1) == (found.host, found.files)
    assert 50 < (found.heard_at - found.oldest_at).total_seconds() < 600

    for path in spool.set_aside_folder.iterdir():
        path.unlink()
    reconcile(host, spool)
    assert [] == [each for each in probe.read_database().spools if each.id == spool_id]


def test_a_host_that_is_silent_is_told_of_until_it_comes_back(host: Settings, alerts: SupabaseAlertStore) -> None:
    spool_id = uuid4()
    note(host, spool_id, 3)
    assert str(spool_id) not in find_silent(host, alerts)

    fall_silent(host, spool_id, 16)
    assert str(spool_id) in find_silent(host, alerts)

    note(host, spool_id, 2)
    assert str(spool_id) not in find_silent(host, alerts)
    note(host, spool_id, 0)


def test_an_analyst_dismisses_a_host_that_is_silent_and_no_other(
    host: Settings, stores: Stores, alerts: SupabaseAlertStore
) -> None:
    probe, spool_id = SupabaseProbe(analyst=stores.analyst), uuid4()
    note(host, spool_id, 3)
    assert not probe.dismiss_spool(spool_id)

    fall_silent(host, spool_id, 16)
    assert probe.dismiss_spool(spool_id)

    assert not probe.dismiss_spool(spool_id)
    assert str(spool_id) not in find_silent(host, alerts)
    assert spool_id not in {each.id for each in probe.read_database().spools}
