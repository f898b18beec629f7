"""The same batch by one worker and by several, in one stack."""

from collections.abc import Sequence
from contextlib import closing

from core.bench.processes import wait_until_idle
from core.bench.throughput import SETTLE_SECONDS, Race, Say, plan_load
from core.bench.throughput_figures import Load
from core.bench.worker_figures import WorkersResult, WorkersRound
from core.bootstrap import open_local_services
from core.config import Settings
from core.embedded.plan import Part
from core.embedded.stack import start_stack
from core.embedded.supervision import Supervisor


def run_workers(settings: Settings, load: Load, counts: Sequence[int], rounds: int, say: Say) -> WorkersResult:
    """Run a batch with each number of workers in turn, in a stack of its own under `settings.home`."""
    most = load.model_copy(update={"workers": max(counts)})
    done: list[WorkersRound] = []
    with start_stack(plan_load(settings, most), say) as stack, closing(open_local_services(stack.settings)) as services:
        race = Race(stack.settings, services, load, say)
        for count in sorted(set(counts)) * rounds:
            run_only(stack.supervisor, count, most.workers)
            wait_until_idle(stack.folder, SETTLE_SECONDS)
            say(f"{count} of {most.workers} workers:")
            done.append(WorkersRound(workers=count, done=race.run_batch()))
        say("The simulator alone …")
        return WorkersResult(load=load, rounds=tuple(done), simulator=race.measure_simulator())


def run_only(supervisor: Supervisor, count: int, most: int) -> None:
    """Start the first `count` workers and stop the others."""
    for number in range(1, most + 1):
        name = f"{Part.WORKER}-{number}"
        if number <= count:
            supervisor.start(name)
        else:
            supervisor.stop(name)
