"""supervisord, the process manager: its configuration and its XML-RPC interface on a Unix socket.

No other module knows that it is supervisord.
"""

import http.client
import os
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from core.config import child_environment
from core.embedded import launch
from core.embedded.folder import StackFolder
from core.embedded.program import Program, launcher_argv, write_program
from core.embedded.wheels import find_wheel
from core.errors import StackError

START_SECONDS = 15.0
ALREADY_STARTED, NOT_RUNNING = 60, 70
"""Fault codes of supervisord."""
NO_ANSWER = (OSError, http.client.HTTPException, xmlrpc.client.Error)
LAUNCH_COMMAND = '"%(ENV_BRIGHTRUN_LAUNCH_PYTHON)s" -I "%(ENV_BRIGHTRUN_LAUNCH_FILE)s"'
LOG_BYTES = 5_000_000
LOG_BACKUPS = 2
RUNNING_STATES = frozenset({"STARTING", "RUNNING"})


@dataclass(frozen=True)
class ProgramStatus:
    """What the supervisor knows of one program."""

    name: str
    state: str
    pid: int
    detail: str

    @property
    def runs(self) -> bool:
        """Whether the process exists."""
        return self.state in RUNNING_STATES


class Supervisor:
    """A running supervisord."""

    def __init__(self, socket_path: Path) -> None:
        self._socket_path = socket_path

    @property
    def answers(self) -> bool:
        """Whether it runs and is not ending."""
        try:
            state = cast("dict[str, Any]", self._call("getState"))
        except NO_ANSWER:
            return False
        return state["statename"] == "RUNNING"

    def read_statuses(self) -> dict[str, ProgramStatus]:
        """Return the status of every program by name; raise StackError if the supervisor does not answer."""
        try:
            records = cast("list[dict[str, Any]]", self._call("getAllProcessInfo"))
        except NO_ANSWER as error:
            raise StackError(f"The supervisor of the stack does not answer ({error}). Run `brightrun down`.") from error
        statuses = [ProgramStatus(r["name"], r["statename"], r["pid"], r["spawnerr"] or r["description"]) for r in records]
        return {status.name: status for status in statuses}

    def start(self, name: str) -> None:
        """Start a program without waiting for it; nothing happens if it runs."""
        self._command("startProcess", name, tolerated=ALREADY_STARTED)

    def stop(self, name: str) -> None:
        """Stop a program and wait for its end; nothing happens if it does not run."""
        self._command("stopProcess", name, tolerated=NOT_RUNNING)
        # A request makes it look; otherwise it notices an end only once a second.
        while self.read_statuses()[name].pid:
            time.sleep(0.02)

    def shut_down(self) -> None:
        """Ask it to stop all programs, last started first, and then itself. Returns immediately."""
        try:
            self._call("shutdown")
        except NO_ANSWER as error:
            raise StackError(f"The supervisor of the stack cannot be told to stop ({error}).") from error

    def _command(self, method: str, name: str, *, tolerated: int) -> None:
        try:
            self._call(method, name, False)  # noqa: FBT003 - XML-RPC knows no names: do not wait
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != tolerated:
                raise StackError(f"The supervisor refused {method} of {name}: {fault.faultString}.") from fault
        except (OSError, http.client.HTTPException) as error:
            raise StackError(f"The supervisor of the stack does not answer ({error}). Run `brightrun down`.") from error

    def _call(self, method: str, *arguments: Any) -> object:  # noqa: ANN401 - XML-RPC values
        server = xmlrpc.client.ServerProxy("http://localhost", transport=_UnixTransport(self._socket_path))
        with server:
            return getattr(server.supervisor, method)(*arguments)


def start_supervisor(
    folder: StackFolder,
    programs: Sequence[Program],
    socket_path: Path,
    secrets: Mapping[str, str],
    *,
    lock: int,
    detached: bool,
) -> tuple[Supervisor, "subprocess.Popen[bytes]"]:
    """Start supervisord with the programs, none of them running yet.

    `secrets` are variables that programs may inherit and that must not be written into the folder. Unless detached, it ends
    with all programs when this process ends, however that happens.
    """
    find_wheel("supervisor", "supervisor")
    _write_configuration(folder, programs, socket_path)
    supervisord = Program(
        name="supervisord",
        argv=(sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "--configuration", str(folder.supervisor_file)),
        folder=folder.path,
        rank=0,
        inherits_environment=True,
        parent_death_signal=None if detached else "SIGTERM",
    )
    log = folder.logs / "supervisord.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            launcher_argv(write_program(folder, supervisord)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=child_environment(**secrets, BRIGHTRUN_LAUNCH_PYTHON=sys.executable, BRIGHTRUN_LAUNCH_FILE=launch.__file__),
            pass_fds=[lock],
            start_new_session=True,  # Ctrl-C in the terminal is for `up`, which stops the parts in order.
        )
    try:
        return _wait_for_answer(Supervisor(socket_path), process, log), process
    except BaseException:
        process.kill()
        process.wait()
        raise


def _wait_for_answer(supervisor: Supervisor, process: "subprocess.Popen[bytes]", log: Path) -> Supervisor:
    deadline = time.monotonic() + START_SECONDS
    while not supervisor.answers:
        if process.poll() is not None or time.monotonic() > deadline:
            raise StackError(f"The supervisor did not start. Its log, {log}, ends with:\n{read_log_end(log)}")
        time.sleep(0.02)
    return supervisor


def read_log_end(path: Path, lines: int = 20) -> str:
    """Return the last lines of a log."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) or "(empty)"
    except FileNotFoundError:
        return "(no log)"


def _write_configuration(folder: StackFolder, programs: Sequence[Program], socket_path: Path) -> None:
    """Write supervisord.conf.

    It contains no path of this machine: supervisord runs in the stack's folder, and `%(ENV_...)s` is inserted after parsing,
    so that `%`, `;` and `#` in a path do no harm. Secrets are in the launcher's files.
    """
    socket_path.unlink(missing_ok=True)
    socket_name = "run/supervisor.sock" if socket_path.parent == folder.programs else str(socket_path)
    owner = ["user=root"] if os.geteuid() == 0 else []  # Stated explicitly, or supervisord warns.
    lines = [
        "[supervisord]",
        "nodaemon=true",
        "logfile=/dev/null",
        "logfile_maxbytes=0",
        "pidfile=run/supervisord.lock",
        "umask=077",
        *owner,
        "[unix_http_server]",
        f"file={socket_name}",
        "chmod=0700",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for program in programs:
        write_program(folder, program)
        lines += [
            f"[program:{program.name}]",
            f"command={LAUNCH_COMMAND} run/{program.name}.json",
            f"priority={program.rank}",
            "autostart=false",
            "autorestart=true",
            "startsecs=1",
            "startretries=20",
            f"stopsignal={program.stop_signal}",
            f"stopwaitsecs={program.stop_seconds}",
            "killasgroup=true",
            "redirect_stderr=true",
            f"stdout_logfile=logs/{program.name}.log",
            f"stdout_logfile_maxbytes={LOG_BYTES}",
            f"stdout_logfile_backups={LOG_BACKUPS}",
        ]
    folder.supervisor_file.write_text("\n".join(lines) + "\n")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(str(self._path))


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: tuple[str, dict[str, str]] | str) -> http.client.HTTPConnection:
        connection = _UnixConnection(self._path)
        self._connection = host, connection  # Where `close` looks for it.
        return connection
