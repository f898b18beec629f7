"""How much the simulated Claude could serve by itself: a figure above it would measure the simulator."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from core.bench.processes import read_processes
from core.bench.waiting import wait_until
from core.config import child_environment
from core.domain.record import Record
from core.embedded.addresses import LOOPBACK, choose_ports
from core.embedded.application import SIMULATOR, check_address, simulator_url
from core.embedded.plan import REPOSITORY
from core.errors import StackError

START_SECONDS = 30.0
_HEADERS_END = b"\r\n\r\n"


class SimulatorLimit(Record):
    """What a simulator without latency serves, beside a client that does next to nothing."""

    requests_per_second: float
    processor_ms_per_request: float

    def __str__(self) -> str:
        return (
            f"The simulator alone serves {self.requests_per_second:.0f} requests a second at "
            f"{self.processor_ms_per_request:.2f} ms of the processor"
        )


def measure_simulator(requests: Sequence[dict[str, Any]], connections: int) -> SimulatorLimit:
    """Send these requests, arguments of `messages.create`, over this many connections to a simulator without latency."""
    port = choose_ports([SIMULATOR], {})[SIMULATOR]
    messages = [make_http_request(port, request) for request in requests]
    with _run_simulator(port) as process:
        used = _read_processor_seconds(process.pid)
        began = time.perf_counter()
        asyncio.run(_send_all(port, messages, connections))
        seconds = time.perf_counter() - began
        used = _read_processor_seconds(process.pid) - used
    return SimulatorLimit(requests_per_second=len(messages) / seconds, processor_ms_per_request=1000 * used / len(messages))


def make_http_request(port: int, request: dict[str, Any]) -> bytes:
    """Return a whole HTTP request, as the SDK would send it, to be written as it is."""
    body = json.dumps(request).encode()
    lines = (
        "POST /v1/messages HTTP/1.1",
        f"host: {LOOPBACK}:{port}",
        "x-api-key: simulated",
        "anthropic-version: 2023-06-01",
        "content-type: application/json",
        f"content-length: {len(body)}",
    )
    return "\r\n".join(lines).encode() + _HEADERS_END + body


def read_content_length(head: bytes) -> int:
    """Return how long the body is after the head of an answer; raise StackError if the answer is no success."""
    status, *lines = head.decode("latin-1").lower().split("\r\n")
    if status.split()[1:2] != ["200"]:
        raise StackError(f"The simulated Claude answered: {status}")
    lengths = [int(line.partition(":")[2]) for line in lines if line.startswith("content-length:")]
    if not lengths:
        raise StackError("The simulated Claude did not say how long its answer is.")
    return lengths[0]


async def _send_all(port: int, messages: Sequence[bytes], connections: int) -> None:
    left = iter(messages)
    await asyncio.gather(*(_send_some(port, left) for _ in range(connections)))


async def _send_some(port: int, messages: Iterator[bytes]) -> None:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    for message in messages:
        writer.write(message)
        await reader.readexactly(read_content_length(await reader.readuntil(_HEADERS_END)))
    writer.close()
    await writer.wait_closed()


@contextmanager
def _run_simulator(port: int) -> Generator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "core.embedded.simulator", "--port", str(port)]
    process = subprocess.Popen(command, cwd=REPOSITORY, env=child_environment())  # noqa: S603 - our own program
    try:
        health = f"{simulator_url(port)}/healthz"
        wait_until(lambda: check_address(health) is None, "the simulated Claude answers", START_SECONDS)
        yield process
    finally:
        process.terminate()
        process.wait()


def _read_processor_seconds(pid: int) -> float:
    return next(process.processor_seconds for process in read_processes() if process.pid == pid)
