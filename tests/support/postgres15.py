"""PostgreSQL 15, the oldest that hosted Supabase runs, where this machine has it (Debian: `postgresql-15`)."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.embedded.addresses import LOOPBACK, choose_ports

PLACES = (Path("/usr/lib/postgresql/15/bin"), Path("/usr/pgsql-15/bin"), Path("/opt/homebrew/opt/postgresql@15/bin"))


def is_required() -> bool:
    """Whether this run must not skip what needs it, as in CI."""
    return os.environ.get("BRIGHTRUN_REQUIRE_POSTGRES15") == "1"


def find_postgres15() -> Path | None:
    """Return the folder of its programs."""
    return next((place for place in PLACES if (place / "initdb").exists()), None)


@contextmanager
def run_postgres15(programs: Path) -> Iterator[str]:
    """Return the superuser's address of a new server on loopback; it is gone with its data afterwards."""
    # Not under pytest's folder, which only root may enter when root runs the tests; PostgreSQL refuses to be root.
    folder = Path(tempfile.mkdtemp(prefix="brightrun-postgres15-"))
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    os.chown(folder, user.pw_uid, user.pw_gid)
    port = choose_ports(["postgres"], {})["postgres"]

    def run(*words: str) -> None:
        owner = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd=folder, **owner)

    data = folder / "data"
    try:
        run(str(programs / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C")
        options = f"-p {port} -c listen_addresses={LOOPBACK} -c unix_socket_directories= -c fsync=off"
        run(str(programs / "pg_ctl"), "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
        try:
            # A password is asked for by nobody; the Supabase CLI wants one in the address.
            yield f"postgresql://postgres:none@{LOOPBACK}:{port}/postgres?sslmode=disable"
        finally:
            run(str(programs / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
