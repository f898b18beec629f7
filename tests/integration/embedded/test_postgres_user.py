"""PostgreSQL where root keeps everything to itself: a clone, a virtual environment and data under folders of mode 0700."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.embedded.folder import StackFolder
from core.embedded.postgres_user import find_package, find_program
from core.embedded.program import Program, run_program

pytestmark = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux gives up root")


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """Return a copy of the package that only root may read."""
    package = find_package()
    (tmp_path / "private").mkdir(mode=0o700)
    for folder in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(folder, tmp_path / "private" / folder.name, symlinks=True)
    for path in (tmp_path / "private").rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
    return tmp_path / "private" / package.name


@pytest.fixture
def copies() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="brightrun-", dir="/tmp") as name:  # not under pytest's folder, which is private
        Path(name).chmod(0o755)
        yield Path(name) / "copies"


def test_programs_are_copied_once_to_where_the_server_may_run_them(tmp_path: Path, private: Path, copies: Path) -> None:
    folder = StackFolder(tmp_path / "home")
    folder.create()
    for name in ("initdb", "postgres"):
        program = find_program(name, private, copies)
        assert program.is_relative_to(copies)
        shown = run_program(folder, Program("probe", (str(program), "--version"), folder.path, rank=1, drops_root=True))
        assert "PostgreSQL" in shown.stdout, shown.stderr
    assert len(list(copies.iterdir())) == 1


def test_programs_that_everybody_may_run_are_run_where_they_are(private: Path, copies: Path) -> None:
    everybodys = find_program("postgres", private, copies)
    package = everybodys.parents[2]
    assert find_program("postgres", package, copies / "again") == everybodys
    assert not (copies / "again").exists()
