"""Which conversations train and which are held back: seeded, stratified by arc, what belongs together on one side. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from itertools import groupby

from pydantic import Field

from core.domain.record import Record
from core.errors import InvalidRequest


class Split(StrEnum):
    """A part of a data set, by the names that trainers and the Hub know."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class SplitRule(Record):
    """How a version is divided; without anything all of it is training data."""

    validation_share: float = Field(default=0.0, ge=0.0, lt=1.0)
    test_share: float = Field(default=0.0, ge=0.0, lt=1.0)
    held_out_topics: frozenset[str] = frozenset()
    held_out_personas: frozenset[str] = frozenset()
    """Keys; all conversations of these are the test split, so that it measures what was never seen."""
    seed: int = 0


class SplitMember(Record):
    """What a split needs to know of a conversation; `text_hash` is equal for exact copies."""

    position: int
    persona: str
    arc: str
    topic: str
    text_hash: str

    @property
    def combination(self) -> tuple[str, str, str]:
        """Variations of one combination are never divided."""
        return self.persona, self.arc, self.topic


class SharedValues(Record):
    """What two splits have in common: combinations and texts must be none, personas, arcs and topics mostly are."""

    first: Split
    second: Split
    personas: int
    arcs: int
    topics: int
    combinations: int
    texts: int


def parse_split_rule(text: str, *, seed: int = 0) -> SplitRule:
    """Read `validation=0.1,test=0.1`; raise InvalidRequest."""
    shares: dict[Split, float] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, share = part.partition("=")
        try:
            split, asked = Split(name.strip()), float(share)
        except ValueError as error:
            raise InvalidRequest(
                f"“{part}” is no split. Write for example validation=0.1 or validation=0.1,test=0.1."
            ) from error
        if split is Split.TRAIN:
            raise InvalidRequest("The train split is what the others leave: ask only for shares of validation and test.")
        if split in shares:
            raise InvalidRequest(f"The {split.value} split is asked for twice. Give one share of it.")
        shares[split] = asked
    if not all(0 < share < 1 for share in shares.values()) or sum(shares.values()) >= 1:
        raise InvalidRequest(
            "Shares of splits are more than 0 and less than 1, and leave some of the data to train on. "
            "Leave out a split that you do not want."
        )
    return SplitRule(validation_share=shares.get(Split.VALIDATION, 0.0), test_share=shares.get(Split.TEST, 0.0), seed=seed)


def hold_out(rule: SplitRule, topics: frozenset[str], personas: frozenset[str]) -> SplitRule:
    """Return the rule with these as the test split; raise InvalidRequest where others are to be in it, too."""
    if (topics or personas) and rule.test_share:
        raise InvalidRequest(
            "Held-out topics and personas are the test split, so that it measures what was never seen. "
            "Leave out the share of test, or hold nothing out."
        )
    return rule.model_copy(update={"held_out_topics": topics, "held_out_personas": personas})


def assign_splits(members: Sequence[SplitMember], rule: SplitRule) -> dict[int, Split]:
    """Return the split of each position. The same members and rule give the same splits, in whatever order they come."""
    assigned: dict[int, Split] = {}
    groups: list[tuple[str, tuple[SplitMember, ...]]] = []
    for group in _group_members(members):
        if any(each.topic in rule.held_out_topics or each.persona in rule.held_out_personas for each in group):
            assigned |= {each.position: Split.TEST for each in group}
        else:
            groups.append((group[0].arc, group))
    quotas = {Split.TEST: _Quota(share=rule.test_share), Split.VALIDATION: _Quota(share=rule.validation_share)}
    for _, stratum in groupby(sorted(groups, key=lambda pair: pair[0]), key=lambda pair: pair[0]):
        assigned |= _divide_stratum([group for _, group in stratum], quotas, rule.seed)
    return assigned


def check_splits(members: Sequence[SplitMember], assigned: Mapping[int, Split]) -> tuple[SharedValues, ...]:
    """Return what each pair of splits shares."""
    sides = {split: [each for each in members if assigned[each.position] is split] for split in Split}
    pairs = [(Split.TRAIN, Split.VALIDATION), (Split.TRAIN, Split.TEST), (Split.VALIDATION, Split.TEST)]
    return tuple(
        SharedValues(
            first=first,
            second=second,
            personas=len({each.persona for each in sides[first]} & {each.persona for each in sides[second]}),
            arcs=len({each.arc for each in sides[first]} & {each.arc for each in sides[second]}),
            topics=len({each.topic for each in sides[first]} & {each.topic for each in sides[second]}),
            combinations=len({each.combination for each in sides[first]} & {each.combination for each in sides[second]}),
            texts=len({each.text_hash for each in sides[first]} & {each.text_hash for each in sides[second]}),
        )
        for first, second in pairs
        if sides[first] and sides[second]
    )


def describe_shared(shared: SharedValues) -> str:
    """Say what two splits have in common; the caller puts a full stop."""
    counts = [
        f"{count:,} {name if count == 1 else name + 's'}"
        for name, count in (
            ("combination", shared.combinations),
            ("text", shared.texts),
            ("persona", shared.personas),
            ("arc", shared.arcs),
            ("topic", shared.topics),
        )
    ]
    return f"{shared.first.value} and {shared.second.value} share {', '.join(counts[:-1])} and {counts[-1]}"


def describe_empty(rule: SplitRule, sizes: Mapping[Split, int]) -> tuple[str, ...]:
    """Say in a sentence for each split that was asked for and got nothing why it is so; `sizes` are those that did."""
    holds_out = bool(rule.held_out_topics or rule.held_out_personas)
    divided = sum(size for split, size in sizes.items() if not (holds_out and split is Split.TEST))
    shares = {Split.VALIDATION: rule.validation_share, Split.TEST: rule.test_share}
    return tuple(_describe_empty(split, share, divided) for split, share in shares.items() if share and not sizes.get(split))


def _describe_empty(split: Split, share: float, divided: int) -> str:
    comes_to = f"{round(share * divided, 3):g}"
    counted = f"1 conversation is {comes_to}" if divided == 1 else f"{divided:,} conversations are {comes_to}"
    why = (
        "which rounds to none"
        if not round(share * divided)
        else "and nothing as small was left: conversations of one combination, and equal texts, are never divided"
    )
    return f"The {split.value} split got nothing: {share * 100:g} % of {counted}, {why}."


def require_known(members: Sequence[SplitMember], rule: SplitRule) -> None:
    """Raise InvalidRequest where something is held out that no member has."""
    for name, wanted, known in (
        ("topic", rule.held_out_topics, {each.topic for each in members}),
        ("persona", rule.held_out_personas, {each.persona for each in members}),
    ):
        if unknown := sorted(wanted - known):
            raise InvalidRequest(
                f"There is no {name} {', '.join(unknown)} in this version to hold out. It has {', '.join(sorted(known))}."
            )


def _group_members(members: Sequence[SplitMember]) -> list[tuple[SplitMember, ...]]:
    """Put members together that share a combination or a text, also by way of others (union-find)."""
    parent: dict[object, object] = {}

    def find(key: object) -> object:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for member in members:
        parent[find(member.combination)] = find(("text", member.text_hash))
    groups: dict[object, list[SplitMember]] = {}
    for member in sorted(members, key=lambda each: (each.combination, each.text_hash, each.position)):
        groups.setdefault(find(member.combination), []).append(member)
    return [tuple(group) for group in groups.values()]


@dataclass(kw_only=True)
class _Quota:
    """What a split is still to get. What one stratum could not give for its size the next ones do."""

    share: float
    seen: int = 0
    given: int = 0

    @property
    def left(self) -> int:
        return round(self.seen * self.share) - self.given


def _divide_stratum(
    groups: Sequence[tuple[SplitMember, ...]], quotas: Mapping[Split, _Quota], seed: int
) -> dict[int, Split]:
    """Fill test and validation with whole groups, in an order drawn from the seed, until each has its share."""

    def draw(group: tuple[SplitMember, ...]) -> str:
        return sha256(f"{seed}/{'/'.join(group[0].combination)}".encode()).hexdigest()

    for quota in quotas.values():
        quota.seen += sum(map(len, groups))
    assigned: dict[int, Split] = {}
    for group in sorted(groups, key=draw):
        side = next((split for split, quota in quotas.items() if quota.left >= len(group)), Split.TRAIN)
        if side is not Split.TRAIN:
            quotas[side].given += len(group)
        assigned |= {each.position: side for each in group}
    return assigned
