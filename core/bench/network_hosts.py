"""Hosts of their own on this machine: network namespaces, each with a cable that can be cut. Linux only, as root."""

import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.config import child_environment
from core.embedded.plan import REPOSITORY
from core.errors import StackError

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class NetworkHost:
    """A network with a loopback address of its own and one cable to this machine's services."""

    name: str
    number: int
    home: Path
    """Its disk: the spool of its worker."""

    @property
    def cable(self) -> str:
        """The end of the cable on this machine."""
        return f"br{os.getpid()}-{self.number}"

    @property
    def outside(self) -> str:
        """The address of this machine on the cable."""
        return f"10.213.{self.number}.1"

    @property
    def inside(self) -> str:
        """The host's address on the cable."""
        return f"10.213.{self.number}.2"

    def cut_off(self) -> None:
        """Let nothing through in either direction; connections stay open, as with a real cable."""
        _run("link", "set", self.cable, "down")

    def connect(self) -> None:
        """Let everything through again."""
        _run("link", "set", self.cable, "up")

    def start(self, words: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        """Start a program there, under the host's own name."""
        named = ("unshare", "--uts", "sh", "-c", 'hostname "$0"; exec "$@"', self.name, *words)
        return subprocess.Popen(  # noqa: S603 - our own programs
            (_find_ip(), "netns", "exec", self.cable, *named),
            cwd=REPOSITORY,
            env=child_environment(**environment),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


@contextmanager
def open_host(name: str, number: int, home: Path, ports: Sequence[int]) -> Generator[NetworkHost]:
    """Make a host that reaches these ports of this machine's loopback address as its own, and remove it afterwards.

    Raises StackError where this system or this user may not make one.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        raise StackError("Hosts of their own need Linux and root.")
    host = NetworkHost(name=name, number=number, home=home)
    home.mkdir(parents=True)
    with ExitStack() as opened:
        _run("netns", "add", host.cable)
        opened.callback(_run, "netns", "delete", host.cable)
        _run("link", "add", host.cable, "type", "veth", "peer", "name", "outside", "netns", host.cable)
        _run("address", "add", f"{host.outside}/24", "dev", host.cable)
        _run("link", "set", host.cable, "up")
        for words in (
            ("address", "add", f"{host.inside}/24", "dev", "outside"),
            ("link", "set", "outside", "up"),
            ("link", "set", "lo", "up"),
        ):
            _run("-n", host.cable, *words)
        numbers = [str(port) for port in ports]
        forward = (sys.executable, "-m", "core.bench.port_forward")
        begun = [
            subprocess.Popen((*forward, host.outside, _LOOPBACK, *numbers), cwd=REPOSITORY),  # noqa: S603 - our own program
            host.start((*forward, _LOOPBACK, host.outside, *numbers), {}),
        ]
        for process in begun:
            opened.callback(_end, process)
        yield host


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    process.wait()


def _run(*words: str) -> None:
    done = subprocess.run((_find_ip(), *words), capture_output=True, check=False)  # noqa: S603 - fixed words
    if done.returncode:
        raise StackError(f"`ip {' '.join(words)}` failed: {done.stderr.decode().strip()}")


def _find_ip() -> str:
    path = shutil.which("ip")
    if path is None:
        raise StackError("Hosts of their own need the command `ip` (Debian: iproute2).")
    return path
