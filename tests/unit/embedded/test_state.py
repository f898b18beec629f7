import tempfile
from pathlib import Path

import pytest

from core.embedded.folder import LONGEST_SOCKET_PATH, StackFolder
from core.embedded.lock import acquire_lock
from core.embedded.log_follower import LogFollower
from core.embedded.state import StackState, obtain_secrets, read_state, write_state
from core.errors import StackError


def make_folder(path: Path) -> StackFolder:
    folder = StackFolder(path)
    folder.create()
    return folder


def test_secrets_are_generated_once_and_private(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    first = obtain_secrets(folder)
    assert obtain_secrets(folder) == first
    assert folder.secrets_file.stat().st_mode & 0o777 == 0o600


def test_lost_or_damaged_secrets_are_said_and_never_replaced(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    folder.secrets_file.write_text("{}")
    with pytest.raises(StackError, match="damaged"):
        obtain_secrets(folder)
    folder.secrets_file.unlink()
    folder.database.mkdir()
    with pytest.raises(StackError, match="missing"):
        obtain_secrets(folder)


def test_state_is_remembered_and_a_damaged_one_forgotten(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    state = StackState(ports={"api": 1234}, supervisor_socket=tmp_path / "s", page_url="http://localhost:1")
    write_state(folder, state)
    assert read_state(folder) == state
    folder.state_file.write_text("{")
    assert read_state(folder) == StackState()


def test_socket_path_is_short_enough_anywhere_and_stays_the_same(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        assert make_folder(Path(short)).choose_socket(None).is_relative_to(short)
    folder = make_folder(tmp_path / ("long" * 40))
    socket = folder.choose_socket(None)
    assert len(str(socket)) <= LONGEST_SOCKET_PATH
    assert folder.choose_socket(socket) == socket
    socket.parent.rmdir()
    again = folder.choose_socket(socket)
    assert again != socket
    again.parent.rmdir()


def test_lock_has_one_holder(tmp_path: Path) -> None:
    first = acquire_lock(tmp_path / "lock")
    assert first is not None
    assert acquire_lock(tmp_path / "lock", 0.1) is None


def test_log_lines_carry_their_program_across_a_rotation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "worker-1.log"
    log.write_text("from before\n")
    follower = LogFollower(tmp_path, colour=False)
    with log.open("a") as file:
        file.write("one\ntw")
    follower.show_new_lines()
    with log.open("a") as file:
        file.write("o\n")
    log.rename(tmp_path / "worker-1.log.1")
    log.write_text("three\n")
    follower.show_new_lines()
    follower.show_new_lines()
    follower.close()
    assert capsys.readouterr().out.splitlines() == ["worker-1   | one", "worker-1   | two", "worker-1   | three"]
