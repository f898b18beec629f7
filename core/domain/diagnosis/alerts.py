"""Alert rules: pure functions of counted facts. A worker evaluates them, the database stores their alerts.

What is wrong right now (a part is down, no worker is alive) is found by the pages themselves (`part_alerts.py`).

A rate near its threshold would open and resolve an alert again and again, with a notification each time. So an open
alert stays until the figure is clearly below the threshold.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from pydantic import AwareDatetime

from core.domain.batches.overview import PatternSeen
from core.domain.diagnosis.exact_tests import fisher_p
from core.domain.diagnosis.intervals import wilson_interval
from core.domain.diagnosis.notices import Notices, WaitingReplies
from core.domain.diagnosis.plain_names import add_code, name_pattern
from core.domain.percentages import format_percent
from core.domain.record import Record

TARGET_FAILURE_RATE, ALARM_FAILURE_RATE, CALM_FAILURE_RATE = 0.05, 0.10, 0.08
"""An alert opens over the second and stays until the rate is no longer over the third."""
LEAST_SAMPLE = 20
"""With fewer judged items no rate is judged."""
LEAST_BASELINE = 50
"""With fewer judged items there is no baseline of rates and patterns."""
DRIFT_ALPHA, DRIFT_CALM_ALPHA = 0.001, 0.01
"""A day is evaluated about a thousand times while its items come in; at 5 % most weeks would have a false alarm."""
DRIFT_LEAST_RISE, DRIFT_CALM_RISE = 0.05, 0.025
NEW_PATTERN_HOURS = 24
STORAGE_WARNING_SHARE, STORAGE_ALARM_SHARE, STORAGE_CALM_SHARE = 0.8, 0.95, 0.75
BYTES_OF_MEGABYTE = 1_000_000


class AlertSeverity(StrEnum):
    """How soon somebody should look, the most urgent first."""

    CRITICAL = "critical"  #: work stops, or money is lost
    WARNING = "warning"  #: the same, if nobody acts


class AlertTarget(StrEnum):
    """The page that an alert leads to."""

    ANALYTICS = "analytics"
    FAILURES = "failures"
    SYSTEM = "system"


class AlertRule(StrEnum):
    """The rules whose alerts are stored."""

    FAILURE_RATE = "failure_rate"
    DRIFT = "drift"
    NEW_PATTERN = "new_pattern"
    STORAGE = "storage"
    REFUSED_JOBS = "refused_jobs"
    STUCK_RESULTS = "stuck_results"
    SILENT_HOST = "silent_host"


class Alert(Record):
    """What happened and what to do. The first sentence of the message is the headline."""

    severity: AlertSeverity
    message: str
    advice: str

    @property
    def headline(self) -> str:
        """The first sentence of the message."""
        return self.message.split(". ")[0].rstrip(".")


class RaisedAlert(Alert):
    """An alert of a rule. There is at most one open alert for a rule, subject and owner."""

    rule: AlertRule
    subject: str = ""
    """The truncation pattern where the rule is about one."""
    figures: Mapping[str, float | int | str | bool | None] = {}
    created_by: UUID | None = None
    """Whose conversations it is about; None: the whole installation."""

    @property
    def target(self) -> AlertTarget:
        """Where to look."""
        match self.rule:
            case AlertRule.FAILURE_RATE | AlertRule.DRIFT:
                return AlertTarget.ANALYTICS
            case AlertRule.NEW_PATTERN:
                return AlertTarget.FAILURES
            case AlertRule.STORAGE | AlertRule.REFUSED_JOBS | AlertRule.STUCK_RESULTS | AlertRule.SILENT_HOST:
                return AlertTarget.SYSTEM
            case _:
                assert_never(self.rule)

    @property
    def pattern(self) -> str | None:
        """The truncation pattern that it is about."""
        return self.subject if self.rule is AlertRule.NEW_PATTERN else None


class StoredAlert(RaisedAlert):
    """A stored alert."""

    id: UUID
    created_at: AwareDatetime
    last_seen_at: AwareDatetime
    resolved_at: AwareDatetime | None = None
    """When the condition no longer held."""
    acknowledged_at: AwareDatetime | None = None
    acknowledged_by_reader: bool = False
    """Whether the reader acknowledged it; alerts of the installation may be acknowledged by others."""


class AlertBoard(Record):
    """What pages show: open alerts that nobody has acknowledged, and those acknowledged within a week."""

    open: tuple[StoredAlert, ...] = ()
    acknowledged: tuple[StoredAlert, ...] = ()
    open_items: int = 0
    """Items of active batches that are still to be closed."""
    evaluated_at: AwareDatetime | None = None
    has_webhook: bool = False


class JudgedCount(Record):
    """How many items were judged in some time, and how many of them failed."""

    judged: int = 0
    failed: int = 0

    @property
    def rate(self) -> float:
        """The share that failed; 0 where nothing was judged."""
        return self.failed / self.judged if self.judged else 0.0


class OwnerFacts(Record):
    """Facts about one analyst's conversations, all simulated or none."""

    created_by: UUID
    first_batch_at: AwareDatetime
    simulated: bool = False
    day: JudgedCount = JudgedCount()
    """The last 24 hours."""
    week: JudgedCount = JudgedCount()
    """The last seven days, including the last day."""
    week_before_day: JudgedCount = JudgedCount()
    """The seven days before the last 24 hours."""
    earlier_judged: int = 0
    """Judged before the last 24 hours; counted up to a hundred."""
    patterns: tuple[PatternSeen, ...] = ()
    """Those first seen within the last 24 hours."""


class OpenAlert(Record):
    """An alert that is open when the rules are evaluated."""

    rule: AlertRule
    subject: str = ""
    created_by: UUID | None = None


class AlertFacts(Record):
    """The facts for the rules. None: unknown, so no alert."""

    now: AwareDatetime
    owners: tuple[OwnerFacts, ...] = ()
    storage_bytes: int | None = None
    open: tuple[OpenAlert, ...] = ()
    notices: Notices = Notices()
    spools: tuple[WaitingReplies, ...] = ()


class AlertEvaluation(Record):
    """One evaluation of the facts; its alerts are saved under its id, unless a newer one has begun."""

    id: UUID
    facts: AlertFacts


def find_alerts(facts: AlertFacts, *, storage_limit_bytes: int) -> tuple[RaisedAlert, ...]:
    """Return what should be open now, the most urgent first."""
    opened = {(alert.rule, alert.subject, alert.created_by) for alert in facts.open}
    found = [*_check_storage(facts, storage_limit_bytes, is_open=(AlertRule.STORAGE, "", None) in opened)]
    found += [*_check_refused_jobs(facts.notices), *_check_stuck_results(facts.notices), *_check_hosts(facts)]
    for owner in facts.owners:
        found += _check_failure_rate(owner, is_open=(AlertRule.FAILURE_RATE, "", owner.created_by) in opened)
        found += _check_drift(owner, is_open=(AlertRule.DRIFT, "", owner.created_by) in opened)
        found += _check_patterns(owner, facts.now)
    return tuple(sorted(found, key=lambda alert: list(AlertSeverity).index(alert.severity)))


def _check_failure_rate(owner: OwnerFacts, *, is_open: bool) -> Iterator[RaisedAlert]:
    """Use the last day if it has enough judged items, else the week."""
    is_enough = owner.day.judged >= LEAST_SAMPLE
    count, window = (owner.day, "the last 24 hours") if is_enough else (owner.week, "the last 7 days")
    if count.judged < LEAST_SAMPLE:
        return
    interval = wilson_interval(count.failed, count.judged)
    is_over = count.failed > (CALM_FAILURE_RATE if is_open else ALARM_FAILURE_RATE) * count.judged
    # In a small sample more than 10 % can fail by chance at a rate within the target.
    if not is_over or (not is_open and interval.low <= TARGET_FAILURE_RATE):
        return
    yield RaisedAlert(
        rule=AlertRule.FAILURE_RATE,
        severity=AlertSeverity.CRITICAL if interval.low > ALARM_FAILURE_RATE else AlertSeverity.WARNING,
        message=(
            f"{format_percent(count.rate)} of {count.judged:,} {_name_items(owner)} failed in {window}. "
            f"The true rate is likely between {format_percent(interval.low)} and {format_percent(interval.high)}; "
            f"the alarm is at {format_percent(ALARM_FAILURE_RATE)}, the target under {format_percent(TARGET_FAILURE_RATE)}."
        ),
        advice="Look at the failures by pattern; pause running batches until the cause is known.",
        figures={
            "judged": count.judged,
            "failed": count.failed,
            "rate": count.rate,
            "low": interval.low,
            "high": interval.high,
            "window": window,
            "simulated": owner.simulated,
        },
        created_by=owner.created_by,
    )


def _check_drift(owner: OwnerFacts, *, is_open: bool) -> Iterator[RaisedAlert]:
    day, before = owner.day, owner.week_before_day
    if day.judged < LEAST_SAMPLE or before.judged < LEAST_BASELINE:
        return
    if day.rate - before.rate < (DRIFT_CALM_RISE if is_open else DRIFT_LEAST_RISE):
        return
    p = fisher_p(day.failed, day.judged, before.failed, before.judged)
    if p >= (DRIFT_CALM_ALPHA if is_open else DRIFT_ALPHA):
        return
    yield RaisedAlert(
        rule=AlertRule.DRIFT,
        severity=AlertSeverity.WARNING,
        message=(
            f"The failure rate rose from {format_percent(before.rate)} to {format_percent(day.rate)}. "
            f"That is {day.failed:,} of {day.judged:,} {_name_items(owner)} in the last 24 hours, "
            f"{before.failed:,} of {before.judged:,} in the 7 days before."
        ),
        advice="Check what is new: model, template, settings, or another mix of arcs. Compare the failures of both periods.",
        figures={
            "judged": day.judged,
            "failed": day.failed,
            "rate": day.rate,
            "baseline_judged": before.judged,
            "baseline_failed": before.failed,
            "baseline_rate": before.rate,
            "p": p,
            "simulated": owner.simulated,
        },
        created_by=owner.created_by,
    )


def _check_patterns(owner: OwnerFacts, now: datetime) -> Iterator[RaisedAlert]:
    begins = now - timedelta(hours=NEW_PATTERN_HOURS)
    if owner.first_batch_at >= begins or owner.earlier_judged < LEAST_BASELINE:
        return  # On the first day, and until something is known, every pattern is new.
    for seen in owner.patterns:
        if seen.first_seen_at >= begins:
            yield RaisedAlert(
                rule=AlertRule.NEW_PATTERN,
                subject=seen.pattern,
                severity=AlertSeverity.WARNING,
                message=f"A new truncation pattern: {add_code(name_pattern(seen.pattern), seen.pattern)}.",
                advice="Look at one of its failures: a new pattern often comes with a change of model or settings.",
                figures={"pattern": seen.pattern, "first_seen_at": seen.first_seen_at.isoformat()},
                created_by=owner.created_by,
            )


def _check_storage(facts: AlertFacts, limit: int, *, is_open: bool) -> Iterator[RaisedAlert]:
    used = facts.storage_bytes
    if used is None or used < (STORAGE_CALM_SHARE if is_open else STORAGE_WARNING_SHARE) * limit:
        return
    yield RaisedAlert(
        rule=AlertRule.STORAGE,
        severity=AlertSeverity.CRITICAL if used >= STORAGE_ALARM_SHARE * limit else AlertSeverity.WARNING,
        message=(
            f"The storage of error reports is {format_percent(used / limit)} full: {used / BYTES_OF_MEGABYTE:,.0f} of "
            f"{limit / BYTES_OF_MEGABYTE:,.0f} MB."
        ),
        advice="Delete old failures with `brightrun prune --older-than-days 30`, or raise BRIGHTRUN_STORAGE_LIMIT_GB.",
        figures={"used_bytes": used, "limit_bytes": limit, "share": used / limit},
    )


def _check_refused_jobs(notices: Notices) -> Iterator[RaisedAlert]:
    if (refused := notices.refused) is None:
        return
    jobs = "A job" if refused.count == 1 else f"{refused.count:,} jobs"
    yield RaisedAlert(
        rule=AlertRule.REFUSED_JOBS,
        severity=AlertSeverity.CRITICAL,
        message=(
            f"{jobs} in the queue that no part of Bright Run writes, refused in the last 24 hours. "
            f"The last one, {refused.last_at:%d %B %H:%M} UTC, asked for {refused.function} ({refused.reason}). "
            "Nothing of it ran."
        ),
        advice=(
            "Somebody who knows REDIS_URL writes there, or pages and workers are of different versions. If it was nobody of "
            "yours, change the password of Redis; the worker's log has each one (job_refused)."
        ),
        figures=refused.model_dump(mode="json"),
    )


def _check_stuck_results(notices: Notices) -> Iterator[RaisedAlert]:
    files = sum(host.files for host in notices.stuck)
    if not files:
        return
    replies = "A paid reply waits" if files == 1 else f"{files:,} paid replies wait"
    yield RaisedAlert(
        rule=AlertRule.STUCK_RESULTS,
        severity=AlertSeverity.WARNING,
        message=(
            f"{replies} on disk that could not be recorded. "
            f"On {', '.join(f'{host.host}: {host.files:,}' for host in notices.stuck)}."
        ),
        advice=(
            "Look there into `spool/set-aside` in the folder of BRIGHTRUN_HOME: the file .reason beside each says why. "
            "A corrected file is recorded when it is moved back into `spool`."
        ),
        figures={host.host: host.files for host in notices.stuck},
    )


def _check_hosts(facts: AlertFacts) -> Iterator[RaisedAlert]:
    """Return one alert for each folder: what is known of one says nothing of another."""
    for spool in facts.spools:
        if not spool.is_silent(facts.now):
            continue
        files = "A file of paid replies waits" if spool.files == 1 else f"{spool.files:,} files of paid replies wait"
        yield RaisedAlert(
            rule=AlertRule.SILENT_HOST,
            subject=str(spool.id),
            severity=AlertSeverity.WARNING,
            message=(
                f"{files} on {spool.host}, which is silent. It was last heard of on {spool.heard_at:%d %B at %H:%M} UTC; "
                f"the oldest is of {spool.oldest_at:%d %B, %H:%M}."
            ),
            advice=(
                "Start a worker there, or one that has its folder `spool` (in BRIGHTRUN_HOME): it records them within a "
                "minute. If the host is gone for good, dismiss it on the page System."
            ),
            figures={"host": spool.host, "files": spool.files},
        )


def _name_items(owner: OwnerFacts) -> str:
    return "simulated conversations" if owner.simulated else "conversations"
