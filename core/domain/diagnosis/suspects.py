"""Which setting do the failures come from? Every value of every field is compared with the rest.

1. Values that hold the same items cannot be told apart (an arc and its only template): one suspect with several names.
2. Each is compared with all other items by Fisher's exact test, corrected by Holm for the number of comparisons.
3. The strongest is named. All others are then compared within its items and outside of them, apart (a stratified exact
   test). A value that failed more often only because of the named one is then explained; the strongest of the
   others is named next, and so on.
4. A pair of values (template x structured output) is named instead of a value if it fails more often than either value does
   without the other, and more often than the two would fail as causes of their own; and instead of a batch if it is just
   what only that batch has.

The chance to name any suspect where failures are random is under 5 % in all, as far as items fail independently; retries
and comparisons send the same prompt again and may not. A second cause that is not significant over all items is named only
under a filter that excludes the items of the first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations
from math import sqrt

import numpy as np

from core.domain.diagnosis.exact_tests import adjust_holm, choose_testable, fisher_p, least_fisher_p, stratified_p
from core.domain.diagnosis.facts import Bools, Facts, Field, Ints
from core.domain.diagnosis.intervals import Interval, Rate, difference_interval, measure_rate
from core.domain.record import Record

FEWEST_FAILED = 3
FEWEST_JUDGED = 5
ALPHA_SINGLE = 0.04
ALPHA_PAIR = 0.01
MOST_NAMED = 5
MOST_PAIRS = 20_000
_LEAST_DEVIATION = 1.5
_TEMPLATE = "template"


class SuspectName(Record):
    """One field and value; `label` is how to say it."""

    field: str
    value: str
    label: str


class SuspectStatus(StrEnum):
    """What the tests make of a suspect."""

    NAMED = "named"  #: fails more often, and nothing stronger explains it
    EXPLAINED = "explained"  #: fails more often, but not once a named suspect is taken into account
    UNPROVEN = "unproven"  #: the difference could be chance
    TOO_FEW = "too_few"  #: no outcome of so few items could prove anything


class Suspect(Record):
    """One value, or a pair, compared with all other items.

    `names` are the values that hold exactly these items; `parts` of a pair are the two values that it joins. `p_value` is
    Fisher's exact and two-sided, `p_corrected` the same after Holm. `lift` is None where the rest never fails.
    """

    names: tuple[SuspectName, ...]
    parts: tuple[SuspectName, ...] = ()
    rate: Rate
    rest: Rate
    lift: float | None
    difference: float | None
    difference_low: float
    difference_high: float
    p_value: float
    p_corrected: float
    status: SuspectStatus
    explained_by: SuspectName | None = None
    not_told_apart: tuple[SuspectName, ...] = ()
    """Values that would explain the failures as well: without this suspect they fail no more often, nor it without them."""

    @property
    def label(self) -> str:
        """All names in one line; a template comes last, since its arc says more."""
        if self.parts:
            return " with ".join(part.label for part in self.parts)
        first = next((name for name in self.names if name.field != _TEMPLATE), self.names[0])
        others = [name.label for name in self.names if name != first]
        return f"{first.label} (only used with {' and '.join(others)})" if others else first.label


class SuspectReport(Record):
    """All suspects, worst first.

    The named ones in the order of their strength, then what fails more often than the rest by p-value, then what does not by
    falling rate: the best is last.
    """

    judged: int
    failed: int
    compared: int
    suspects: tuple[Suspect, ...]

    @property
    def named(self) -> tuple[Suspect, ...]:
        """Those that the tests name."""
        return tuple(suspect for suspect in self.suspects if suspect.status is SuspectStatus.NAMED)


@dataclass(kw_only=True)
class _Candidate:
    """A set of cells under one or more names."""

    names: list[SuspectName]
    fields: frozenset[str]
    members: Bools
    judged: int
    failed: int
    p_value: float = 1.0
    p_corrected: float = 1.0
    is_testable: bool = False
    parts: tuple["_Candidate", ...] = ()
    status: SuspectStatus = SuspectStatus.UNPROVEN
    explained_by: SuspectName | None = None
    not_told_apart: list[SuspectName] = field(default_factory=list[SuspectName])


def find_suspects(facts: Facts, *, unpaired: Sequence[str] = ()) -> SuspectReport:
    """Compare everything and name what the failures come from; `unpaired` fields make no pairs."""
    singles = _collect_singles(facts)
    comparisons = _test_all(facts, singles, ALPHA_SINGLE)
    pairs = _collect_pairs(facts, singles, frozenset(unpaired))
    named: list[_Candidate] = []
    while len(named) < MOST_NAMED:
        chosen = _choose_next(facts, singles, named, comparisons)
        if chosen is None:
            break
        pair = _find_pair(facts, chosen, pairs, named, partners=len(singles))
        if pair is None and chosen.fields <= frozenset(unpaired):
            pair = _find_same(facts, chosen, pairs)
        named.append(pair or chosen)
        named[-1].status = SuspectStatus.NAMED
    _explain_others(facts, singles, named)
    others = sorted((each for each in singles if each not in named), key=lambda each: _order(facts, each))
    suspects = tuple(_describe(facts, each) for each in (*named, *others))
    return SuspectReport(judged=facts.total_judged, failed=facts.total_failed, compared=comparisons, suspects=suspects)


def _collect_singles(facts: Facts) -> list[_Candidate]:
    """Every value as a set of cells; the same set under another name joins the first."""
    found: dict[bytes, _Candidate] = {}
    for column in facts.fields:
        for name, members in _list_values(column):
            judged = int(facts.judged[members].sum())
            if judged in (0, facts.total_judged):
                continue
            key = np.packbits(members & (facts.judged > 0)).tobytes()
            if key in found:
                found[key].names.append(name)
                found[key].fields |= {column.name}
                continue
            failed = int(facts.failed[members].sum())
            found[key] = _Candidate(
                names=[name], fields=frozenset({column.name}), members=members, judged=judged, failed=failed
            )
    return list(found.values())


def _list_values(column: Field) -> Iterable[tuple[SuspectName, Bools]]:
    if column.steps is None:
        for code, value in enumerate(column.values):
            yield SuspectName(field=column.name, value=value, label=f"{_spell(column.name)} {value}"), column.codes == code
        return
    for code, value in enumerate(column.values[1:], start=1):
        for sign, word, members in (("≥", "from", column.is_from(code)), ("<", "below", column.is_below(code))):
            label = f"{_spell(column.name)} {word} {value} {column.unit}".rstrip()
            yield SuspectName(field=column.name, value=f"{sign} {value}", label=label), members


def _test_all(facts: Facts, candidates: Sequence[_Candidate], alpha: float) -> int:
    """Make Fisher's test and Holm's correction; return the number of comparisons. Two sides of one split are one."""
    if not candidates:
        return 0
    totals = np.array([each.judged for each in candidates], dtype=np.int64)
    least = least_fisher_p(facts.total_failed, totals, facts.total_judged)
    splits: dict[bytes, list[int]] = {}
    for index, each in enumerate(candidates):
        mask = each.members & (facts.judged > 0)
        other = ~each.members & (facts.judged > 0)
        splits.setdefault(min(np.packbits(mask).tobytes(), np.packbits(other).tobytes()), []).append(index)
    groups = list(splits.values())
    testable = choose_testable([float(least[group[0]]) for group in groups], alpha)
    for group in groups:
        first = candidates[group[0]]
        p_value = fisher_p(first.failed, first.judged, facts.total_failed - first.failed, facts.total_judged - first.judged)
        for index in group:
            candidates[index].p_value = p_value
    chosen = [group for group, is_testable in zip(groups, testable, strict=True) if is_testable]
    for group, corrected in zip(chosen, adjust_holm([candidates[group[0]].p_value for group in chosen]), strict=True):
        for index in group:
            each = candidates[index]
            each.p_corrected, each.is_testable = corrected, True
    return len(chosen)


def _choose_next(
    facts: Facts, singles: Sequence[_Candidate], named: Sequence[_Candidate], comparisons: int
) -> _Candidate | None:
    """The strongest that still fails more often once the named ones are taken into account."""
    best: tuple[float, _Candidate] | None = None
    strata = _stratify(facts, named)
    for each in singles:
        if each in named or not _may_be_named(facts, each, ALPHA_SINGLE):
            continue
        p_value, fails_more = (each.p_value, True) if not named else _test_within(facts, each, strata)
        if fails_more and p_value * max(comparisons, 1) <= ALPHA_SINGLE and (best is None or p_value < best[0]):
            best = p_value, each
    return None if best is None else best[1]


def _may_be_named(facts: Facts, each: _Candidate, alpha: float) -> bool:
    is_worse = each.failed * (facts.total_judged - each.judged) > (facts.total_failed - each.failed) * each.judged
    is_enough = each.failed >= FEWEST_FAILED and each.judged >= FEWEST_JUDGED
    return is_worse and is_enough and each.is_testable and each.p_corrected <= alpha


def _stratify(facts: Facts, named: Sequence[_Candidate]) -> Ints:
    """Number the cells by which of the named suspects they belong to."""
    strata = np.zeros(len(facts.judged), dtype=np.int64)
    for each in named:
        strata = strata * 2 + each.members
    return np.unique(strata, return_inverse=True)[1].astype(np.int64)


def _test_within(facts: Facts, each: _Candidate, strata: Ints) -> tuple[float, bool]:
    """The stratified p-value, and whether it fails more often (not less) within the strata."""
    size = int(strata.max()) + 1
    judged, failed = _sum_by(strata, facts.judged, size), _sum_by(strata, facts.failed, size)
    totals = _sum_by(strata, facts.judged * each.members, size)
    counts = _sum_by(strata, facts.failed * each.members, size)
    expected = sum(f * t / j for t, f, j in zip(totals, failed, judged, strict=True) if j)
    return stratified_p(counts, totals, failed, judged), sum(counts) > expected


def _sum_by(strata: Ints, counts: Ints, size: int) -> list[int]:
    return [round(value) for value in np.bincount(strata, weights=counts, minlength=size)]


def _explain_others(facts: Facts, singles: Sequence[_Candidate], named: Sequence[_Candidate]) -> None:
    """Set the status of the others, and note those that the data cannot tell apart from a named one."""
    for each in singles:
        if each in named:
            continue
        if not each.is_testable or each.judged < FEWEST_JUDGED:
            each.status = SuspectStatus.TOO_FEW
        elif named and _may_be_named(facts, each, ALPHA_SINGLE):
            culprit = min(named, key=lambda suspect: -_test_within(facts, each, _stratify(facts, [suspect]))[0])
            each.status, each.explained_by = SuspectStatus.EXPLAINED, culprit.names[0]
            if (
                each.fields.isdisjoint(culprit.fields)
                and _test_within(facts, culprit, _stratify(facts, [each]))[0] > ALPHA_SINGLE
            ):
                culprit.not_told_apart.extend(each.names)


def _collect_pairs(facts: Facts, singles: Sequence[_Candidate], unpaired: frozenset[str]) -> list[_Candidate]:
    """Pairs of values of two fields that together fail significantly more often, after a correction of their own."""
    usable = [
        each
        for each in singles
        if each.failed >= FEWEST_FAILED and not each.fields <= unpaired and not _is_ordered(facts, each)
    ]
    pairs: list[_Candidate] = []
    for first, second in combinations(usable, 2):
        if not first.fields.isdisjoint(second.fields):
            continue
        members = first.members & second.members
        judged = int(facts.judged[members].sum())
        if judged < FEWEST_JUDGED or judged in (first.judged, second.judged):
            continue
        failed = int(facts.failed[members].sum())
        pair = _Candidate(
            names=[first.names[0], second.names[0]],
            fields=first.fields | second.fields,
            members=members,
            judged=judged,
            failed=failed,
            parts=(first, second),
        )
        pairs.append(pair)
        if len(pairs) >= MOST_PAIRS:
            break
    _test_pairs(facts, pairs)
    return [pair for pair in pairs if _may_be_named(facts, pair, ALPHA_PAIR)]


def _test_pairs(facts: Facts, pairs: Sequence[_Candidate]) -> None:
    """As for single values, but only what stands out is calculated: the correction needs just the number of others."""
    if not pairs:
        return
    least = least_fisher_p(facts.total_failed, np.array([pair.judged for pair in pairs]), facts.total_judged)
    testable = [
        pair for pair, is_testable in zip(pairs, choose_testable(least.tolist(), ALPHA_PAIR), strict=True) if is_testable
    ]
    for pair in testable:
        pair.is_testable = True
        if _stands_out(facts, pair):
            pair.p_value = fisher_p(
                pair.failed, pair.judged, facts.total_failed - pair.failed, facts.total_judged - pair.judged
            )
    for pair, corrected in zip(testable, adjust_holm([pair.p_value for pair in testable]), strict=True):
        pair.p_corrected = corrected


def _stands_out(facts: Facts, each: _Candidate) -> bool:
    """Whether it is over 1.5 standard deviations above the expected count; less is never significant."""
    share = facts.total_failed / facts.total_judged
    expected = each.judged * share
    return each.failed - expected > _LEAST_DEVIATION * sqrt(expected * (1 - share) * (1 - each.judged / facts.total_judged))


def _is_ordered(facts: Facts, each: _Candidate) -> bool:
    return any(column.steps is not None for column in facts.fields if column.name in each.fields)


def _find_pair(
    facts: Facts, chosen: _Candidate, pairs: Sequence[_Candidate], named: Sequence[_Candidate], *, partners: int
) -> _Candidate | None:
    """The strongest pair of the chosen value with another that says more than the value alone."""
    fitting = [
        pair for pair in pairs if chosen in pair.parts and pair not in named and _adds_to_parts(facts, pair, partners)
    ]
    return min(fitting, key=lambda pair: pair.p_value, default=None)


def _find_same(facts: Facts, chosen: _Candidate, pairs: Sequence[_Candidate]) -> _Candidate | None:
    """The pair of settings that only this batch has: settings can be changed, so it is named instead."""
    same = [pair for pair in pairs if not np.any((pair.members != chosen.members) & (facts.judged > 0))]
    return min(same, key=lambda pair: pair.p_value, default=None)


def _adds_to_parts(facts: Facts, pair: _Candidate, partners: int) -> bool:
    """Whether it fails more often than each of its values alone, and than both as independent causes.

    Each value is tried with `partners` others, hence Bonferroni's factor.
    """
    first, second = pair.parts
    neither = ~(first.members | second.members)
    base = _share(facts, neither)
    alone: list[float] = []
    for part in pair.parts:
        outside = part.members & ~pair.members
        judged, failed = int(facts.judged[outside].sum()), int(facts.failed[outside].sum())
        if judged == 0 or fisher_p(pair.failed, pair.judged, failed, judged) * partners > ALPHA_PAIR:
            return False
        alone.append(failed / judged)
    # Independent causes: an item must escape both. The base rate is part of both rates, so it is divided out once.
    independent = 1 - (1 - alone[0]) * (1 - alone[1]) / max(1 - base, 1e-9)
    low = measure_rate(pair.failed, pair.judged).low
    return low is not None and low > independent


def _share(facts: Facts, members: Bools) -> float:
    judged = int(facts.judged[members].sum())
    return int(facts.failed[members].sum()) / judged if judged else 0.0


def _order(facts: Facts, each: _Candidate) -> tuple[bool, float, float]:
    """Worst first. A small p-value proves that a value is worse or that it is better, so it leads only among the worse."""
    rate, rest_judged = each.failed / each.judged, facts.total_judged - each.judged
    gap = rate - (facts.total_failed - each.failed) / rest_judged
    return (False, each.p_value, -gap) if gap > 0 else (True, -rate, -each.p_value)


def _describe(facts: Facts, each: _Candidate) -> Suspect:
    rest_failed, rest_judged = facts.total_failed - each.failed, facts.total_judged - each.judged
    rate, rest = measure_rate(each.failed, each.judged), measure_rate(rest_failed, rest_judged)
    interval: Interval = difference_interval(each.failed, each.judged, rest_failed, rest_judged)
    gap = None if rate.value is None or rest.value is None else rate.value - rest.value
    return Suspect(
        names=tuple(each.names),
        parts=tuple(each.names) if each.parts else (),
        rate=rate,
        rest=rest,
        lift=rate.value / rest.value if rate.value is not None and rest.value else None,
        difference=gap,
        difference_low=interval.low,
        difference_high=interval.high,
        p_value=each.p_value,
        p_corrected=each.p_corrected,
        status=each.status,
        explained_by=each.explained_by,
        not_told_apart=tuple(each.not_told_apart),
    )


def _spell(name: str) -> str:
    return name.replace("_", " ")
