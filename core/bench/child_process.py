"""Work in a process of its own, so that its memory can be told from ours."""

import os
import sys
from collections.abc import Callable


def run_apart(work: Callable[[], int | None]) -> tuple[int, float]:
    """Run a function in a child process; return its result, and the peak memory in MB of the child or one of its own."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(theirs, str(work() or 0).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        said = pipe.read().decode()
    _, _, usage = os.wait4(child, 0)
    return int(said or 0), usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
