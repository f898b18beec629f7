"""How many parallel calls: fewer at once when Claude is busy, slowly more afterwards. Pure; the time is an argument."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import AwareDatetime, Field

from core.domain.batches.rate_limits import read_rate_limits
from core.domain.batches.work import CallFailure, CallFailureKind
from core.domain.percentages import format_percent
from core.domain.record import Record

LOW_HEADROOM = 0.05
"""Below this share of a limit left, calls are held back until it resets."""
FREE_HEADROOM = 0.2
"""Above this share left, parallel calls may be raised."""
REDUCTION_PAUSE = timedelta(seconds=2)
"""Refusals of calls that were in flight together count once."""
LONGEST_HOLD = timedelta(minutes=15)
"""Calls are held back no longer than this: a limit with a later reset is checked again, a longer wait pauses the batch."""
STORM = timedelta(seconds=120)
STORM_REFUSALS = 10


class Headroom(Record):
    """The rate limit with the smallest share left, from the headers of a reply."""

    kind: str
    share_left: float
    resets_at: AwareDatetime | None = None


class Pace(Record):
    """How many calls may be in flight, why, and since when; shared by all that use the same model and key."""

    limit: int = Field(ge=1, le=1000)
    reason: str = Field(max_length=500)
    changed_at: AwareDatetime
    successes: int = Field(default=0, ge=0)
    """Replies since the last change."""
    not_before: AwareDatetime | None = None
    """No call before this time."""
    refused_since: AwareDatetime | None = None
    """The first refusal after the last reply; None while replies come."""
    refusals: int = Field(default=0, ge=0)
    was_lowered: bool = False
    """Whether the limit is what Claude's refusals left; otherwise it is only what the first batch chose."""

    def wait_seconds(self, now: datetime) -> float:
        """Return how long to hold calls back."""
        return 0.0 if self.not_before is None else max((self.not_before - now).total_seconds(), 0.0)


def begin_pace(ceiling: int, now: datetime) -> Pace:
    """Return the pace of a batch before its first reply."""
    return Pace(limit=ceiling, reason="as chosen for the batch", changed_at=now)


def fit_pace(pace: Pace, ceiling: int) -> Pace:
    """Return the pace for a batch with another ceiling than the one that began it."""
    if pace.was_lowered or pace.limit >= ceiling:
        return pace
    return pace.model_copy(update={"limit": ceiling})


def read_headroom(headers: Mapping[str, str]) -> Headroom | None:
    """Return the tightest rate limit of a reply; None where the headers say nothing that can be read."""
    found = [
        Headroom(kind=limit.kind, share_left=limit.share_left, resets_at=_read_moment(limit.resets_at))
        for limit in read_rate_limits(headers)
        if limit.limit > 0
    ]
    return min(found, key=lambda headroom: headroom.share_left, default=None)


def pace_after_reply(pace: Pace, headroom: Headroom | None, *, ceiling: int, now: datetime) -> Pace:
    """Return the pace after a reply: one more parallel call after as many replies as calls, if there is room."""
    if headroom is not None and headroom.resets_at is not None:
        headroom = headroom.model_copy(update={"resets_at": min(headroom.resets_at, now + LONGEST_HOLD)})
    rested = pace.model_copy(update={"successes": pace.successes + 1, "refused_since": None, "refusals": 0})
    if headroom is not None and headroom.share_left < LOW_HEADROOM:
        left = f"lowered at {format_percent(headroom.share_left)} left of the {headroom.kind} limit"
        if pace.limit > 1 and now - pace.changed_at >= REDUCTION_PAUSE:
            return _change(rested, max(min(pace.limit, ceiling) // 2, 1), left, now, not_before=headroom.resets_at)
        return rested.model_copy(update={"not_before": headroom.resets_at})
    has_room = headroom is None or headroom.share_left > FREE_HEADROOM
    if pace.limit < ceiling and rested.successes >= pace.limit and has_room:
        replies = "1 good reply" if rested.successes == 1 else f"{rested.successes} good replies"
        return _change(rested, pace.limit + 1, f"raised after {replies}", now)
    return rested


def pace_after_failure(pace: Pace, failure: CallFailure, *, ceiling: int, now: datetime) -> Pace:
    """Return the pace after a call without a reply: half after a rate limit, one less when Claude is overloaded."""
    if failure.kind not in (CallFailureKind.RATE_LIMITED, CallFailureKind.OVERLOADED, CallFailureKind.SERVER_ERROR):
        return pace
    refused = pace.model_copy(
        update={"successes": 0, "refused_since": pace.refused_since or now, "refusals": pace.refusals + 1}
    )
    held = refused
    asked = None if failure.retry_after_seconds is None else timedelta(seconds=failure.retry_after_seconds)
    if failure.kind is CallFailureKind.RATE_LIMITED and asked is not None and asked <= LONGEST_HOLD:
        not_before = now + asked
        held = refused.model_copy(update={"not_before": max(not_before, pace.not_before or not_before)})
    if pace.limit == 1 or (pace.refusals > 0 and now - pace.changed_at < REDUCTION_PAUSE):
        return held
    in_use = min(pace.limit, ceiling)
    if failure.kind is CallFailureKind.RATE_LIMITED:
        return _change(held, max(in_use // 2, 1), "lowered after 429 (rate limit)", now, not_before=held.not_before)
    reason = f"lowered after {failure.http_status or 500} ({failure.kind.replace('_', ' ')})"
    return _change(held, max(in_use - 1, 1), reason, now, not_before=held.not_before)


def find_storm(pace: Pace, now: datetime) -> str | None:
    """Return the reason to pause a batch: only refusals for too long; None otherwise."""
    if pace.refused_since is None or pace.refusals < STORM_REFUSALS or now - pace.refused_since < STORM:
        return None
    minutes = (now - pace.refused_since).total_seconds() / 60
    return (
        f"Paused automatically: {pace.refusals} refusals by Claude (429 or 529) and no reply for {minutes:.0f} minutes. "
        "Wait, then resume."
    )


def _change(pace: Pace, limit: int, reason: str, now: datetime, not_before: datetime | None = None) -> Pace:
    changes = {"limit": limit, "reason": reason, "changed_at": now, "successes": 0, "not_before": not_before}
    return pace.model_copy(update=changes | {"was_lowered": True})


def _read_moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
