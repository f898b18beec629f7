"""When to raise the alarm: pure rules over facts, so that a page and a worker decide alike."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import AwareDatetime

from core.domain.health import PartHealth, PartState
from core.domain.overview import PatternSeen
from core.domain.record import Record

TARGET_FAILURE_RATE, ALARM_FAILURE_RATE = 0.05, 0.10
LEAST_SAMPLE = 20
"""Fewer judged items than this say too little about a rate."""
NEW_PATTERN_HOURS = 24
STORAGE_WARNING_SHARE, STORAGE_ALARM_SHARE = 0.8, 0.95
BYTES_OF_MEGABYTE = 1_000_000


class AlertSeverity(StrEnum):
    """How soon somebody should look, the most urgent first."""

    CRITICAL = "critical"  #: work stops, or money is lost
    WARNING = "warning"  #: it will be, if nobody looks


class AlertTarget(StrEnum):
    """Where to look; the pages know the way."""

    FAILURES = "failures"
    SYSTEM = "system"


class Alert(Record):
    """Something to look at: what happened and what to do."""

    severity: AlertSeverity
    message: str
    advice: str
    target: AlertTarget
    pattern: str | None = None
    """The truncation pattern that it is about."""


class AlertFacts(Record):
    """What the rules look at. None or empty: not known, so no alert."""

    now: AwareDatetime
    judged: int = 0
    """Items of the last days that were generated, accepted or not."""
    failed: int = 0
    window: str = "the last 7 days"
    patterns: tuple[PatternSeen, ...] = ()
    first_batch_at: AwareDatetime | None = None
    storage_bytes: int | None = None
    storage_limit_bytes: int
    parts: tuple[PartHealth, ...] = ()
    workers_alive: int | None = None
    open_items: int = 0


def find_alerts(facts: AlertFacts) -> tuple[Alert, ...]:
    """Return what somebody should look at, the most urgent first."""
    found = [
        *_check_parts(facts),
        *_check_workers(facts),
        *_check_failure_rate(facts),
        *_check_patterns(facts),
        *_check_storage(facts),
    ]
    return tuple(sorted(found, key=lambda alert: list(AlertSeverity).index(alert.severity)))


def _check_parts(facts: AlertFacts) -> Iterator[Alert]:
    for part in facts.parts:
        if part.state is PartState.DOWN:
            yield Alert(
                severity=AlertSeverity.CRITICAL,
                message=f"{part.part} is down: {part.found}",
                advice=part.advice or "Look at the System page.",
                target=AlertTarget.SYSTEM,
            )


def _check_workers(facts: AlertFacts) -> Iterator[Alert]:
    if facts.workers_alive != 0:
        return
    waiting = f" {facts.open_items:,} conversations wait." if facts.open_items else ""
    yield Alert(
        severity=AlertSeverity.CRITICAL if facts.open_items else AlertSeverity.WARNING,
        message=f"No worker is alive, so nothing is generated.{waiting}",
        advice="Start one: `python worker.py`, or `brightrun up` for the whole stack.",
        target=AlertTarget.SYSTEM,
    )


def _check_failure_rate(facts: AlertFacts) -> Iterator[Alert]:
    if facts.judged < LEAST_SAMPLE or facts.failed <= ALARM_FAILURE_RATE * facts.judged:
        return
    yield Alert(
        severity=AlertSeverity.CRITICAL,
        message=(
            f"{facts.failed / facts.judged:.1%} of {facts.judged:,} conversations failed in {facts.window}; "
            f"the alarm is at {ALARM_FAILURE_RATE:.0%}, the target under {TARGET_FAILURE_RATE:.0%}."
        ),
        advice="Look at the failures by pattern; pause what runs until the cause is known.",
        target=AlertTarget.FAILURES,
    )


def _check_patterns(facts: AlertFacts) -> Iterator[Alert]:
    begins = facts.now - timedelta(hours=NEW_PATTERN_HOURS)
    if facts.first_batch_at is None or facts.first_batch_at >= begins:
        return  # On the first day every pattern is new.
    for seen in facts.patterns:
        if seen.first_seen_at >= begins:
            yield Alert(
                severity=AlertSeverity.WARNING,
                message=f"A truncation pattern never seen before: {seen.pattern}, first {_name_age(seen, facts.now)} ago.",
                advice="Look at one of its failures: a new cut often comes with a change of model or settings.",
                target=AlertTarget.FAILURES,
                pattern=seen.pattern,
            )


def _check_storage(facts: AlertFacts) -> Iterator[Alert]:
    used, limit = facts.storage_bytes, facts.storage_limit_bytes
    if used is None or used < STORAGE_WARNING_SHARE * limit:
        return
    is_urgent = used >= STORAGE_ALARM_SHARE * limit
    yield Alert(
        severity=AlertSeverity.CRITICAL if is_urgent else AlertSeverity.WARNING,
        message=(
            f"The storage of error reports is {used / limit:.0%} full: {used / BYTES_OF_MEGABYTE:,.0f} of "
            f"{limit / BYTES_OF_MEGABYTE:,.0f} MB."
        ),
        advice="Delete old failures with `brightrun prune --older-than-days 30`, or raise BRIGHTRUN_STORAGE_LIMIT_GB.",
        target=AlertTarget.SYSTEM,
    )


def _name_age(seen: PatternSeen, now: datetime) -> str:
    minutes = max(round((now - seen.first_seen_at).total_seconds() / 60), 1)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h"  # noqa: PLR2004 - minutes of an hour
