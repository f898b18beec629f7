"""What a run of N calls of latency L with c at a time has reached, from when the calls came and were answered."""

import math
import statistics
from collections.abc import Sequence
from enum import StrEnum

from core.bench.processes import Usage
from core.bench.simulator_limit import SimulatorLimit
from core.domain.record import Record
from core.embedded.application import SIMULATOR

CallTimes = tuple[float, float]
"""When the simulator got a call, and when it had its answer, in seconds since 1970."""


class Load(Record):
    """What is asked of both: calls that take exactly this long, this many at a time."""

    latency_seconds: float
    concurrency: int
    items: int
    workers: int = 1

    def __str__(self) -> str:
        return f"L = {self.latency_seconds:g} s, c = {self.concurrency}, N = {self.items}"

    @property
    def ideal_seconds(self) -> float:
        """How long the calls take if no slot is ever empty."""
        return self.items / self.concurrency * self.latency_seconds

    @property
    def best_efficiency(self) -> float:
        """What cannot be exceeded: the last calls do not fill all slots."""
        return self.items / self.concurrency / math.ceil(self.items / self.concurrency)


class Contender(StrEnum):
    """Who made the calls."""

    BRIGHT_RUN = "Bright Run"
    PLAIN_LOOP = "plain loop"


class Round(Record):
    """One run of all calls."""

    contender: Contender
    accepted: int
    requests: int
    call_seconds: float
    """From the simulator's first request to its last reply."""
    efficiency: float
    usages: tuple[Usage, ...]
    seconds_to_first_call: float | None = None
    """From the submission; None for the plain loop, which has none."""
    seconds_to_end: float | None = None
    """From the last reply to the end of the batch."""

    @property
    def accepted_per_second(self) -> float:
        """Conversations, or replies of the plain loop, while calls were made."""
        return self.accepted / self.call_seconds

    def count_processor_ms(self, *, with_simulator: bool) -> float:
        """Return the processor time of all parts for each row."""
        used = [usage.processor_seconds for usage in self.usages if with_simulator or usage.part != SIMULATOR]
        return 1000 * sum(used) / self.accepted if self.accepted else math.nan


class ThroughputResult(Record):
    """The rounds, alternately of Bright Run and the plain loop, and how much the simulator could serve."""

    load: Load
    rounds: tuple[Round, ...]
    simulator: SimulatorLimit

    def list_rounds(self, contender: Contender) -> tuple[Round, ...]:
        """Return one contender's rounds."""
        return tuple(each for each in self.rounds if each.contender is contender)

    @property
    def ratio(self) -> float:
        """How fast Bright Run is beside the plain loop: the median of the pairs of rounds."""
        pairs = zip(self.list_rounds(Contender.BRIGHT_RUN), self.list_rounds(Contender.PLAIN_LOOP), strict=True)
        return statistics.median(ours.efficiency / plain.efficiency for ours, plain in pairs)


def measure_calls(load: Load, calls: Sequence[CallTimes]) -> tuple[float, float]:
    """Return the seconds from the first request to the last reply, and the efficiency."""
    seconds = max(answered for _, answered in calls) - min(arrived for arrived, _ in calls)
    return seconds, load.ideal_seconds / seconds


ROUNDS_HEADING = (
    "| round | efficiency | accepted a second | processor ms a row | without simulator "
    "| submit to first call s | last reply to end s |\n|---|---|---|---|---|---|---|"
)
PARTS_HEADING = "| part | processor ms a row | most memory MB | largest process MB |\n|---|---|---|---|"


def write_tables(result: ThroughputResult) -> str:
    """Return the tables: each round, then the parts of Bright Run (median of the rounds, most memory of all)."""
    load = result.load
    rows = [_write_round(number, each) for number, each in enumerate(result.rounds, start=1)]
    parts = [_write_part(part, result) for part in _list_parts(result)]
    medians = [
        f"{contender}: {statistics.median(each.efficiency for each in result.list_rounds(contender)):.3f}"
        for contender in Contender
    ]
    return "\n".join(
        (
            f"{load}, {load.workers} worker{'s' if load.workers > 1 else ''}",
            "",
            ROUNDS_HEADING,
            *rows,
            "",
            PARTS_HEADING,
            *parts,
            "",
            f"Efficiency, median: {', '.join(medians)}; ratio {result.ratio:.3f}; at most {load.best_efficiency:.3f}.",
            f"{result.simulator}; the load is {load.concurrency / load.latency_seconds:.0f} a second.",
        )
    )


def _write_round(number: int, each: Round) -> str:
    first, end = (
        "" if seconds is None else f"{seconds:.2f}" for seconds in (each.seconds_to_first_call, each.seconds_to_end)
    )
    return (
        f"| {number}, {each.contender} | {each.efficiency:.3f} | {each.accepted_per_second:.1f} "
        f"| {each.count_processor_ms(with_simulator=True):.1f} | {each.count_processor_ms(with_simulator=False):.1f} "
        f"| {first} | {end} |"
    )


def _list_parts(result: ThroughputResult) -> list[str]:
    return sorted({usage.part for each in result.list_rounds(Contender.BRIGHT_RUN) for usage in each.usages})


def _write_part(part: str, result: ThroughputResult) -> str:
    found = [
        (1000 * usage.processor_seconds / each.accepted, usage)
        for each in result.list_rounds(Contender.BRIGHT_RUN)
        for usage in each.usages
        if usage.part == part and each.accepted
    ]
    used = statistics.median(ms for ms, _ in found)
    memory, largest = max(usage.memory_mb for _, usage in found), max(usage.largest_process_mb for _, usage in found)
    return f"| {part} | {used:.2f} | {memory:.0f} | {largest:.0f} |"
