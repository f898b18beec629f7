"""Shows the logs of all programs as one stream, each line with the name of its program."""

import sys
from pathlib import Path
from typing import BinaryIO

from core.terminal import escape_controls

COLOURS = (36, 35, 34, 32, 33, 95, 94, 96)
NAME_WIDTH = 10


class LogFollower:
    """Reads new lines of a folder's logs, across their rotation."""

    def __init__(self, logs: Path, *, colour: bool) -> None:
        self._logs = logs
        self._colour = colour
        self._files: dict[str, tuple[int, BinaryIO]] = {}
        self._rests: dict[str, bytes] = {}
        self._colours: dict[str, int] = {}
        for path in self._find_logs():
            self._open(path).seek(0, 2)  # Older lines are from before.

    def show_new_lines(self) -> None:
        """Print the complete lines since the last call."""
        for path in self._find_logs():
            known = self._files.get(path.stem)
            try:
                rotated = known is not None and path.stat().st_ino != known[0]
                file = self._open(path) if known is None else known[1]
            except FileNotFoundError:
                continue  # During a rotation.
            self._print(path.stem, file.read())
            if rotated:
                file.close()
                del self._files[path.stem]
        sys.stdout.flush()

    def close(self) -> None:
        """Close all logs."""
        for _, file in self._files.values():
            file.close()
        self._files.clear()

    def _find_logs(self) -> list[Path]:
        return sorted(path for path in self._logs.glob("*.log") if path.stem != "supervisord")

    def _open(self, path: Path) -> BinaryIO:
        file = path.open("rb")
        self._files[path.stem] = (path.stat().st_ino, file)
        return file

    def _print(self, name: str, new: bytes) -> None:
        *lines, rest = (self._rests.get(name, b"") + new).split(b"\n")
        self._rests[name] = rest
        prefix = f"{name:<{NAME_WIDTH}} |"
        if self._colour:
            colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
            prefix = f"\033[{colour}m{prefix}\033[0m"
        for line in lines:
            text = escape_controls(line.decode(errors="replace").rstrip("\r").expandtabs())
            sys.stdout.write(f"{prefix} {text}\n")
