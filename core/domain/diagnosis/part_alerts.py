"""What is wrong right now: a part is down, no worker is alive. Found when a page is drawn, never stored: a
worker that is down could not store it.
"""

from collections.abc import Iterator
from datetime import datetime

from core.domain.diagnosis.alerts import Alert, AlertSeverity
from core.domain.diagnosis.health import Health, Part, PartState


def find_part_alerts(health: Health, *, open_items: int, now: datetime) -> tuple[Alert, ...]:
    """Return what somebody should look at on the System page, the most urgent first."""
    found = [*_check_parts(health), *_check_workers(health, open_items, now)]
    return tuple(sorted(found, key=lambda alert: list(AlertSeverity).index(alert.severity)))


def find_stalls(health: Health, *, open_items: int, now: datetime) -> tuple[Alert, ...]:
    """Return what keeps open items from being generated: no queue, no worker."""
    queue_alone = health.model_copy(update={"parts": [each for each in health.parts if each.part is Part.QUEUE]})
    found = find_part_alerts(queue_alone, open_items=open_items, now=now)
    return tuple(alert for alert in found if alert.severity is AlertSeverity.CRITICAL)


def _check_parts(health: Health) -> Iterator[Alert]:
    for part in health.parts:
        if part.state is PartState.DOWN and part.part is not Part.WORKERS:
            yield Alert(
                severity=AlertSeverity.CRITICAL,
                message=f"{part.part} is down: {part.found}",
                advice=part.advice or "Look at the System page.",
            )


def _check_workers(health: Health, open_items: int, now: datetime) -> Iterator[Alert]:
    if health.queue is None or health.queue.count_alive(now) or health.queue.is_starting(now):
        return
    waiting = f" {open_items:,} conversations wait." if open_items else ""
    yield Alert(
        severity=AlertSeverity.CRITICAL if open_items else AlertSeverity.WARNING,
        message=f"No worker is alive, so nothing is generated.{waiting}",
        advice="Start one: `python worker.py`, or `brightrun up` for the whole stack.",
    )
