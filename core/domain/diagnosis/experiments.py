"""Experiments: the same combinations once more with one setting changed, and what that changed.

Each item of the changed arm stands beside the item it repeats, so persona, arc, topic and everything else that is hard or
easy is the same on both sides, and only pairs that came out differently tell something. That makes few items go far.
"""

from enum import StrEnum
from uuid import UUID

from pydantic import AwareDatetime, Field

from core.domain.batches.batch import MAX_OUTPUT_TOKENS, BatchId, Effort
from core.domain.batches.results import FailureFilters
from core.domain.diagnosis.exact_tests import mcnemar_p
from core.domain.diagnosis.findings import format_failure_rate, format_p, format_percent
from core.domain.diagnosis.intervals import Rate, measure_rate, paired_difference_interval
from core.domain.record import Record
from core.domain.scaffolding.records import TemplateId

ALPHA = 0.05
MOST_ITEMS = 10_000


class ExperimentChange(Record):
    """The one setting that the changed arm has otherwise. `template_id` replaces the template of its arc."""

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


class ItemScope(StrEnum):
    """Which judged items of the batch are repeated."""

    JUDGED = "judged"  #: accepted and failed ones: the comparison in full
    FAILED = "failed"  #: failed ones only: cheaper, but chance alone makes some of them pass the second time


class ExperimentPlan(Record):
    """What to repeat: judged items of a batch, at most `limit` of them. Of `items` only counts how they were made."""

    batch_id: BatchId
    change: ExperimentChange
    scope: ItemScope = ItemScope.JUDGED
    name: str | None = None
    items: FailureFilters = FailureFilters()
    limit: int | None = Field(default=None, ge=1, le=MOST_ITEMS)


class Experiment(Record):
    """Two arms: items of `base_batch_id`, and their repetitions, which are all of `changed_batch_id`."""

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
    # Of items chosen because they failed, some pass the second time whatever is changed: no test can be built on that.
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
    label = pairs.experiment.change.label
    if base.value is None or changed.value is None:
        return f"No pair is judged yet ({pairs.open} are open)."
    figures = (
        f"{format_failure_rate(changed)} with {label} against {format_failure_rate(base)} without, over {base.judged} pairs"
    )
    waiting = f" {pairs.open} pairs are still open." if pairs.open else ""
    if pairs.experiment.scope is ItemScope.FAILED:
        passed = pairs.only_base_failed
        share = format_percent(passed / base.judged)
        return (
            f"{passed} of {base.judged} items that had failed pass with {label} ({share} %). Some would have passed without "
            f"the change, too; compare accepted items as well to know.{waiting}"
        )
    moved = f"{pairs.only_base_failed} pairs mended, {pairs.only_changed_failed} broken"
    if not is_proven:
        return f"No difference is proven: {figures} ({moved}; {format_p(p_value)}).{waiting}"
    word = "less" if changed.value < base.value else "more"
    simulated = " These replies are simulated." if pairs.simulated else ""
    return f"Conversations fail {word} often with {label}: {figures} ({moved}; {format_p(p_value)}).{simulated}{waiting}"
