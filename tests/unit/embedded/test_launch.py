import json
import os
import sys
import time
from pathlib import Path

import pytest

from core.embedded.folder import StackFolder
from core.embedded.program import Program, find_left_processes, launcher_argv, run_program, write_program


@pytest.fixture
def folder(tmp_path: Path) -> StackFolder:
    folder = StackFolder(tmp_path / "home")
    folder.create()
    return folder


def show(folder: StackFolder, code: str, **changes: object) -> str:
    argv = (sys.executable, "-c", code)
    finished = run_program(folder, Program("probe", argv, folder.path, rank=1, **changes))  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


def show_as_nobody(folder: StackFolder, code: str, working_folder: Path | None = None) -> str:
    # Not Python, which may lie in a home of root.
    program = Program("probe", ("/bin/sh", "-c", code), working_folder or folder.path, rank=1, drops_root=True)
    return run_program(folder, program).stdout.strip()


def test_program_gets_only_the_environment_it_names(folder: StackFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORBIDDEN", "x")
    monkeypatch.setenv("PASSED_ON", "y")
    code = "import os, json; print(json.dumps(dict(os.environ)))"
    alone = json.loads(show(folder, code, environment={"GIVEN": "z"}))
    assert alone["GIVEN"] == "z"
    assert "PASSED_ON" not in alone
    inherited = json.loads(show(folder, code, inherits_environment=True, removed_variables=frozenset({"FORBIDDEN"})))
    assert inherited["PASSED_ON"] == "y"
    assert "FORBIDDEN" not in inherited


def test_program_file_is_private_and_keeps_secrets_off_the_command_line(folder: StackFolder) -> None:
    path = write_program(folder, Program("probe", ("true",), folder.path, rank=1, environment={"KEY": "secret"}))
    assert path.stat().st_mode & 0o777 == 0o600
    assert "secret" not in " ".join(launcher_argv(path))


ROOT_ON_LINUX = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux gives up root")


@ROOT_ON_LINUX
def test_root_becomes_nobody_for_good(folder: StackFolder) -> None:
    shown = show_as_nobody(folder, "id -u; id -G; cat /proc/self/status")
    assert shown.split("\n")[0] != "0"
    assert "0" not in shown.split("\n")[1].split()
    capabilities = [line for line in shown.split("\n") if line.startswith(("CapInh", "CapPrm", "CapEff", "CapAmb"))]
    assert [line.split()[1].strip("0") for line in capabilities] == ["", "", "", ""]
    assert "NoNewPrivs:\t1" in shown


@ROOT_ON_LINUX
def test_what_was_root_reaches_its_working_folder_and_no_other_private_one(folder: StackFolder) -> None:
    (folder.path / "file").write_text("reached")
    (folder.path / "file").chmod(0o644)
    inner = folder.path / "inner"
    inner.mkdir()
    inner.chmod(0o755)
    code = f"cat {folder.path}/file || echo refused; cd {inner} || echo refused; ls -d /proc/self/cwd/"
    shown = show_as_nobody(folder, code, inner)
    assert shown.split("\n") == ["refused", "refused", "/proc/self/cwd/"]


def test_recorded_number_of_another_process_is_not_taken_for_ours(folder: StackFolder) -> None:
    (folder.programs / "worker-1.pid").write_text(f"{os.getpid()} 1\n")
    assert find_left_processes(folder) == []
    assert not (folder.programs / "worker-1.pid").exists()


def test_program_dies_with_its_parent(folder: StackFolder) -> None:
    path = write_program(
        folder, Program("child", (sys.executable, "-c", "import time; time.sleep(60)"), folder.path, rank=1)
    )
    # The parent ends as soon as the child has recorded itself.
    code = (
        "import subprocess, time, pathlib, sys; subprocess.Popen(sys.argv[1:]); "
        f"p = pathlib.Path({str(path.with_suffix('.pid'))!r})\nwhile not p.exists(): time.sleep(0.01)\ntime.sleep(0.3)"
    )
    parent = Program("parent", (sys.executable, "-c", code, *launcher_argv(path)), folder.path, rank=1)
    run_program(folder, parent)
    deadline = time.monotonic() + 5
    while find_left_processes(folder):
        assert time.monotonic() < deadline
        time.sleep(0.05)
