"""Start one program of the stack and become it: `python launch.py PROGRAM.json`.

Run as a file by the supervisor, for every program, so it imports nothing but the standard library. It writes its pid
beside the JSON file, asks the kernel for a signal when its parent dies (Linux: a killed supervisor leaves no orphans), and
lets PostgreSQL, which refuses to run as root, run as `nobody`.
"""

import ctypes
import json
import os
import pwd
import signal
import sys
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG, PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 28, 47, 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAP_DAC_OVERRIDE = 1
LINUX_CAPABILITY_VERSION_3 = 0x20080522


class CapabilityHeader(ctypes.Structure):
    """`struct __user_cap_header_struct`."""

    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class CapabilityData(ctypes.Structure):
    """`struct __user_cap_data_struct`."""

    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def launch(program_file: Path) -> None:
    """Replace this process by the program; the caller's environment is inherited as far as the file says."""
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
    """Become `nobody`, but keep the right to pass folders of other users: data may lie under a 0700 home of root."""
    nobody = pwd.getpwnam("nobody")
    if sys.platform == "linux":
        # Keeps capabilities over the change of user, and lets access(2), by which PostgreSQL looks for its own programs,
        # count them; without it a clone under a 0700 folder could not be read.
        call("prctl", PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    if sys.platform == "linux":
        kept = 1 << CAP_DAC_OVERRIDE
        header = CapabilityHeader(LINUX_CAPABILITY_VERSION_3, 0)
        data = (CapabilityData * 2)(CapabilityData(kept, kept, kept), CapabilityData(0, 0, 0))
        call("capset", ctypes.byref(header), data)
        call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def call(name: str, *arguments: Any) -> None:  # noqa: ANN401 - arguments of a C function
    """Call a function of the C library; raise OSError if it fails."""
    if ctypes.CDLL(None, use_errno=True)[name](*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def read_start_ticks(pid: int) -> str:
    """Return when a process started, to tell it from a later one with the same number; `-` where that is not known."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return "-"


if __name__ == "__main__":
    launch(Path(sys.argv[1]))
