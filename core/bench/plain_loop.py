"""What a plain script does: `python -m core.bench.plain_loop` sends requests over the SDK and appends the replies to a file.

No retry, no verdict, no database: the least that the same calls can cost. It runs in a process of its own and prints what
it used.
"""

import argparse
import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, cast

import httpx2
from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient

from core.domain.record import Record

TIMEOUT_SECONDS = 180.0
"""Without a limit of its own the SDK refuses to ask for this many tokens."""


class LoopUsage(Record):
    """What the loop used from its first request to its last reply."""

    processor_seconds: float
    memory_mb: float


async def send_all(base_url: str, concurrency: int, requests: Sequence[dict[str, Any]], output: Path) -> None:
    """Send the requests, at most `concurrency` at a time, and append each reply as a line."""
    slots = asyncio.Semaphore(concurrency)
    # As many connections as calls: the default keeps 100, and would make the loop slower than a careful script.
    limits = httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with AsyncAnthropic(
        api_key="simulated",
        base_url=base_url,
        max_retries=0,
        timeout=TIMEOUT_SECONDS,
        http_client=DefaultAsyncHttpxClient(limits=limits),
    ) as client:
        send = cast("Callable[..., Awaitable[Any]]", client.messages.create)
        with output.open("a") as file:

            async def send_one(request: dict[str, Any]) -> None:
                async with slots:
                    message = await send(**request)
                    file.write(message.to_json(indent=None) + "\n")
                    file.flush()

            await asyncio.gather(*map(send_one, requests))


def main() -> int:
    """Run the loop and print what it used as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--requests", type=Path, required=True, help="JSON Lines: arguments of messages.create")
    parser.add_argument("--output", type=Path, required=True)
    flags = parser.parse_args()
    requests = [json.loads(line) for line in flags.requests.read_text().splitlines()]
    used = time.process_time()
    asyncio.run(send_all(flags.base_url, flags.concurrency, requests, flags.output))
    usage = LoopUsage(
        processor_seconds=time.process_time() - used,
        memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )
    sys.stdout.write(usage.model_dump_json() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
