import os
import tempfile
from pathlib import Path

import pytest

from core.embedded.folder import LONGEST_SOCKET_PATH, StackFolder
from core.embedded.lock import acquire_lock
from core.embedded.log_follower import LogFollower
from core.embedded.state import StackState, obtain_secrets, read_state, renew_api_password, write_state
from core.errors import ConfigurationError, StackError


def make_folder(path: Path) -> StackFolder:
    folder = StackFolder(path)
    folder.create()
    return folder


def test_secrets_are_generated_once_and_private(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    first = obtain_secrets(folder)
    assert obtain_secrets(folder) == first
    assert folder.secrets_file.stat().st_mode & 0o777 == 0o600


def test_password_of_the_apis_role_is_new_at_every_start_and_nothing_else_is(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    first = obtain_secrets(folder)
    second = renew_api_password(folder)
    assert second.api_database_password != first.api_database_password
    assert second == first.model_copy(update={"api_database_password": second.api_database_password})
    assert obtain_secrets(folder) == second
    assert folder.secrets_file.stat().st_mode & 0o777 == 0o600


def test_folders_and_files_that_are_there_already_become_private(tmp_path: Path) -> None:
    folder = StackFolder(tmp_path / "home")
    for path in (folder.path, folder.programs, folder.logs, folder.api, folder.queue):
        path.mkdir(mode=0o755)
        path.chmod(0o755)
    for path in (folder.secrets_file, folder.state_file):
        path.write_text("{}")
        path.chmod(0o644)
    folder.create()
    for path in (folder.path, folder.programs, folder.logs, folder.api, folder.queue):
        assert path.stat().st_mode & 0o777 == 0o700
    for path in (folder.secrets_file, folder.state_file):
        assert path.stat().st_mode & 0o777 == 0o600


def test_own_link_is_followed_and_what_is_no_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "disk")
    make_folder(tmp_path / "home")
    assert (tmp_path / "disk").stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"file cannot be used .*BRIGHTRUN_HOME"):
        make_folder(tmp_path / "file")


def test_file_that_is_a_link_is_not_opened(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "home")
    (tmp_path / "elsewhere").write_text("{}")
    (tmp_path / "elsewhere").chmod(0o644)
    folder.secrets_file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match=r"secrets\.json cannot be opened"):
        folder.create()
    assert (tmp_path / "elsewhere").stat().st_mode & 0o777 == 0o644


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give something to another user")
def test_folder_or_link_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "foreign").mkdir()
    os.chown(tmp_path / "foreign", 65534, 65534)
    (tmp_path / "link").symlink_to(tmp_path)
    os.chown(tmp_path / "link", 65534, 65534, follow_symlinks=False)
    for name, found in (("foreign", "belongs to another user"), ("link", "a link that belongs to another user")):
        with pytest.raises(ConfigurationError, match=found):
            make_folder(tmp_path / name)


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
    socket.parent.chmod(0o755)
    assert folder.choose_socket(socket) != socket
    socket.parent.rmdir()
    socket.parent.symlink_to(tmp_path)
    assert folder.choose_socket(socket) != socket
    socket.parent.unlink()
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
