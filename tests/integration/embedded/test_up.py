"""`brightrun up` as a process: signals, kills, restarts. The worker is a script of the test's own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.config import child_environment
from core.embedded.folder import StackFolder
from core.embedded.plan import Part, StackPlan
from core.embedded.program import find_left_processes
from core.embedded.stack import start_stack, stop_stack
from core.embedded.state import read_state
from core.embedded.supervision import Supervisor
from core.errors import ConfigurationError
from tests.support.stack import bare_settings

REPOSITORY = Path(__file__).parents[3]
WORKER = "import time\nprint('worker began', flush=True)\nwhile True: time.sleep(0.1)\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository root with a worker that only waits."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "worker.py").write_text(WORKER)
    return tmp_path / "root"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[StackFolder]:
    """Return the folder of a stack that is stopped in the end, whatever the test did."""
    folder = StackFolder(tmp_path / "home")
    yield folder
    stop_stack(folder)


def begin_up(folder: StackFolder, root: Path, *words: str) -> "subprocess.Popen[str]":
    script = Path(__file__).with_name("foreground.py")
    command = [sys.executable, str(script), str(folder.path), str(root), "postgres,api,valkey,worker", *words]
    environment = child_environment(PYTHONPATH=str(REPOSITORY), PYTHONUNBUFFERED="1")
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def read_until(process: "subprocess.Popen[str]", text: str) -> str:
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"{text!r} did not come:\n{seen}")


def wait_for(condition: Callable[[], bool], limit_seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + limit_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def pid_of(folder: StackFolder, name: str) -> int:
    return int((folder.programs / f"{name}.pid").read_text().split()[0])


def test_killed_worker_is_started_again_and_sigterm_stops_everything(folder: StackFolder, root: Path) -> None:
    process = begin_up(folder, root)
    read_until(process, "is ready")
    first = pid_of(folder, "worker-1")
    os.kill(first, signal.SIGKILL)
    assert "worker-1   | worker began" in read_until(process, "worker began")
    assert pid_of(folder, "worker-1") != first

    process.terminate()
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert "Stopped." in output
    assert find_left_processes(folder) == []
    assert not folder.connection_file.exists()


def test_killed_up_leaves_no_orphan_and_the_next_start_works(folder: StackFolder, root: Path) -> None:
    process = begin_up(folder, root)
    read_until(process, "is ready")
    process.kill()
    process.communicate(timeout=10)
    # At once: it waits until the killed one's parts have ended.
    again = begin_up(folder, root)
    read_until(again, "is ready")

    again.send_signal(signal.SIGINT)
    output, _ = again.communicate(timeout=30)
    assert again.returncode == 0, output
    assert find_left_processes(folder) == []


def test_killed_supervisor_leaves_no_orphan_and_up_says_so(folder: StackFolder, root: Path) -> None:
    process = begin_up(folder, root)
    read_until(process, "is ready")
    os.kill(pid_of(folder, "supervisord"), signal.SIGKILL)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "was killed" in output
    assert wait_for(lambda: find_left_processes(folder) == [])


def test_detached_stack_outlives_up_refuses_a_second_and_is_stopped_by_down(folder: StackFolder, root: Path) -> None:
    output, _ = begin_up(folder, root, "--detach").communicate(timeout=60)
    assert "is ready" in output
    socket_path = read_state(folder).supervisor_socket
    assert socket_path is not None
    assert Supervisor(socket_path).answers

    second = begin_up(folder, root)
    refusal, _ = second.communicate(timeout=30)
    assert second.returncode == 2
    assert "already runs in" in refusal

    assert stop_stack(folder)
    assert find_left_processes(folder) == []
    assert not stop_stack(folder)


def test_port_in_use_is_said_before_anything_starts(folder: StackFolder, root: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = bare_settings(folder.path).model_copy(update={"port": port})
        plan = StackPlan(settings, frozenset(Part), root=root)
        with pytest.raises(ConfigurationError, match=f"Port {port} is in use"), start_stack(plan):
            pass
    assert not folder.database.exists()
