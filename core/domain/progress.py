"""How fast a batch goes and how long it still takes, from what has been closed so far."""

from datetime import datetime

from core.domain.batch import BatchProgress, BatchStatus

MIN_CLOSED = 3
MIN_SECONDS = 10.0
"""Three closed items, or one and ten seconds, say more than the estimate from before the start."""


def measure_elapsed_seconds(progress: BatchProgress, now: datetime) -> float | None:
    """Return the time from the first call to the end, or to now; None before the first. Pauses count."""
    if progress.started_at is None:
        return None
    return max(0.0, ((progress.completed_at or now) - progress.started_at).total_seconds())


def measure_throughput(progress: BatchProgress, now: datetime) -> float | None:
    """Return judged conversations per minute; None before the first."""
    elapsed = measure_elapsed_seconds(progress, now)
    judged = progress.accepted + progress.failed
    return judged / elapsed * 60 if elapsed and judged else None


def estimate_remaining_seconds(progress: BatchProgress, now: datetime) -> float | None:
    """Return the time until everything is closed at the pace so far, or by the estimate while there is no pace yet.

    None where nothing more is being done, or nothing is known.
    """
    if progress.remaining == 0 or progress.status.is_final or progress.status is BatchStatus.PAUSED:
        return None
    judged = progress.accepted + progress.failed
    elapsed = measure_elapsed_seconds(progress, now)
    if elapsed is not None and (judged >= MIN_CLOSED or (judged > 0 and elapsed >= MIN_SECONDS)):
        return elapsed / judged * progress.remaining
    if progress.estimated_seconds is None or progress.planned == 0:
        return None
    return progress.estimated_seconds * progress.remaining / progress.planned


def find_needed_budget_usd(progress: BatchProgress) -> float | None:
    """Return the least budget with which a paused batch can go on; None where its budget does not hold it back.

    The database pauses by the same rule: what was spent and one more call, at the batch's own mean cost. Calls without a
    reply cost nothing and do not count for the mean, so it is taken over what was judged.
    """
    if progress.status is not BatchStatus.PAUSED or progress.budget_usd is None or progress.remaining == 0:
        return None
    if progress.attempts:
        call_usd = progress.cost_usd / (progress.judged or progress.attempts)
    else:
        call_usd = (progress.estimated_cost_usd or 0.0) / progress.planned
    needed = progress.cost_usd + call_usd
    return needed if progress.cost_usd >= progress.budget_usd or needed > progress.budget_usd else None
