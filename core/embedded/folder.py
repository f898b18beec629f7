"""The folder of the one-machine stack, by default `.brightrun`, readable by its owner alone."""

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from core.config import CONNECTION_FILE
from core.errors import ConfigurationError

PRIVATE_MODE = 0o700
LONGEST_SOCKET_PATH = 100
"""Paths of Unix sockets end at 104 (macOS) or 108 bytes; the rest leaves room for supervisord's temporary suffix."""


@dataclass(frozen=True)
class StackFolder:
    """Paths under the folder of one stack."""

    path: Path

    @property
    def connection_file(self) -> Path:
        """How commands reach the running stack; exists only while it runs."""
        return self.path / CONNECTION_FILE

    @property
    def state_file(self) -> Path:
        """Ports and the supervisor's socket; kept, so that addresses stay the same."""
        return self.path / "stack.json"

    @property
    def secrets_file(self) -> Path:
        """Generated keys and passwords; they belong to the data beside them."""
        return self.path / "secrets.json"

    @property
    def lock_file(self) -> Path:
        """Held by the supervisor for as long as it lives."""
        return self.path / "lock"

    @property
    def supervisor_file(self) -> Path:
        """Configuration of supervisord."""
        return self.path / "supervisord.conf"

    @property
    def programs(self) -> Path:
        """For each program: what the launcher starts (with secrets), and the pid of the process."""
        return self.path / "run"

    @property
    def logs(self) -> Path:
        """One log per program, rotated."""
        return self.path / "logs"

    @property
    def database(self) -> Path:
        """PostgreSQL's data."""
        return self.path / "postgres"

    @property
    def api(self) -> Path:
        """Working folder of the Supabase API; stored files lie under it."""
        return self.path / "api"

    @property
    def queue(self) -> Path:
        """Valkey's configuration and append-only file."""
        return self.path / "valkey"

    def create(self) -> None:
        """Create missing folders, make existing ones private; raise ConfigurationError if one belongs to somebody else."""
        for path in (self.path, self.programs, self.logs, self.api, self.queue):
            make_private_folder(path)
        for path in (self.secrets_file, self.state_file, self.connection_file, self.lock_file, self.supervisor_file):
            _make_private_file(path)

    def choose_socket(self, remembered: Path | None) -> Path:
        """Return a path for supervisord's socket that is short enough for the operating system."""
        socket = self.programs / "supervisor.sock"
        if len(os.fsencode(socket)) <= LONGEST_SOCKET_PATH:
            return socket
        if remembered is not None and _is_private_folder(remembered.parent):
            return remembered
        return Path(tempfile.mkdtemp(prefix="brightrun-")) / "supervisor.sock"


def make_private_folder(path: Path) -> None:
    """Create a folder that only its owner may enter, or make an existing one private. Raise ConfigurationError if it is not
    ours.

    A link of our own is followed: the data may be on another disk.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.is_symlink() and path.lstat().st_uid != os.geteuid():
            raise ConfigurationError(f"{path} is a link that belongs to another user. Remove it, or set BRIGHTRUN_HOME.")
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be used as a folder of the stack: {error}. Set BRIGHTRUN_HOME.") from error
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise ConfigurationError(f"{path} belongs to another user. Set BRIGHTRUN_HOME to a folder of your own.")
        os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)


def _make_private_file(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be opened: {error}. Remove it, or set BRIGHTRUN_HOME.") from error
    try:
        os.fchmod(descriptor, 0o600)
    except OSError as error:
        raise ConfigurationError(f"{path} belongs to another user. Set BRIGHTRUN_HOME to a folder of your own.") from error
    finally:
        os.close(descriptor)


def _is_private_folder(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) == PRIVATE_MODE


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, atomically: a reader sees the old text or the new one."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
