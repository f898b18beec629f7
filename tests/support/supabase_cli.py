"""The official Supabase CLI, pinned by the lock file in tests/supabase_cli, run by the Node of the one-machine stack."""

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.config import child_environment
from core.embedded.supabase_api.installation import find_node, install_packages

PACKAGES = Path(__file__).parents[1] / "supabase_cli"


def find_supabase_cli() -> Path:
    """Return the CLI's start file, installed into the virtual environment if it is not there yet."""
    digest = hashlib.sha256((PACKAGES / "package-lock.json").read_bytes()).hexdigest()[:12]
    target = Path(sys.prefix) / "share" / "brightrun" / f"supabase-cli-{digest}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        install_packages(PACKAGES, target)
    return target / "node_modules" / "supabase" / "dist" / "supabase.js"


@dataclass(frozen=True)
class Finding:
    """One line of the database advisors."""

    level: str
    name: str
    subject: str


@dataclass(frozen=True)
class SupabaseProject:
    """A folder as `supabase init` makes it, with the repository's migrations in it."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, migrations: Path) -> "SupabaseProject":
        """Make the folder; its migrations are the repository's own."""
        (folder / "supabase").mkdir()
        (folder / "supabase" / "config.toml").write_text('project_id = "brightrun"\n')
        (folder / "supabase" / "migrations").symlink_to(migrations)
        return cls(folder)

    def push(self, database_url: str) -> str:
        """Apply the migrations as `supabase db push` does; return what it says."""
        return self._run("db", "push", "--db-url", database_url, "--yes")

    def advise(self, database_url: str) -> list[Finding]:
        """Return what the database advisors find, hints included."""
        said = self._run(
            "db", "advisors", "--db-url", database_url, "--type", "all", "--level", "info", "--output-format", "json"
        )
        found: dict[str, Any] = json.loads(said)
        return [Finding(row["level"], row["name"], row["metadata"]["name"]) for row in found["results"]]

    def _run(self, *words: str) -> str:
        finished = subprocess.run(
            [find_node(), find_supabase_cli(), *words],
            cwd=self.folder,
            env=child_environment(HOME=str(self.folder), SUPABASE_TELEMETRY_DISABLED="1", DO_NOT_TRACK="1"),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if finished.returncode != 0:
            raise AssertionError(f"supabase {words} failed:\n{finished.stdout}\n{finished.stderr}")
        return finished.stdout
