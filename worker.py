"""The worker process: the job, and main(). Start it with `python worker.py`; as many as there is work for."""

import asyncio
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from uuid import UUID

import structlog

from core.config import load_settings
from core.domain.batch import BatchId
from core.domain.work import ChatRequest
from core.errors import BrightRunError
from core.logs import configure_logging
from core.process import die_with_parent
from core.services.alerting import LOOK_EVERY_SECONDS
from core.services.reconciliation import INTERVAL_SECONDS
from core.worker_bootstrap import open_alerting, open_generation, open_model, open_reconciliation, open_worker

log = structlog.get_logger(__name__)


def run_batch(batch_id: str) -> None:
    """RQ job: work on a batch until nothing is left for this worker. Runs in the worker's forked child."""
    asyncio.run(_run_batch(BatchId(UUID(batch_id))))


async def _run_batch(batch_id: BatchId) -> None:
    async with open_generation(load_settings(), worker=f"{socket.gethostname()}:{os.getpid()}") as generation:
        # A warm shutdown: calls in flight finish and are recorded, the rest waits for the next worker.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, generation.stopping.set)
        await generation.run_batch(batch_id)


def count_tokens(request_json: str) -> int | None:
    """RQ job: count the input tokens of a request, for a page that waits for it."""
    return asyncio.run(_count_tokens(ChatRequest.model_validate_json(request_json)))


async def _count_tokens(request: ChatRequest) -> int | None:
    async with open_model(load_settings()) as model:
        return await model.count_tokens(request)


def reconcile_forever() -> None:
    """Ring again for forgotten batches, every few seconds, until the worker is gone."""
    die_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the worker ends this process
    configure_logging()
    # A thread of its own: a slow webhook must not keep forgotten batches waiting.
    threading.Thread(target=evaluate_alerts_forever, name="alerting", daemon=True).start()
    with open_reconciliation(load_settings()) as reconciliation:
        while True:
            try:
                reconciliation.run_once()
            except Exception:
                # Whatever it is, the next round may go well, and nobody else rings for forgotten batches.
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
        worker = open_worker(load_settings())
    except BrightRunError as error:
        print(error, file=sys.stderr)
        return 2
    multiprocessing.get_context("spawn").Process(target=reconcile_forever, name="reconciler", daemon=True).start()
    worker.work(logging_level="WARNING")
    return 0


if __name__ == "__main__":
    sys.exit(main())
