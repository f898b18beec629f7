"""Whether memory stays flat while a long batch runs."""

import statistics
from collections.abc import Sequence

from core.bench.processes import Usage
from core.bench.throughput_figures import Load
from core.domain.record import Record

GROWTH_SHARE, GROWTH_MB = 0.1, 10.0
"""What may come on top in the last quarter: the larger of a share of the first quarter and so many MB."""
FEWEST_SAMPLES = 4


class SoakSample(Record):
    """The parts at one moment."""

    second: float
    accepted: int
    usages: tuple[Usage, ...]


class PartGrowth(Record):
    """The private memory of one part, in MB: the medians of the first and the last quarter of the samples."""

    part: str
    first_mb: float
    last_mb: float
    most_mb: float

    @property
    def is_flat(self) -> bool:
        """Whether the last quarter is near the first; less is fine."""
        return self.last_mb - self.first_mb <= max(GROWTH_SHARE * self.first_mb, GROWTH_MB)

    @property
    def answer(self) -> str:
        """Whether it is flat, in a word."""
        return "yes" if self.is_flat else "NO"


class SoakResult(Record):
    """What was sampled, and how the batch ended."""

    load: Load
    accepted: int
    seconds: float
    samples: tuple[SoakSample, ...]
    growths: tuple[PartGrowth, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """What is not as it should be; empty if all is well."""
        lost = [f"{self.accepted} of {self.load.items} items were accepted"] if self.accepted != self.load.items else []
        grown = [
            f"{growth.part} grew from {growth.first_mb:.0f} to {growth.last_mb:.0f} MB"
            for growth in self.growths
            if not growth.is_flat
        ]
        return (*lost, *grown)


def compare_quarters(samples: Sequence[SoakSample]) -> tuple[PartGrowth, ...]:
    """Return each part's memory in the first and in the last quarter; nothing where there are too few samples."""
    if len(samples) < FEWEST_SAMPLES:
        return ()
    parts = sorted({usage.part for sample in samples for usage in sample.usages})
    return tuple(_compare(part, samples) for part in parts)


def _compare(part: str, samples: Sequence[SoakSample]) -> PartGrowth:
    memory = [usage.private_mb for sample in samples for usage in sample.usages if usage.part == part]
    quarter = max(len(memory) // 4, 1)
    return PartGrowth(
        part=part,
        first_mb=statistics.median(memory[:quarter]),
        last_mb=statistics.median(memory[-quarter:]),
        most_mb=max(memory),
    )


HEADING = "| part | first quarter MB | last quarter MB | most MB | flat |\n|---|---|---|---|---|"


def write_soak_table(result: SoakResult) -> str:
    """Return a row for each part, and how the batch ended."""
    rows = [
        f"| {each.part} | {each.first_mb:.0f} | {each.last_mb:.0f} | {each.most_mb:.0f} | {each.answer} |"
        for each in result.growths
    ]
    end = f"{result.accepted:,} of {result.load.items:,} items accepted in {result.seconds / 60:.1f} min, {len(rows)} parts."
    return "\n".join([str(result.load), "", HEADING, *rows, "", end])
