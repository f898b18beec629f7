"""When the alarm is raised, and when it is not."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from core.domain.batches.overview import PatternSeen
from core.domain.diagnosis.alerts import (
    LEAST_BASELINE,
    LEAST_SAMPLE,
    AlertFacts,
    AlertRule,
    AlertSeverity,
    AlertTarget,
    JudgedCount,
    OpenAlert,
    OwnerFacts,
    RaisedAlert,
    find_alerts,
)
from core.domain.diagnosis.notices import HOST_SILENT_AFTER, WaitingReplies

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
GIGABYTE = 1_000_000_000
OWNER = UUID(int=7)
DAYS = 200
DAY = timedelta(days=1)


def find(
    *, open_rules: tuple[AlertRule, ...] = (), storage_bytes: int | None = None, **owner: Any
) -> tuple[RaisedAlert, ...]:
    facts = AlertFacts(
        now=NOW,
        owners=(make_owner(**owner),),
        storage_bytes=storage_bytes,
        open=tuple(OpenAlert(rule=rule, created_by=None if rule is AlertRule.STORAGE else OWNER) for rule in open_rules),
    )
    return find_alerts(facts, storage_limit_bytes=GIGABYTE)


def make_owner(**changes: Any) -> OwnerFacts:
    """Return facts of one who has worked for a month; `day` and the like are (failed, judged)."""
    counts = {name: value for name, value in changes.items() if isinstance(value, tuple) and name != "patterns"}
    changes |= {name: JudgedCount(failed=failed, judged=judged) for name, (failed, judged) in counts.items()}
    known = {"created_by": OWNER, "first_batch_at": NOW - timedelta(days=30), "earlier_judged": 100}
    return OwnerFacts.model_validate(known | changes)


def seen(pattern: str, hours_ago: float) -> PatternSeen:
    return PatternSeen(pattern=pattern, first_seen_at=NOW - timedelta(hours=hours_ago))


def list_rules(alerts: tuple[RaisedAlert, ...]) -> list[AlertRule]:
    return [alert.rule for alert in alerts]


def test_nothing_known_is_nothing_to_look_at() -> None:
    assert find() == ()
    assert find_alerts(AlertFacts(now=NOW), storage_limit_bytes=GIGABYTE) == ()


@pytest.mark.parametrize(
    ("failed", "judged", "severity"),
    [
        (0, 100, None),
        (10, 100, None),
        (11, 100, AlertSeverity.WARNING),  # Over 10 %, and hardly by chance at a rate within the target.
        (18, 100, AlertSeverity.CRITICAL),  # Over 10 % whatever chance did.
        (1_001, 10_000, AlertSeverity.WARNING),
        (100, 100, AlertSeverity.CRITICAL),
    ],
)
def test_a_failure_rate_over_ten_percent_raises_the_alarm(failed: int, judged: int, severity: AlertSeverity | None) -> None:
    alerts = find(day=(failed, judged))

    assert [alert.severity for alert in alerts] == [severity] * (severity is not None)
    for alert in alerts:
        assert (alert.rule, alert.target, alert.created_by) == (AlertRule.FAILURE_RATE, AlertTarget.ANALYTICS, OWNER)
        assert f"of {judged:,} conversations failed in the last 24 hours" in alert.headline
        assert alert.figures["failed"] == failed
        assert float(alert.figures["low"] or 0) < failed / judged <= float(alert.figures["high"] or 0)


@pytest.mark.parametrize("judged", [1, 5, LEAST_SAMPLE - 1])
def test_a_tiny_sample_raises_none_however_bad(judged: int) -> None:
    assert find(day=(judged, judged), week=(judged, judged), week_before_day=(0, 1_000)) == ()


def test_a_small_sample_over_ten_percent_that_may_be_chance_raises_none() -> None:
    assert find(day=(3, 24)) == ()  # 12.5 %, but anything from 4.3 % to 31 %


def test_few_items_of_today_are_looked_at_with_those_of_the_week() -> None:
    (alert,) = find(day=(1, 5), week=(20, 60))

    assert "of 60 conversations failed in the last 7 days" in alert.message
    assert find(day=(0, 20), week=(20, 60)) == ()  # Today says enough: it is over.


def test_simulated_conversations_are_called_so() -> None:
    (alert,) = find(day=(50, 100), simulated=True)

    assert "100 simulated conversations" in alert.message


def test_an_open_alert_stays_until_the_rate_has_clearly_left_the_threshold() -> None:
    assert list_rules(find(day=(9, 100))) == []
    assert list_rules(find(day=(9, 100), open_rules=(AlertRule.FAILURE_RATE,))) == [AlertRule.FAILURE_RATE]
    assert list_rules(find(day=(8, 100), open_rules=(AlertRule.FAILURE_RATE,))) == []


def test_a_day_that_is_worse_than_the_week_before_is_drift() -> None:
    (alert,) = find(day=(9, 90), week_before_day=(10, 1_000))

    assert (alert.rule, alert.severity) == (AlertRule.DRIFT, AlertSeverity.WARNING)
    assert alert.headline == "The failure rate rose from 1 % to 10 %"
    assert (alert.figures["baseline_failed"], alert.figures["baseline_judged"]) == (10, 1_000)
    assert float(alert.figures["p"] or 0) < 0.001


@pytest.mark.parametrize(
    ("day", "before"),
    [
        ((10, 1_000), (90, 900)),  # better
        ((300, 10_000), (200, 10_000)),  # proven, but one point is nothing to look at
        ((2, 20), (2, 100)),  # may be chance
        ((10, LEAST_SAMPLE - 1), (0, 1_000)),
        ((2, 21), (0, LEAST_BASELINE - 1)),
    ],
)
def test_what_is_no_drift(day: tuple[int, int], before: tuple[int, int]) -> None:
    assert AlertRule.DRIFT not in list_rules(find(day=day, week_before_day=before))


@pytest.mark.parametrize("rate", [0.02, 0.05, 0.15, 0.4])
def test_equal_rates_are_hardly_ever_called_drift(rate: float) -> None:
    random = np.random.default_rng(round(rate * 100))
    alarms = 0
    for _ in range(1_000):
        day, before = (int(random.integers(low, 500)) for low in (LEAST_SAMPLE, LEAST_BASELINE))
        counts = {
            "day": (int(random.binomial(day, rate)), day),
            "week_before_day": (int(random.binomial(before, rate)), before),
        }
        alarms += AlertRule.DRIFT in list_rules(find(**counts))

    assert alarms <= 3  # Expected: less than one of the two thousandths that the level allows.


def test_a_day_that_is_looked_at_after_every_item_hardly_ever_has_a_false_alarm() -> None:
    """A worker looks every minute, and would find chance sooner or later at a level that is good for one look."""
    random = np.random.default_rng(5)
    alarms = 0
    for _ in range(DAYS):
        before = (int(random.binomial(630, 0.06)), 630)
        failures = np.cumsum(random.random(200) < 0.06)
        looks = ((int(failures[judged - 1]), judged) for judged in range(LEAST_SAMPLE, 201))
        alarms += any(AlertRule.DRIFT in list_rules(find(day=day, week_before_day=before)) for day in looks)

    assert alarms <= 0.03 * DAYS


def test_a_real_rise_is_found_in_most_batches_of_ninety() -> None:
    random = np.random.default_rng(6)
    found = sum(
        AlertRule.DRIFT in list_rules(find(day=(int(random.binomial(90, 0.2)), 90), week_before_day=(30, 600)))
        for _ in range(200)
    )

    assert found >= 170


def test_a_pattern_first_seen_today_is_new_and_an_old_one_is_not() -> None:
    alerts = find(patterns=(seen("lone_backslash", 30 * 24), seen("mid_word", 23.9), seen("open_quote", 24.1)))

    assert [(alert.rule, alert.subject, alert.pattern) for alert in alerts] == [
        (AlertRule.NEW_PATTERN, "mid_word", "mid_word")
    ]
    assert alerts[0].severity is AlertSeverity.WARNING


def test_on_the_first_day_no_pattern_is_new() -> None:
    assert find(patterns=(seen("mid_word", 1),), first_batch_at=NOW - timedelta(hours=20)) == ()


def test_after_a_handful_of_conversations_no_pattern_is_new() -> None:
    assert find(patterns=(seen("mid_word", 1),), earlier_judged=LEAST_BASELINE - 1) == ()


@pytest.mark.parametrize(
    ("share", "severity"),
    [(0.79, None), (0.8, AlertSeverity.WARNING), (0.95, AlertSeverity.CRITICAL), (1.2, AlertSeverity.CRITICAL)],
)
def test_storage_warns_before_its_limit(share: float, severity: AlertSeverity | None) -> None:
    alerts = find(storage_bytes=round(share * GIGABYTE))

    assert [alert.severity for alert in alerts] == [severity] * (severity is not None)
    for alert in alerts:
        assert (alert.created_by, alert.target) == (None, AlertTarget.SYSTEM)
        assert "prune" in alert.advice


def test_the_most_urgent_comes_first() -> None:
    alerts = find(day=(50, 100), storage_bytes=round(0.85 * GIGABYTE), patterns=(seen("mid_word", 1),))

    assert [alert.severity for alert in alerts] == [AlertSeverity.CRITICAL] + [AlertSeverity.WARNING] * 2
    assert all(alert.advice for alert in alerts)


def make_spool(silent: timedelta, files: int = 2) -> WaitingReplies:
    return WaitingReplies(id=uuid4(), host="alpha", files=files, oldest_at=NOW - timedelta(days=1), heard_at=NOW - silent)


def test_a_host_that_is_silent_while_replies_wait_there_is_told_of_once_for_each_folder() -> None:
    spools = (make_spool(HOST_SILENT_AFTER), make_spool(HOST_SILENT_AFTER + timedelta(seconds=1), 1), make_spool(DAY * 3))

    found = find_alerts(AlertFacts(now=NOW, spools=spools), storage_limit_bytes=GIGABYTE)

    assert [(AlertRule.SILENT_HOST, str(spool.id)) for spool in spools[1:]] == [(each.rule, each.subject) for each in found]
    assert {(None, AlertTarget.SYSTEM, None)} == {(each.created_by, each.target, each.pattern) for each in found}
    one, two = found
    assert one.headline == "A file of paid replies waits on alpha, which is silent"
    assert two.headline == "2 files of paid replies wait on alpha, which is silent"
    assert "22 November at 11:44 UTC" in one.message
    assert "21 November, 12:00" in one.message
