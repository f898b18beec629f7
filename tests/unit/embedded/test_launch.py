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


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux gives up root")
def test_root_becomes_nobody_and_still_reaches_private_folders(folder: StackFolder) -> None:
    (folder.path / "file").write_text("reached")
    code = "import os; print(os.getuid() != 0, os.getgroups(), open('file').read())"
    assert show(folder, code, drops_root=True) == "True [] reached"


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux gives up root")
def test_access_counts_what_is_kept_of_root_so_postgresql_finds_its_programs_in_a_private_clone(folder: StackFolder) -> None:
    private = folder.path / "private"
    private.mkdir(mode=0o700)
    (private / "initdb").write_text("#!/bin/sh\n")
    (private / "initdb").chmod(0o755)
    code = f"import os; print(os.geteuid() != 0, os.access({str(private / 'initdb')!r}, os.X_OK))"

    assert show(folder, code, drops_root=True) == "True True"


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
