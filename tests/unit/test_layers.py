"""What import-linter cannot see, since pages and worker.py are no packages; and that it sees all the rest."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "Home.py", *sorted((ROOT / "pages").glob("*.py"))]
PAGE_IMPORTS = ("streamlit", "pandas", "plotly", "core.ui", "core.services", "core.domain", "core.errors")
WORKER_IMPORTS = (
    "structlog",
    "core.worker_bootstrap",
    "core.config",
    "core.services",
    "core.domain",
    "core.errors",
    "core.logs",
    "core.process",
)
STANDARD = {
    "__future__",
    "asyncio",
    "collections",
    "datetime",
    "functools",
    "multiprocessing",
    "os",
    "pathlib",
    "signal",
    "socket",
    "sys",
    "threading",
    "time",
    "typing",
    "uuid",
}


def find_imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return {name for name in found if name.split(".")[0] not in STANDARD}


def find_forbidden(path: Path, allowed: tuple[str, ...]) -> set[str]:
    return {name for name in find_imports(path) if not name.startswith(allowed)}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_page_imports_only_what_the_design_allows(page: Path) -> None:
    assert set() == find_forbidden(page, PAGE_IMPORTS)


def test_worker_imports_only_what_the_design_allows() -> None:
    assert set() == find_forbidden(ROOT / "worker.py", WORKER_IMPORTS)


def test_forbidden_import_is_found(tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text("import redis\nfrom core.adapters import redis_reading\n")

    assert {"redis", "core.adapters"} == find_forbidden(tmp_path / "page.py", PAGE_IMPORTS)


def test_what_tests_share_is_in_no_test() -> None:
    """What several need is in tests/support, tests/fakes or tests/factories.py; what a conftest has comes as a fixture."""
    found = {
        (path.name, name)
        for folder in ("unit", "integration", "pages", "e2e", "support", "fakes")
        for path in (ROOT / "tests" / folder).rglob("*.py")
        for name in find_imports(path)
        if name.startswith("tests.") and name.rpartition(".")[2].startswith(("test_", "conftest"))
    }

    assert set() == found


def test_only_tests_know_the_fakes() -> None:
    """A second implementation of a port that lived beside the real ones would drift from them."""
    files = [ROOT / "worker.py", ROOT / "Home.py", *(ROOT / "core").rglob("*.py"), *(ROOT / "pages").glob("*.py")]

    assert not [path.name for path in files if any(name.split(".")[0] == "tests" for name in find_imports(path))]


LAYERS = "Layers import one way"
UI_PAGES = "Pages know nothing of each other"
STREAMLIT = "Only the user interface knows Streamlit and Plotly"
CLIENTS = "Only adapters know Supabase, RQ, Redis and Anthropic"
COMPOSITION = "Only the composition root reads settings or builds adapters for services"


@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("core/cli/new_command.py", "import streamlit", STREAMLIT),
        ("core/cli/new_command.py", "import redis", CLIENTS),
        ("core/cli/bench/new_measurement.py", "import plotly", STREAMLIT),
        ("core/cli/bench/new_measurement.py", "import core.ui.shell.links", LAYERS),
        ("core/bench/new_measurement.py", "import supabase", CLIENTS),
        ("core/bench/new_measurement.py", "import core.cli.main", LAYERS),
        ("core/seed.py", "import streamlit", STREAMLIT),
        ("core/seed.py", "import postgrest", CLIENTS),
        ("core/seed.py", "import core.cli.up", LAYERS),
        ("core/ui/new_page.py", "import core.cli.up", LAYERS),
        ("core/ui/home/overview.py", "import core.ui.monitor.actions", UI_PAGES),
        ("core/ui/shell/tables.py", "import core.ui.charts.axes", UI_PAGES),
        ("core/services/new_service.py", "import core.config", COMPOSITION),
    ],
)
def test_planted_violation_breaks_its_contract(tmp_path: Path, module: str, statement: str, contract: str) -> None:
    shutil.copytree(ROOT / "core", tmp_path / "core", ignore=shutil.ignore_patterns("__pycache__", "*.json", "*.mjs"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / module).open("a") as file:
        file.write(f"\n{statement}\n")

    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"]
    linted = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    assert linted.returncode == 1, linted.stderr
    broken = [line.partition(" BROKEN")[0] for line in linted.stdout.splitlines() if " BROKEN" in line]
    assert broken == [contract]
