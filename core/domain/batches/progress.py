"""How fast a batch goes and how long it still takes, from what has been closed so far."""

from datetime import datetime

from core.domain.batches.batch import BatchProgress, BatchStatus

MIN_CLOSED = 3
MIN_SECONDS = 10.0
"""Three closed items, or one and ten seconds, say more than the estimate from before the start."""


RECENT_JUDGED = 30
"""The pace of an open batch is that of the latest so many; that of one that has ended, of all since it was last resumed."""


def measure_elapsed_seconds(progress: BatchProgress, now: datetime) -> float | None:
    """Return the time from the first call to the end, or to now; None before the first. Pauses count."""
    if progress.started_at is None:
        return None
    return max(0.0, ((progress.completed_at or now) - progress.started_at).total_seconds())


def measure_throughput(progress: BatchProgress, now: datetime) -> float | None:
    """Return judged conversations per minute while the batch last ran; None where none was judged in that time."""
    seconds = _measure_recent_seconds(progress, now)
    return progress.recent_judged / seconds * 60 if seconds and progress.recent_judged else None


def estimate_remaining_seconds(progress: BatchProgress, now: datetime) -> float | None:
    """Return the time until everything is closed at the pace so far, or by the estimate while there is no pace yet.

    None where nothing more is being done, or nothing is known.
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
    """Return the time in which the recent ones were judged: to now while more come, else to the last of them."""
    until = now if progress.status.is_active else progress.recent_until
    if progress.recent_since is None or until is None:
        return 0.0
    return max(0.0, (until - progress.recent_since).total_seconds())
