"""What gets into a version: one conversation after the other is let in or kept out, with the reason. Pure."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime

from core.domain.datasets.records import ReviewStatus
from core.domain.datasets.token_lengths import ESTIMATE, TokenMeasure, summarize_lengths
from core.domain.datasets.training_formats import list_messages
from core.domain.datasets.versions import (
    ExclusionReason,
    FrozenConversation,
    ReviewFact,
    VersionRule,
    find_review_exclusion,
)
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
    was_read: bool = False
    """Whether a reviewer has had it open."""
    was_edited: bool = False
    position: int = 0

    @property
    def combination(self) -> Combination:
        """What the plan counts by."""
        return self.persona_id, self.emotional_arc_id, self.training_topic_id


@dataclass(kw_only=True)
class VersionSoFar:
    """What gates look at besides the candidate: the rule, and what the version holds already."""

    rule: VersionRule
    measure: TokenMeasure
    left: dict[Combination, int]
    """How many of each combination the plan still takes."""
    texts: set[str]
    """Hashes of the texts that are in."""


Gate = Callable[[Candidate, VersionSoFar], ExclusionReason | None]
"""Returns why a candidate is kept out, None if it may pass."""


def check_review(candidate: Candidate, version: VersionSoFar) -> ExclusionReason | None:
    """Take what reviewers and the rule allow."""
    return find_review_exclusion(candidate.review_status, simulated=candidate.simulated, rule=version.rule)


def check_verdict(candidate: Candidate, _: VersionSoFar) -> ExclusionReason | None:
    """Take what the verdict accepts once more, as it is stored now."""
    return None if find_problem(candidate.turns) is None else ExclusionReason.FAILED_VERDICT


def check_length(candidate: Candidate, version: VersionSoFar) -> ExclusionReason | None:
    """Take what is not longer than the rule allows."""
    longest = version.rule.longest_tokens
    if longest is None or count_tokens(candidate, version.measure) <= longest:
        return None
    return ExclusionReason.TOO_LONG


def check_text(candidate: Candidate, version: VersionSoFar) -> ExclusionReason | None:
    """Take the first of equal texts."""
    return ExclusionReason.DUPLICATE if candidate.text_hash in version.texts else None


def check_plan(candidate: Candidate, version: VersionSoFar) -> ExclusionReason | None:
    """Take as many of a combination as the plan asks for."""
    return None if version.left.get(candidate.combination, 0) else ExclusionReason.BEYOND_PLAN


GATES: tuple[Gate, ...] = (check_review, check_verdict, check_length, check_text, check_plan)
"""All that a conversation must pass to get into a version, in order; the first that refuses gives the reason.

A new gate is a function, an entry here, and its ExclusionReason; what it needs to know comes with VersionRule.
"""


class VersionBuilder:
    """Decides on candidates in their order: the first of equal texts, and the first as many as the plan asks for, count."""

    def __init__(
        self,
        rule: VersionRule,
        wanted: Mapping[Combination, int],
        measure: TokenMeasure = ESTIMATE,
        *,
        gates: Sequence[Gate] = GATES,
    ) -> None:
        self.rule = rule
        self.excluded: dict[UUID, ExclusionReason] = {}
        self.members: list[tuple[UUID, str]] = []
        """Ids and hashes of the texts that are in, in order."""
        self._gates = gates
        self._so_far = VersionSoFar(rule=rule, measure=measure, left=dict(wanted), texts=set())
        self._lengths: list[int] = []
        self._counts: dict[str, Counter[str]] = {
            name: Counter() for name in ("category", "persona", "arc", "topic", "model")
        }
        self._cells: dict[str, Counter[str]] = {}
        """By persona and arc."""
        self._reviews: Counter[ReviewFact] = Counter()

    def add(self, candidate: Candidate) -> int | None:
        """Return the position of a candidate in the version, None if it is kept out."""
        reasons = (gate(candidate, self._so_far) for gate in self._gates)
        reason = next((reason for reason in reasons if reason is not None), None)
        if reason is not None:
            self.excluded[candidate.id] = reason
            return None
        text_hash = candidate.text_hash
        self._so_far.texts.add(text_hash)
        self._so_far.left[candidate.combination] -= 1
        self._lengths.append(count_tokens(candidate, self._so_far.measure))
        for name, counts in self._counts.items():
            counts[str(getattr(candidate, name))] += 1
        self._cells.setdefault(candidate.persona, Counter())[candidate.arc] += 1
        self._reviews.update(list_review_facts(candidate))
        self.members.append((candidate.id, text_hash))
        return len(self.members) - 1

    def summarize(self) -> dict[str, Any]:
        """Return what is kept beside the version."""
        reasons = Counter(reason.value for reason in self.excluded.values())
        lengths = summarize_lengths(self._lengths, self._so_far.measure.tokenizer) if self._lengths else None
        return {
            "rule": self.rule.model_dump(mode="json"),
            "exclusions": dict(sorted(reasons.items())),
            "excluded": {str(conversation_id): reason.value for conversation_id, reason in self.excluded.items()},
            "counts": {name: dict(sorted(counts.items())) for name, counts in self._counts.items()},
            "cells": {persona: dict(sorted(arcs.items())) for persona, arcs in sorted(self._cells.items())},
            "reviews": {fact.value: self._reviews[fact] for fact in ReviewFact},
            "lengths": None if lengths is None else lengths.model_dump(mode="json"),
        }


def list_review_facts(candidate: Candidate) -> list[ReviewFact]:
    """Return what reviewers did with a conversation."""
    is_approved = candidate.review_status is ReviewStatus.APPROVED
    facts = {
        ReviewFact.APPROVED: is_approved,
        ReviewFact.APPROVED_AFTER_READING: is_approved and candidate.was_read,
        ReviewFact.EDITED: candidate.was_edited,
    }
    return [fact for fact, is_so in facts.items() if is_so]


def count_tokens(conversation: FrozenConversation, measure: TokenMeasure) -> int:
    """Return the tokens of a conversation without a system message, as it is exported."""
    return measure.count([message["content"] for message in list_messages(conversation.turns)])


def find_problem(turns: Sequence[Turn]) -> str | None:
    """Return why stored turns would not pass the verdict that replies pass, None if they do."""
    expected = [Role.USER, Role.ASSISTANT] * len(turns)
    if len(turns) < 2 or any(turn.role is not role for turn, role in zip(turns, expected, strict=False)):  # noqa: PLR2004
        return "user and assistant do not speak in turn"
    if not all(turn.content.strip() for turn in turns):
        return "a turn says nothing"
    verdict = judge_conversation(Conversation(conversation_metadata=NO_METADATA, turns=tuple(turns)))
    return verdict.details if isinstance(verdict, Failed) else None
