"""What more workers give: the same batch by one and by several."""

import statistics

from core.bench.processes import RECONCILER
from core.bench.simulator_limit import SimulatorLimit
from core.bench.throughput_figures import Load, Round
from core.domain.record import Record
from core.embedded.plan import Part


class WorkersRound(Record):
    """One batch by so many workers."""

    workers: int
    done: Round


class WorkersResult(Record):
    """Every round, and how much the simulator could serve."""

    load: Load
    rounds: tuple[WorkersRound, ...]
    simulator: SimulatorLimit

    @property
    def counts(self) -> tuple[int, ...]:
        """The numbers of workers, fewest first."""
        return tuple(sorted({each.workers for each in self.rounds}))

    def list_rounds(self, workers: int) -> tuple[Round, ...]:
        """Return the batches that so many workers have made."""
        return tuple(each.done for each in self.rounds if each.workers == workers)

    def find_ratio(self, workers: int) -> float:
        """Return how fast so many workers are beside the fewest: the median of the rounds, which alternate."""
        pairs = zip(self.list_rounds(workers), self.list_rounds(self.counts[0]), strict=True)
        return statistics.median(few.call_seconds / many.call_seconds for many, few in pairs)


GROUPS = ("workers", "reconcilers", Part.API, Part.POSTGRES, Part.VALKEY, Part.SIMULATOR)
HEADING = (
    "| workers | accepted a second | ratio | efficiency | processors busy | processor ms a row: "
    + " | ".join(GROUPS)
    + " |\n"
    + "|---" * (5 + len(GROUPS))
    + "|"
)


def write_workers_table(result: WorkersResult) -> str:
    """Return a row for each number of workers: medians of its rounds."""
    return "\n".join(
        [
            str(result.load),
            "",
            HEADING,
            *(_write_row(result, workers) for workers in result.counts),
            "",
            f"{result.simulator}.",
        ]
    )


def sum_group(done: Round, group: str) -> float:
    """Return the processor time that the parts of a group have used, in seconds."""
    return sum(usage.processor_seconds for usage in done.usages if _name_group(usage.part) == group)


def _name_group(part: str) -> str:
    if part.endswith(RECONCILER):
        return "reconcilers"
    return "workers" if part.startswith(Part.WORKER) else part


def _write_row(result: WorkersResult, workers: int) -> str:
    rounds = result.list_rounds(workers)
    speed = statistics.median(done.accepted_per_second for done in rounds)
    efficiency = statistics.median(done.efficiency for done in rounds)
    busy = statistics.median(sum(usage.processor_seconds for usage in done.usages) / done.call_seconds for done in rounds)
    used = [statistics.median(1000 * sum_group(done, group) / done.accepted for done in rounds) for group in GROUPS]
    return (
        f"| {workers} | {speed:.1f} | {result.find_ratio(workers):.2f} | {efficiency:.3f} | {busy:.2f} "
        f"| {' | '.join(f'{ms:.2f}' for ms in used)} |"
    )
