"""The whole stack: started part by part, each one healthy before the next, and stopped in reverse order."""

import contextlib
import os
import subprocess
import time
from collections.abc import Generator, Mapping
from pathlib import Path

from core.config import Settings
from core.embedded.folder import StackFolder
from core.embedded.lock import acquire_lock
from core.embedded.plan import StackPlan
from core.embedded.program import stop_left_processes
from core.embedded.start import Say, StackStart, restart_api
from core.embedded.state import read_state
from core.embedded.supabase_api import server
from core.embedded.supervision import Supervisor, start_supervisor
from core.errors import ConfigurationError, StackError

STOP_SECONDS = 240.0  # workers may wait for calls in flight


class Stack:
    """A running stack, as `open_stack` returns it."""

    def __init__(
        self, plan: StackPlan, settings: Settings, supervisor: Supervisor, process: "subprocess.Popen[bytes]"
    ) -> None:
        self.folder = plan.folder
        self.settings = settings
        """The plan's, with the addresses and keys of the embedded parts."""
        self.supervisor = supervisor
        self._process = process

    @property
    def page_url(self) -> str | None:
        """The address for the browser, if the pages were started."""
        return read_state(self.folder).page_url

    @property
    def supervisor_runs(self) -> bool:
        """Whether the supervisor runs; false after `brightrun down` or a kill."""
        return self._process.poll() is None

    @property
    def ended_in_order(self) -> bool:
        """Whether the supervisor ended after it had stopped everything; false if it was killed or still runs."""
        return self._process.poll() == 0

    def stop(self) -> None:
        """Stop all parts in reverse order."""
        stop_stack(self.folder)
        self._process.wait()


def open_stack(plan: StackPlan, say: Say) -> Stack:
    """Start the plan's parts; on failure stop everything and raise StackError or ConfigurationError."""
    folder = plan.folder
    lock = _take_folder(folder, say)
    try:
        start = StackStart(plan, say)
        supervisor, process = start_supervisor(
            folder, start.programs, start.socket, _inherited_secrets(start.settings), lock=lock, detached=plan.detached
        )
    finally:
        os.close(lock)  # The supervisor has its own copy; without one the stack is not running.
    stack = Stack(plan, start.settings, supervisor, process)
    try:
        start.run(supervisor)
    except BaseException:
        stack.stop()
        raise
    return stack


def forget_last_run(folder: StackFolder, say: Say) -> None:
    """Prepare the folder for a start; raise ConfigurationError if a stack runs in it."""
    os.close(_take_folder(folder, say))


@contextlib.contextmanager
def start_stack(plan: StackPlan, say: Say = lambda _: None) -> Generator[Stack]:
    """Run the plan's parts for the duration of a `with` block."""
    stack = open_stack(plan, say)
    try:
        yield stack
    finally:
        stack.stop()


def stop_stack(folder: StackFolder) -> bool:
    """Stop what runs in a folder, whoever started it, and return whether anything did."""
    if not folder.lock_file.exists():
        return False
    socket = read_state(folder).supervisor_socket
    lock = acquire_lock(folder.lock_file)
    ran = lock is None
    if lock is None:
        if socket is not None:
            # If it is already ending, or hangs, the lock and the records below decide.
            with contextlib.suppress(StackError):
                Supervisor(socket).shut_down()
        lock = _wait_for_end(folder, socket)
    ran = bool(stop_left_processes(folder)) or ran
    folder.connection_file.unlink(missing_ok=True)
    if lock is None:
        raise StackError(f"The stack in {folder.path} did not stop within {STOP_SECONDS:.0f} s. Run `brightrun down` again.")
    if socket is not None and socket.parent != folder.programs:
        with contextlib.suppress(FileNotFoundError):
            socket.parent.rmdir()  # Created for the socket, outside the folder, whose path is too long.
    os.close(lock)
    return ran


def reload_api(settings: Settings) -> None:
    """Restart the embedded API, so that it sees new tables and functions; do nothing if it does not run."""
    folder = StackFolder(settings.home.absolute())
    socket = read_state(folder).supervisor_socket
    if socket is None or not Supervisor(socket).answers or settings.supabase_secret_key is None:
        return
    secret_key = settings.supabase_secret_key.get_secret_value()
    restart_api(folder, Supervisor(socket), lambda: server.check_guarded_api(*settings.require_supabase(), secret_key))


def _wait_for_end(folder: StackFolder, socket: Path | None) -> int | None:
    deadline = time.monotonic() + STOP_SECONDS
    while (lock := acquire_lock(folder.lock_file)) is None and time.monotonic() < deadline:
        if socket is not None:
            _ = Supervisor(socket).answers  # A request makes it look for ended programs.
        time.sleep(0.02)
    return lock


def _take_folder(folder: StackFolder, say: Say) -> int:
    folder.create()
    lock = _take_lock(folder)
    try:
        left = stop_left_processes(folder)
        folder.connection_file.unlink(missing_ok=True)
    except BaseException:
        os.close(lock)
        raise
    if left:
        say(f"Stopped what an earlier start had left running: {', '.join(left)}.")
    return lock


def _take_lock(folder: StackFolder) -> int:
    lock = acquire_lock(folder.lock_file)
    if lock is not None:
        return lock
    state = read_state(folder)
    if state.supervisor_socket is not None and Supervisor(state.supervisor_socket).answers:
        where = f" at {state.page_url}" if state.page_url else ""
        message = f"Bright Run already runs in {folder.path}{where}. Stop it with Ctrl-C there, or `brightrun down`."
        raise ConfigurationError(message)
    # The `up` before was killed and its parts are still stopping, or another `up` has just begun.
    lock = acquire_lock(folder.lock_file, STOP_SECONDS)
    if lock is None:
        message = f"Another `brightrun up` or `down` works in {folder.path}. Wait for it, or run `brightrun down`."
        raise ConfigurationError(message)
    return lock


def _inherited_secrets(settings: Settings) -> Mapping[str, str]:
    """Return the secrets that the worker inherits, so that a user's own keys are never written into the folder."""
    keys = {
        "ANTHROPIC_API_KEY": settings.anthropic_api_key,
        "SUPABASE_SECRET_KEY": settings.supabase_secret_key,
        "BRIGHTRUN_ALERT_WEBHOOK_URL": settings.alert_webhook_url,
    }
    return {name: key.get_secret_value() for name, key in keys.items() if key is not None}
