"""Start one program of the stack and become it: `python launch.py PROGRAM.json`.

Run as a file by the supervisor, for every program, so it imports nothing but the standard library. It writes its pid
beside the JSON file, asks the kernel for a signal when its parent dies (Linux: a killed supervisor leaves no orphans), and
lets PostgreSQL, which refuses to run as root, run as `nobody` with no right of root left.
"""

import ctypes
import json
import os
import pwd
import signal
import sys
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38


def launch(program_file: Path) -> None:
    """Replace this process by the program, with the caller's environment as far as the file says."""
    program: dict[str, Any] = json.loads(program_file.read_text())
    parent = os.getppid()
    program_file.with_suffix(".pid").write_text(f"{os.getpid()} {read_start_ticks(os.getpid())}\n")
    os.chdir(program["folder"])
    inherited = dict(os.environ) if program["inherits_environment"] else {}  # noqa: TID251 - passed on, not read
    environment = {name: value for name, value in inherited.items() if name not in program["removed_variables"]}
    if program["drops_root"] and os.geteuid() == 0:
        drop_root()
    if sys.platform == "linux" and program["parent_death_signal"] is not None:
        # After the change of user, which resets it.
        call("prctl", PR_SET_PDEATHSIG, signal.Signals[program["parent_death_signal"]].value, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit("The supervisor ended while this program was starting.")
    os.execvpe(program["argv"][0], program["argv"], environment | program["environment"])  # noqa: S606


def drop_root() -> None:
    """Become `nobody` for good: no capability is kept, and no program that is run can give one back.

    The working folder is kept, so that a program may still use its contents by relative paths, wherever it is.
    """
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    if sys.platform == "linux":
        call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def call(name: str, *arguments: Any) -> None:  # noqa: ANN401 - arguments of a C function
    """Call a function of the C library; raise OSError if it fails."""
    if ctypes.CDLL(None, use_errno=True)[name](*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def read_start_ticks(pid: int) -> str:
    """Return when a process started, to distinguish it from a later one with the same number; `-` if that is unknown."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return "-"


if __name__ == "__main__":
    launch(Path(sys.argv[1]))
