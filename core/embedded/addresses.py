"""Loopback ports: the same as last time, if they are free."""

import socket
from contextlib import ExitStack

from core.errors import ConfigurationError

LOOPBACK = "127.0.0.1"
DEFAULT_PAGE_PORT = 8501
PAGE_PORTS_TRIED = 100


def is_port_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        # Servers set it too; without it a port that was closed a moment ago would count as used.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def choose_ports(names: list[str], remembered: dict[str, int]) -> dict[str, int]:
    """Return a free port for each name: the remembered one if it is still free, otherwise one that the system chooses."""
    chosen = {name: remembered[name] for name in names if name in remembered and is_port_free(remembered[name])}
    with ExitStack() as probes:
        for name in names:
            if name not in chosen:
                probe = probes.enter_context(socket.socket())
                probe.bind((LOOPBACK, 0))  # Held until all are chosen, so that all are different.
                chosen[name] = probe.getsockname()[1]
    return chosen


def choose_page_port(wanted: int | None, remembered: int | None) -> int:
    """Return the port of the pages; raise ConfigurationError if the requested one is in use."""
    if wanted is not None:
        if not is_port_free(wanted):
            raise ConfigurationError(f"Port {wanted} is in use. Choose another with --port (or BRIGHTRUN_PORT), or none.")
        return wanted
    candidates = [] if remembered is None else [remembered]
    for port in [*candidates, *range(DEFAULT_PAGE_PORT, DEFAULT_PAGE_PORT + PAGE_PORTS_TRIED)]:
        if is_port_free(port):
            return port
    last = DEFAULT_PAGE_PORT + PAGE_PORTS_TRIED - 1
    raise ConfigurationError(f"No port from {DEFAULT_PAGE_PORT} to {last} is free. Choose one with --port.")
