"""Where the one-machine stack keeps things: one folder, by default `.brightrun`, readable by its owner alone."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from core.config import CONNECTION_FILE

LONGEST_SOCKET_PATH = 100
"""Unix sockets end at 104 (macOS) or 108 bytes; the rest is room for supervisord's temporary suffix."""


@dataclass(frozen=True)
class StackFolder:
    """Paths under the folder of one stack."""

    path: Path

    @property
    def connection_file(self) -> Path:
        """What commands need to reach the running stack; there only while it runs."""
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
        """Per program: what the launcher shall run (with secrets), and the pid of what it ran."""
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
        """Make the folders that are missing."""
        for path in (self.path, self.programs, self.logs, self.api, self.queue):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def choose_socket(self, remembered: Path | None) -> Path:
        """Return a path for supervisord's socket that is short enough for the operating system."""
        socket = self.programs / "supervisor.sock"
        if len(os.fsencode(socket)) <= LONGEST_SOCKET_PATH:
            return socket
        if remembered is not None and remembered.parent.is_dir() and remembered.parent.stat().st_uid == os.getuid():
            return remembered
        return Path(tempfile.mkdtemp(prefix="brightrun-")) / "supervisor.sock"


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, in one step: a reader sees the old text or the new one."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
