"""Throughput and remaining time of a batch, from the items closed so far."""

from datetime import datetime

from core.domain.batches.batch import BatchProgress, BatchStatus

MIN_CLOSED = 3
MIN_SECONDS = 10.0
"""From here on (items, or items and seconds) measured times replace the estimate."""


def measure_elapsed_seconds(progress: BatchProgress, now: datetime) -> float | None:
    """Return the time from the first call to the end, or to now, pauses included; None before the first call."""
    if progress.started_at is None:
        return None
    return max(0.0, ((progress.completed_at or now) - progress.started_at).total_seconds())


def measure_throughput(progress: BatchProgress, now: datetime) -> float | None:
    """Return judged conversations per minute of the last run; None where none was judged."""
    seconds = _measure_recent_seconds(progress, now)
    return progress.recent_judged / seconds * 60 if seconds and progress.recent_judged else None


def estimate_remaining_seconds(progress: BatchProgress, now: datetime) -> float | None:
    """Return the time until everything is closed at the throughput so far, or by the estimate before there is one.

    None where nothing is running or nothing is known.
    """
    if progress.remaining == 0 or progress.status.is_final or progress.status is BatchStatus.PAUSED:
        return None
    judged, seconds = progress.recent_judged, _measure_recent_seconds(progress, now)
    if judged >= MIN_CLOSED or (judged > 0 and seconds >= MIN_SECONDS):
        return seconds / judged * progress.remaining
    if progress.estimated_seconds is None or progress.planned == 0:
        return None
    return progress.estimated_seconds * progress.remaining / progress.planned


def _measure_recent_seconds(progress: BatchProgress, now: datetime) -> float:
    """Return the time span of the recent judgements: until now while the batch runs, else until the last one."""
    until = now if progress.status.is_active else progress.recent_until
    if progress.recent_since is None or until is None:
        return 0.0
    return max(0.0, (until - progress.recent_since).total_seconds())
