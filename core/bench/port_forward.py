"""Takes connections at one address and passes them on to another: `python -m core.bench.port_forward FROM TO PORT ...`.

What runs on this machine listens on loopback alone; a host of its own (core/bench/hosts.py) reaches it through two of these.
"""

import asyncio
import sys
from contextlib import suppress
from functools import partial

PIECE = 65_536


async def forward_ports(here: str, there: str, ports: list[int]) -> None:
    """Pass on the connections to these ports, the same ones on both sides, until this process is ended."""
    servers = [await asyncio.start_server(partial(_pass_on, there, port), here, port) for port in ports]
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def _pass_on(there: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        other_reader, other_writer = await asyncio.open_connection(there, port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_copy(reader, other_writer), _copy(other_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(forward_ports(sys.argv[1], sys.argv[2], [int(port) for port in sys.argv[3:]]))
