"""How long conversations are for a tokenizer, and what the defaults of trainers would cut. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.domain.record import Record

CHARACTERS_PER_TOKEN = 4.0
"""Of English text with the usual tokenizers; an estimate, and said to be one wherever it is shown."""
TOKENS_PER_MESSAGE = 5
"""Of chat templates: role and marks around each message."""
HISTOGRAM_STEP = 512
SPARE, SPARE_OF_ESTIMATE = 1.1, 1.5
"""What recipes leave for the marks of a chat template, and for tokenizers with a token for each digit."""


class ExcessLength(StrEnum):
    """What a trainer does with a conversation over its length."""

    CUT = "cut"
    DROP = "drop"


class TrainerDefault(Record):
    """A trainer's length where the user sets none."""

    trainer: str
    length: int
    excess: ExcessLength


TRAINER_DEFAULTS = (
    TrainerDefault(trainer="TRL", length=1024, excess=ExcessLength.CUT),
    TrainerDefault(trainer="Axolotl", length=512, excess=ExcessLength.DROP),
    TrainerDefault(trainer="LLaMA-Factory", length=2048, excess=ExcessLength.CUT),
    TrainerDefault(trainer="Unsloth", length=2048, excess=ExcessLength.CUT),
)


class LengthStatistics(Record):
    """Tokens of the conversations of a version; `histogram` counts by steps of HISTOGRAM_STEP tokens.

    `tokenizer` says which one counted; None: they are estimated.
    """

    conversations: int
    median: int
    p95: int
    longest: int
    histogram: tuple[int, ...]
    over_default: dict[str, int]
    """By trainer, how many conversations are longer than its default."""
    tokenizer: str | None = None


def estimate_tokens(contents: Sequence[str]) -> int:
    """Estimate the tokens of messages without a tokenizer."""
    return round(sum(map(len, contents)) / CHARACTERS_PER_TOKEN) + TOKENS_PER_MESSAGE * len(contents)


@dataclass(frozen=True)
class TokenMeasure:
    """How the tokens of messages are counted; `tokenizer` is its name, None where they are estimated."""

    tokenizer: str | None
    count: Callable[[Sequence[str]], int]


ESTIMATE = TokenMeasure(None, estimate_tokens)


def summarize_lengths(lengths: Sequence[int], tokenizer: str | None = None) -> LengthStatistics:
    """Return the statistics of some lengths, at least one."""
    ordered = sorted(lengths)
    histogram = [0] * (ordered[-1] // HISTOGRAM_STEP + 1)
    for length in ordered:
        histogram[length // HISTOGRAM_STEP] += 1
    return LengthStatistics(
        conversations=len(ordered),
        median=ordered[(len(ordered) - 1) // 2],
        p95=ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))],
        longest=ordered[-1],
        histogram=tuple(histogram),
        over_default={each.trainer: sum(length > each.length for length in ordered) for each in TRAINER_DEFAULTS},
        tokenizer=tokenizer,
    )


def describe_lengths(lengths: LengthStatistics) -> str:
    """Say in a sentence how long the conversations are, and how that is known."""
    how = "Tokens, estimated at four characters each" if lengths.tokenizer is None else f"Tokens of {lengths.tokenizer}"
    return f"{how}: median {lengths.median:,}, 95 % up to {lengths.p95:,}, longest {lengths.longest:,}."


def describe_defaults(lengths: LengthStatistics) -> tuple[str, ...]:
    """Say in a sentence each what the defaults of trainers would do to conversations that are too long for them."""
    return tuple(
        f"{each.trainer}'s default of {each.length:,} tokens would {each.excess} "
        f"{lengths.over_default[each.trainer]:,} of {lengths.conversations:,}."
        for each in TRAINER_DEFAULTS
        if lengths.over_default[each.trainer]
    )


def choose_length(lengths: LengthStatistics) -> int:
    """Return a length for recipes that cuts nothing: the next power of two over the longest, with some to spare.

    Of an estimate that is half of it: text with many amounts of money has fewer than three characters a token.
    """
    needed = lengths.longest * (SPARE_OF_ESTIMATE if lengths.tokenizer is None else SPARE)
    length = 512
    while length < needed:
        length *= 2
    return length
