"""Measure `make run` as a newcomer meets it: from a clean clone to the first page, and a second start with data.

`make time-start`. Standard library only, since it runs before anything is installed. Package caches are what they are.
"""

import os
import platform
import re
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

READY = re.compile(r"ready at (http://\S+)")
ROOT = Path(__file__).parents[1]


def measure_start(clone: Path) -> float:
    """Return the seconds from `make run` to the first answer of the page; stop everything again."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BRIGHTRUN_")}
    began = time.monotonic()
    process = subprocess.Popen(
        ["make", "run"],
        cwd=clone,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if found := READY.search(line):
            break
    else:
        raise SystemExit(f"`make run` ended by itself:\n{said}")
    url = found.group(1)
    with urllib.request.urlopen(url, timeout=30) as page:
        page.read()
    seconds = time.monotonic() - began
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=120)
    return seconds


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="brightrun-start-") as folder:
        clone = Path(folder) / "brightrun"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        first, second = measure_start(clone), measure_start(clone)
    print(f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}")
    print(f"clean clone to the first page: {first:.1f} s")
    print(f"second start: {second:.1f} s")


if __name__ == "__main__":
    main()
