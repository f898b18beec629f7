"""Experiments: the same combinations generated once more with one setting changed, and what that changed.

Each item of the changed arm is paired with the item whose combination it generates again. Persona, arc and topic are the
same in both arms, so only pairs with different outcomes carry information, and few items are enough.
"""

from enum import StrEnum
from uuid import UUID

from pydantic import AwareDatetime, Field

from core.domain.batches.batch import MAX_OUTPUT_TOKENS, BatchId, Effort
from core.domain.batches.results import FailureFilters
from core.domain.diagnosis.exact_tests import mcnemar_p
from core.domain.diagnosis.findings import word_chance
from core.domain.diagnosis.intervals import Rate, measure_rate, paired_difference_interval
from core.domain.percentages import format_percent
from core.domain.record import Record
from core.domain.scaffolding.records import TemplateId

ALPHA = 0.05
MOST_ITEMS = 10_000


class ExperimentChange(Record):
    """The one setting that differs in the changed arm. `template_id` replaces the template of its arc."""

    model: str | None = Field(default=None, min_length=1, max_length=100)
    max_tokens: int | None = Field(default=None, ge=1, le=MAX_OUTPUT_TOKENS)
    effort: Effort | None = None
    structured_outputs: bool | None = None
    template_id: TemplateId | None = None

    @property
    def label(self) -> str:
        """How the changed arm is called."""
        match self.model_dump(exclude_none=True):
            case {"model": model}:
                return f"model {model}"
            case {"max_tokens": max_tokens}:
                return f"max_tokens {max_tokens:,}"
            case {"effort": effort}:
                return f"effort {effort}"
            case {"structured_outputs": is_on}:
                return f"structured output {'on' if is_on else 'off'}"
            case {"template_id": _}:
                return "other template"
            case _:
                return "nothing changed"

    @property
    def base_label(self) -> str:
        """How the other arm is called."""
        return "before" if self.structured_outputs is None else f"with it {'off' if self.structured_outputs else 'on'}"


class ItemScope(StrEnum):
    """Which judged items of the batch are generated again."""

    JUDGED = "judged"  #: accepted and failed ones: the comparison in full
    FAILED = "failed"  #: failed ones only: cheaper, but chance alone makes some of them succeed the second time


class ExperimentPlan(Record):
    """What to generate again: judged items of a batch, at most `limit`. Of `items` only filters on settings count."""

    batch_id: BatchId
    change: ExperimentChange
    scope: ItemScope = ItemScope.JUDGED
    name: str | None = None
    items: FailureFilters = FailureFilters()
    limit: int | None = Field(default=None, ge=1, le=MOST_ITEMS)


class Experiment(Record):
    """Two arms: items of `base_batch_id`, and their counterparts, which make up `changed_batch_id`."""

    id: UUID
    name: str
    scope: ItemScope
    change: ExperimentChange
    base_batch_id: BatchId
    changed_batch_id: BatchId
    pairs: int
    created_at: AwareDatetime


class ExperimentPairs(Record):
    """How the pairs came out. Open ones are not judged on the changed side yet, or were cancelled."""

    experiment: Experiment
    both_failed: int
    only_base_failed: int
    only_changed_failed: int
    neither_failed: int
    open: int
    simulated: bool = False


class Comparison(Record):
    """Both arms over the judged pairs. `difference` is changed minus base: negative is better."""

    base: Rate
    changed: Rate
    difference: float | None
    difference_low: float
    difference_high: float
    p_value: float
    is_proven: bool
    verdict: str


def compare_arms(pairs: ExperimentPairs) -> Comparison:
    """Compare the arms: rates, paired interval of their difference, McNemar's exact test, and a verdict in words."""
    judged = pairs.both_failed + pairs.only_base_failed + pairs.only_changed_failed + pairs.neither_failed
    base = measure_rate(pairs.both_failed + pairs.only_base_failed, judged)
    changed = measure_rate(pairs.both_failed + pairs.only_changed_failed, judged)
    interval = paired_difference_interval(
        pairs.both_failed, pairs.only_changed_failed, pairs.only_base_failed, pairs.neither_failed
    )
    p_value = mcnemar_p(pairs.only_base_failed, pairs.only_changed_failed)
    # Of items chosen because they failed, some are accepted the second time whatever is changed: that proves nothing.
    is_proven = judged > 0 and p_value <= ALPHA and pairs.experiment.scope is ItemScope.JUDGED
    return Comparison(
        base=base,
        changed=changed,
        difference=None if base.value is None or changed.value is None else changed.value - base.value,
        difference_low=interval.low,
        difference_high=interval.high,
        p_value=p_value,
        is_proven=is_proven,
        verdict=_phrase_verdict(pairs, base, changed, p_value, is_proven=is_proven),
    )


def _phrase_verdict(pairs: ExperimentPairs, base: Rate, changed: Rate, p_value: float, *, is_proven: bool) -> str:
    change = pairs.experiment.change
    if base.value is None or changed.value is None:
        return f"No pair is judged yet ({pairs.open} open)."
    waiting = f" {_count_pairs(pairs.open)} still open." if pairs.open else ""
    if pairs.experiment.scope is ItemScope.FAILED:
        fixed = pairs.only_base_failed
        return (
            f"{fixed} of {base.judged} failed items are accepted with {change.label} "
            f"({format_percent(fixed / base.judged)}). "
            f"Some would have been without the change; compare all judged items to know.{waiting}"
        )
    figures = (
        f"{format_percent(changed.value)} fail, {format_percent(base.value)} {change.base_label} "
        f"({_count_pairs(base.judged)}; {pairs.only_base_failed} fixed, {pairs.only_changed_failed} newly failed)"
    )
    if not is_proven:
        return f"No difference is proven with {change.label}: {figures}; it could be chance.{waiting}"
    word = "less" if changed.value < base.value else "more"
    simulated = " These replies are simulated." if pairs.simulated else ""
    return f"Conversations fail {word} often with {change.label}: {figures}; {word_chance(p_value)}.{simulated}{waiting}"


def _count_pairs(number: int) -> str:
    return "1 pair" if number == 1 else f"{number} pairs"
