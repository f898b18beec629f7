"""One stack per folder: a lock that lives exactly as long as its supervisor.

The file descriptor is handed to supervisord, which never closes it and never passes it on. So the lock ends when the
supervisor has ended, and not before: not when `up` is killed, and not while parts are still stopping.
"""

import fcntl
import os
import time
from pathlib import Path


def acquire_lock(path: Path, patience_seconds: float = 0.0) -> int | None:
    """Return the descriptor of the lock, to be closed or passed on; None if another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return None
            time.sleep(0.05)
        else:
            return descriptor
