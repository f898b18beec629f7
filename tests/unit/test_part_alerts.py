"""What the pages find by themselves, because it is about right now."""

from datetime import UTC, datetime, timedelta

import pytest

from core.domain.diagnosis.alerts import AlertSeverity
from core.domain.diagnosis.health import Health, Part, PartHealth, PartState, QueueHealth, WorkerHealth
from core.domain.diagnosis.part_alerts import find_part_alerts

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def make_health(*parts: PartHealth, workers_alive: int | None = 1) -> Health:
    workers = tuple(
        WorkerHealth(name=f"w{number}", state="idle", last_heartbeat_at=NOW - timedelta(seconds=1))
        for number in range(workers_alive or 0)
    )
    queue = None if workers_alive is None else QueueHealth(waiting_jobs=0, started_jobs=0, failed_jobs=0, workers=workers)
    return Health(parts=parts, queue=queue, checked_at=NOW)


def test_a_part_that_is_down_is_critical_and_one_with_a_problem_is_not_an_alert() -> None:
    health = make_health(
        PartHealth(part=Part.QUEUE, state=PartState.DOWN, found="Connection refused."),
        PartHealth(part=Part.DATABASE, state=PartState.PROBLEM, found="2 are not applied"),
        PartHealth(part=Part.CLAUDE, state=PartState.UNKNOWN, found="not called yet"),
    )

    (alert,) = find_part_alerts(health, open_items=0, now=NOW)

    assert alert.severity is AlertSeverity.CRITICAL
    assert "Redis is down: Connection refused." in alert.message


def test_no_worker_is_critical_only_while_something_waits() -> None:
    idle = find_part_alerts(make_health(workers_alive=0), open_items=0, now=NOW)
    waiting = find_part_alerts(make_health(workers_alive=0), open_items=12, now=NOW)

    assert [AlertSeverity.WARNING] == [alert.severity for alert in idle]
    assert [AlertSeverity.CRITICAL] == [alert.severity for alert in waiting]
    assert "12 conversations wait" in waiting[0].message
    assert find_part_alerts(make_health(workers_alive=1), open_items=12, now=NOW) == ()
    assert find_part_alerts(make_health(workers_alive=None), open_items=12, now=NOW) == ()


@pytest.mark.parametrize(("seconds", "alerts"), [(5, 0), (29, 0), (31, 1), (3_600, 1)])
def test_that_no_worker_is_alive_is_not_claimed_before_one_could_be_heard(seconds: int, alerts: int) -> None:
    queue = QueueHealth(waiting_jobs=0, started_jobs=0, failed_jobs=0, began_at=NOW - timedelta(seconds=seconds))

    found = find_part_alerts(Health(parts=(), queue=queue, checked_at=NOW), open_items=12, now=NOW)

    assert len(found) == alerts
