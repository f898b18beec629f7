"""What a process asks of its kernel."""

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(death_signal: signal.Signals) -> None:
    """Ask for `death_signal` when the parent process dies; only Linux can, elsewhere nothing happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal)
