"""The worker process: its jobs, and main(). Start it with `python worker.py`, as many as needed."""

import asyncio
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from typing import assert_never

import structlog

from core.config import load_settings
from core.domain.batches.batch import BatchId
from core.domain.batches.queue_jobs import BatchJob, QueuedJob, TokenCountJob
from core.domain.batches.work import ChatRequest
from core.errors import BrightRunError
from core.logs import configure_logging
from core.process import die_with_parent
from core.services.alerting import LOOK_EVERY_SECONDS
from core.services.reconciliation import INTERVAL_SECONDS
from core.worker_bootstrap import open_alerting, open_generation, open_model, open_reconciliation, open_worker

log = structlog.get_logger(__name__)


def run_job(job: QueuedJob) -> int | None:
    """Do what a job asks for. Runs in the worker's forked child; nothing else is ever run for the queue."""
    match job:
        case BatchJob(batch_id=batch_id):
            return asyncio.run(_run_batch(batch_id))
        case TokenCountJob(request=request):
            return asyncio.run(_count_tokens(request))
        case _:
            assert_never(job)


async def _run_batch(batch_id: BatchId) -> None:
    async with open_generation(load_settings(), worker=f"{socket.gethostname()}:{os.getpid()}") as generation:
        # A warm shutdown: calls in flight finish and are recorded, the rest waits for the next worker.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, generation.stopping.set)
        await generation.run_batches(batch_id)


async def _count_tokens(request: ChatRequest) -> int | None:
    async with open_model(load_settings()) as model:
        return await model.count_tokens(request)


def reconcile_forever() -> None:
    """Re-enqueue orphaned batches every few seconds until the worker is gone."""
    die_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the worker ends this process
    configure_logging()
    # A thread of its own: a slow webhook must not keep orphaned batches waiting.
    threading.Thread(target=evaluate_alerts_forever, name="alerting", daemon=True).start()
    with open_reconciliation(load_settings()) as reconciliation:
        while True:
            try:
                reconciliation.run_once()
            except Exception:
                # The next round may succeed, and nobody else enqueues orphaned batches.
                log.exception("reconcile_failed")
            time.sleep(INTERVAL_SECONDS)


def evaluate_alerts_forever() -> None:
    """Look every few seconds whether alerts are to be evaluated, until the worker is gone."""
    with open_alerting(load_settings()) as alerting:
        while True:
            try:
                alerting.evaluate()
            except Exception:
                # As above: a round that fails must not be the last one.
                log.exception("alerting_failed")
            time.sleep(LOOK_EVERY_SECONDS)


def main() -> int:
    """Run one worker, with a reconciler at its side, until SIGTERM or Ctrl-C."""
    configure_logging()
    try:
        worker = open_worker(load_settings(), run_job)
    except BrightRunError as error:
        print(error, file=sys.stderr)
        return 2
    multiprocessing.get_context("spawn").Process(target=reconcile_forever, name="reconciler", daemon=True).start()
    worker.work(logging_level="WARNING")
    return 0


if __name__ == "__main__":
    sys.exit(main())
