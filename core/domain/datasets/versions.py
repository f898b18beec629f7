"""A frozen version of a data set: which conversations are in it, which are not and why, and what identifies it. Pure."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from hashlib import sha256
from typing import assert_never
from uuid import UUID

from core.domain.datasets.records import ReviewStatus
from core.domain.record import Record
from core.domain.scaffolding.records import ConversationCategory, Tier
from core.domain.verdict.conversation import Turn


class CountedStatus(StrEnum):
    """Which conversations fill a plan."""

    ACCEPTED = "accepted"
    APPROVED = "approved"


class ExclusionReason(StrEnum):
    """Why a conversation is not in a version."""

    REJECTED = "rejected"  #: by a reviewer
    NOT_REVIEWED = "not_reviewed"  #: the data set takes approved ones only
    SIMULATED = "simulated"
    FAILED_VERDICT = "failed_verdict"  #: what is stored now is cut off, malformed or corrupted
    DUPLICATE = "duplicate"  #: its text is that of an earlier one
    TOO_LONG = "too_long"
    BEYOND_PLAN = "beyond_plan"  #: its combination has as many as the plan asks for


REPLACEABLE = frozenset({ExclusionReason.FAILED_VERDICT, ExclusionReason.DUPLICATE})
"""What no change of the rule lets in: rejected, it is missing again, and a top-up replaces it."""


class ReviewFact(StrEnum):
    """What reviewers did with a conversation of a version."""

    APPROVED = "approved"
    APPROVED_AFTER_READING = "approved_after_reading"  #: it was open in the review before
    EDITED = "edited"


class Exclusion(Record):
    """A conversation that is not in a version, and why."""

    id: UUID
    reason: ExclusionReason


class FrozenConversation(Record):
    """A conversation as a version keeps it; scaffolding by key."""

    id: UUID
    position: int
    category: ConversationCategory
    persona: str
    arc: str
    topic: str
    variation: int = 1
    variation_values: Mapping[str, str] = {}
    """What its prompt was told of each axis of variation, by key."""
    tier: Tier
    template: str | None = None
    template_version: int | None = None
    model: str
    simulated: bool
    cost_usd: float | None = None
    turns: tuple[Turn, ...]

    @property
    def text_hash(self) -> str:
        """Equal for equal texts."""
        return hash_turns(self.turns)


class VersionRule(Record):
    """What may be in a version."""

    counted: CountedStatus
    include_simulated: bool = False
    longest_tokens: int | None = None
    tokenizer: str | None = None
    """What counts them; None: they are estimated."""


def hash_turns(turns: Sequence[Turn]) -> str:
    """Return the SHA-256 of what is said by whom."""
    return sha256(json.dumps([[turn.role.value, turn.content] for turn in turns], ensure_ascii=False).encode()).hexdigest()


def find_review_exclusion(status: ReviewStatus, *, simulated: bool, rule: VersionRule) -> ExclusionReason | None:
    """Return why review or origin keep a conversation out."""
    if simulated and not rule.include_simulated:
        return ExclusionReason.SIMULATED
    match status:
        case ReviewStatus.REJECTED:
            return ExclusionReason.REJECTED
        case ReviewStatus.PENDING_REVIEW:
            return ExclusionReason.NOT_REVIEWED if rule.counted is CountedStatus.APPROVED else None
        case ReviewStatus.APPROVED:
            return None


class VersionChange(Record):
    """What differs between two versions; edited is what both have with another text."""

    added: tuple[UUID, ...]
    removed: tuple[UUID, ...]
    edited: tuple[UUID, ...]
    unchanged: int


def compare_members(before: Mapping[UUID, str], after: Mapping[UUID, str]) -> VersionChange:
    """Compare two versions, given as the hashes of their texts by id."""
    shared = [each for each in after if each in before]
    edited = tuple(each for each in shared if before[each] != after[each])
    return VersionChange(
        added=tuple(each for each in after if each not in before),
        removed=tuple(each for each in before if each not in after),
        edited=edited,
        unchanged=len(shared) - len(edited),
    )


def describe_exclusions(exclusions: Mapping[str, int]) -> str:
    """Say how many were kept out for which reason."""
    return ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in exclusions.items()) or "none"


def describe_reviews(reviews: Mapping[str, int], conversations: int) -> str:
    """Say what reviewers did with the conversations of a version."""
    approved, edited = reviews.get(ReviewFact.APPROVED, 0), reviews.get(ReviewFact.EDITED, 0)
    if not approved:
        return f"No reviewer has approved any of them{f'; {edited:,} were edited' if edited else ''}."
    whole = "all" if approved == conversations else f"{approved:,} of {conversations:,}"
    read = reviews.get(ReviewFact.APPROVED_AFTER_READING, 0)
    opened = "each after opening it" if read == approved else f"{read:,} of them after opening them, the others unread"
    return f"A reviewer approved {whole}, {opened}; {edited:,} were edited."


def order_exclusions(excluded: Mapping[UUID, ExclusionReason]) -> tuple[Exclusion, ...]:
    """Put what is kept out for the rarest reason first, so that a long list does not begin with hundreds alike."""
    counts, places = Counter(excluded.values()), {reason: place for place, reason in enumerate(ExclusionReason)}
    ordered = sorted(excluded.items(), key=lambda item: (counts[item[1]], places[item[1]]))
    return tuple(Exclusion(id=conversation_id, reason=reason) for conversation_id, reason in ordered)


def explain_exclusion(reason: ExclusionReason) -> str:
    """Say in plain words why a conversation is kept out."""
    match reason:
        case ExclusionReason.REJECTED:
            return "Rejected by a reviewer"
        case ExclusionReason.NOT_REVIEWED:
            return "Not approved by a reviewer, and the data set takes approved ones only"
        case ExclusionReason.SIMULATED:
            return "Written by the simulated Claude"
        case ExclusionReason.FAILED_VERDICT:
            return "Cut off or damaged: the verdict no longer accepts it"
        case ExclusionReason.DUPLICATE:
            return "Says the same as an earlier one"
        case ExclusionReason.TOO_LONG:
            return "Longer than the limit that was set for the version"
        case ExclusionReason.BEYOND_PLAN:
            return "The plan has enough of its persona, arc and topic, or none"
        case _:
            assert_never(reason)


def make_fingerprint(members: Iterable[tuple[UUID, str]]) -> str:
    """Return what identifies a version: ids and hashes of the texts, in order."""
    digest = sha256()
    for conversation_id, text_hash in members:
        digest.update(f"{conversation_id} {text_hash}\n".encode())
    return digest.hexdigest()
