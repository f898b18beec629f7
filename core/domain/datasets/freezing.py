"""What gets into a version: one conversation after the other is let in or kept out, with the reason. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime

from core.domain.datasets.records import ReviewStatus
from core.domain.datasets.token_lengths import estimate_tokens
from core.domain.datasets.versions import ExclusionReason, FrozenConversation, VersionRule, find_review_exclusion
from core.domain.scaffolding.records import ArcId, PersonaId, TopicId
from core.domain.verdict.conversation import Conversation, ConversationMetadata, Role, Turn
from core.domain.verdict.judgement import judge_conversation
from core.domain.verdict.verdict import Failed

Combination = tuple[PersonaId, ArcId, TopicId]
NO_METADATA = ConversationMetadata(client_persona="", session_context="", conversation_phase="")


class Candidate(FrozenConversation):
    """A conversation of the data set as it is now; `revision` changes with its text."""

    persona_id: PersonaId
    emotional_arc_id: ArcId
    training_topic_id: TopicId
    review_status: ReviewStatus
    created_at: AwareDatetime
    revision: str
    position: int = 0

    @property
    def combination(self) -> Combination:
        """What the plan counts by."""
        return self.persona_id, self.emotional_arc_id, self.training_topic_id


class VersionBuilder:
    """Decides on candidates in their order: the first of equal texts, and the first as many as the plan asks for, count."""

    def __init__(self, rule: VersionRule, wanted: Mapping[Combination, int]) -> None:
        self.rule = rule
        self.excluded: dict[UUID, ExclusionReason] = {}
        self.members: list[tuple[UUID, str]] = []
        """Ids and hashes of the texts that are in, in order."""
        self._left = dict(wanted)
        self._texts: set[str] = set()
        self._counts: dict[str, Counter[str]] = {
            name: Counter() for name in ("category", "persona", "arc", "topic", "model")
        }

    def add(self, candidate: Candidate) -> int | None:
        """Return the position of a candidate in the version, None if it is kept out."""
        text_hash = candidate.text_hash
        reason = self._find_exclusion(candidate, text_hash)
        if reason is not None:
            self.excluded[candidate.id] = reason
            return None
        self._texts.add(text_hash)
        self._left[candidate.combination] -= 1
        for name, counts in self._counts.items():
            counts[str(getattr(candidate, name))] += 1
        self.members.append((candidate.id, text_hash))
        return len(self.members) - 1

    def summarize(self) -> dict[str, Any]:
        """Return what is kept beside the version."""
        reasons = Counter(reason.value for reason in self.excluded.values())
        return {
            "rule": self.rule.model_dump(mode="json"),
            "exclusions": dict(sorted(reasons.items())),
            "excluded": {str(conversation_id): reason.value for conversation_id, reason in self.excluded.items()},
            "counts": {name: dict(sorted(counts.items())) for name, counts in self._counts.items()},
        }

    def _find_exclusion(self, candidate: Candidate, text_hash: str) -> ExclusionReason | None:
        by_review = find_review_exclusion(candidate.review_status, simulated=candidate.simulated, rule=self.rule)
        if by_review is not None:
            return by_review
        if find_problem(candidate.turns) is not None:
            return ExclusionReason.FAILED_VERDICT
        longest = self.rule.longest_tokens
        if longest is not None and estimate_tokens([turn.content for turn in candidate.turns]) > longest:
            return ExclusionReason.TOO_LONG
        if text_hash in self._texts:
            return ExclusionReason.DUPLICATE
        return None if self._left.get(candidate.combination, 0) else ExclusionReason.BEYOND_PLAN


def find_problem(turns: Sequence[Turn]) -> str | None:
    """Return why stored turns would not pass the verdict that replies pass, None if they do."""
    expected = [Role.USER, Role.ASSISTANT] * len(turns)
    if len(turns) < 2 or any(turn.role is not role for turn, role in zip(turns, expected, strict=False)):  # noqa: PLR2004
        return "user and assistant do not speak in turn"
    if not all(turn.content.strip() for turn in turns):
        return "a turn says nothing"
    verdict = judge_conversation(Conversation(conversation_metadata=NO_METADATA, turns=tuple(turns)))
    return verdict.details if isinstance(verdict, Failed) else None
