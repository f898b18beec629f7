"""When the alarm is raised, and when it is not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.domain.alerts import LEAST_SAMPLE, Alert, AlertFacts, AlertSeverity, AlertTarget, find_alerts
from core.domain.health import Part, PartHealth, PartState
from core.domain.overview import PatternSeen

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
GIGABYTE = 1_000_000_000


def find(**facts: Any) -> tuple[Alert, ...]:
    return find_alerts(AlertFacts.model_validate({"now": NOW, "storage_limit_bytes": GIGABYTE, **facts}))


def seen(pattern: str, hours_ago: float) -> PatternSeen:
    return PatternSeen(pattern=pattern, first_seen_at=NOW - timedelta(hours=hours_ago))


def test_nothing_known_is_nothing_to_look_at() -> None:
    assert find() == ()


@pytest.mark.parametrize(("failed", "judged", "alarms"), [(10, 100, 0), (11, 100, 1), (100, 100, 1), (0, 100, 0)])
def test_a_failure_rate_over_ten_percent_raises_the_alarm(failed: int, judged: int, alarms: int) -> None:
    alerts = find(failed=failed, judged=judged)

    assert [alert.target for alert in alerts] == [AlertTarget.FAILURES] * alarms
    assert not alerts or f"{failed}.0% of {judged} " in alerts[0].message


@pytest.mark.parametrize("judged", [1, 5, LEAST_SAMPLE - 1])
def test_a_tiny_sample_raises_none_however_bad(judged: int) -> None:
    assert find(failed=judged, judged=judged) == ()


def test_a_pattern_first_seen_today_is_new_and_an_old_one_is_not() -> None:
    alerts = find(
        patterns=(seen("lone_backslash", 30 * 24), seen("mid_word", 23.9), seen("open_quote", 24.1)),
        first_batch_at=NOW - timedelta(days=30),
    )

    assert [alert.pattern for alert in alerts] == ["mid_word"]
    assert alerts[0].severity is AlertSeverity.WARNING
    assert "23 h ago" in alerts[0].message


def test_on_the_first_day_no_pattern_is_new() -> None:
    assert find(patterns=(seen("mid_word", 1),), first_batch_at=NOW - timedelta(hours=20)) == ()


@pytest.mark.parametrize(
    ("share", "severity"),
    [(0.79, None), (0.8, AlertSeverity.WARNING), (0.95, AlertSeverity.CRITICAL), (1.2, AlertSeverity.CRITICAL)],
)
def test_storage_warns_before_its_limit(share: float, severity: AlertSeverity | None) -> None:
    alerts = find(storage_bytes=round(share * GIGABYTE))

    assert [alert.severity for alert in alerts] == [severity] * (severity is not None)
    assert not alerts or "prune" in alerts[0].advice


def test_a_part_that_is_down_is_critical_and_one_with_a_problem_is_not_an_alert() -> None:
    alerts = find(
        parts=(
            PartHealth(part=Part.QUEUE, state=PartState.DOWN, found="Connection refused."),
            PartHealth(part=Part.DATABASE, state=PartState.PROBLEM, found="2 are not applied"),
            PartHealth(part=Part.CLAUDE, state=PartState.UNKNOWN, found="not called yet"),
        )
    )

    assert [(alert.severity, alert.target) for alert in alerts] == [(AlertSeverity.CRITICAL, AlertTarget.SYSTEM)]
    assert "Redis is down: Connection refused." in alerts[0].message


def test_no_worker_is_critical_only_while_something_waits() -> None:
    assert [alert.severity for alert in find(workers_alive=0)] == [AlertSeverity.WARNING]
    waiting = find(workers_alive=0, open_items=12)
    assert [alert.severity for alert in waiting] == [AlertSeverity.CRITICAL]
    assert "12 conversations wait" in waiting[0].message
    assert find(workers_alive=1, open_items=12) == ()
    assert find(workers_alive=None, open_items=12) == ()


def test_the_most_urgent_comes_first() -> None:
    alerts = find(
        failed=50, judged=100, storage_bytes=round(0.85 * GIGABYTE), workers_alive=0, patterns=(seen("mid_word", 1),),
        first_batch_at=NOW - timedelta(days=3),
    )  # fmt: skip

    assert [alert.severity for alert in alerts] == [AlertSeverity.CRITICAL] + [AlertSeverity.WARNING] * 3
    assert all(alert.advice for alert in alerts)
