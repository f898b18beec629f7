"""The product's own programs: simulated Claude, worker, pages."""

import sys
from pathlib import Path

import httpx

from core.certificates import load_authorities
from core.config import CONNECTION_FILE, SECRET_VARIABLES, PageSettings, Settings
from core.embedded.addresses import LOOPBACK
from core.embedded.program import Program

SIMULATOR, PAGES = "claude", "pages"
SIMULATOR_RANK, WORKER_RANK, PAGES_RANK = 40, 50, 60
PYTHON_ENVIRONMENT = {"PYTHONUNBUFFERED": "1"}
"""Otherwise the last lines before a crash would stay in a buffer."""


def simulator_url(port: int) -> str:
    """Return the value of ANTHROPIC_BASE_URL."""
    return f"http://{LOOPBACK}:{port}"


def page_url(port: int) -> str:
    """Return the address for the browser."""
    return f"http://localhost:{port}"


def simulator_program(root: Path, port: int, settings: Settings) -> Program:
    """Return the simulated Claude with the faults of the settings."""
    options = {
        "--host": LOOPBACK,
        "--port": str(port),
        "--seed": str(settings.sim_seed),
        "--latency-seconds": str(settings.sim_latency_seconds),
        "--latency-spread": str(settings.sim_latency_spread),
        "--output-tokens-per-minute": str(settings.sim_output_tokens_per_minute),
        "--faults": settings.sim_faults,
    }
    words = [word for option in options.items() for word in option]
    return Program(
        name=SIMULATOR,
        argv=(sys.executable, "-m", "core.embedded.simulator", *words),
        folder=root,
        rank=SIMULATOR_RANK,
        inherits_environment=True,
        removed_variables=SECRET_VARIABLES,
        environment=PYTHON_ENVIRONMENT,
        parent_death_signal="SIGKILL",
        stop_seconds=5,
    )


def worker_programs(root: Path, settings: Settings) -> list[Program]:
    """Return the workers. They inherit their secret keys from the supervisor."""
    given = _page_variables(settings) | {
        "BRIGHTRUN_QUEUE_NAME": settings.queue_name,
        "BRIGHTRUN_REQUEST_TIMEOUT_SECONDS": str(settings.request_timeout_seconds),
        "BRIGHTRUN_MAX_ATTEMPTS": str(settings.max_attempts),
        "BRIGHTRUN_MAX_RETRY_SECONDS": str(settings.max_retry_seconds),
        "BRIGHTRUN_LEASE_SECONDS": str(settings.lease_seconds),
    }
    if settings.anthropic_base_url is not None:
        given["ANTHROPIC_BASE_URL"] = settings.anthropic_base_url
    return [
        Program(
            name=f"worker-{number}",
            argv=(sys.executable, "worker.py"),
            folder=root,
            rank=WORKER_RANK,
            inherits_environment=True,
            removed_variables=frozenset({"SUPABASE_DB_URL", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_ANON_KEY"}),
            environment=given | PYTHON_ENVIRONMENT,
            # Without the supervisor there is nothing left to finish with; leases make a kill harmless.
            parent_death_signal="SIGKILL",
            # Calls in flight finish first: a real one is paid for.
            stop_seconds=round(settings.request_timeout_seconds) + 15,
        )
        for number in range(1, settings.worker_count + 1)
    ]


def pages_program(root: Path, port: int, settings: Settings) -> Program:
    """Return Streamlit. It gets no secret: neither from here nor from the environment of `up`."""
    account: dict[str, str] = {}
    if settings.embedded and settings.email is not None and settings.password is not None:
        account = {"BRIGHTRUN_EMAIL": settings.email, "BRIGHTRUN_PASSWORD": settings.password.get_secret_value()}
    options = {
        "server.headless": "true",
        "server.address": LOOPBACK,
        "server.port": str(port),
        "browser.gatherUsageStats": "false",
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    after: list[str] = []
    if settings.embedded:
        # Started with the first parts, to load at the same time; a tab still open must not find it before the database.
        after = ["--after", str(settings.home.absolute() / CONNECTION_FILE)]
        # Whoever opens the pages is the local analyst, so a website whose name points here must not reach them.
        words += [f"--server.allowedHosts={host}" for host in ("localhost", LOOPBACK)]
    return Program(
        name=PAGES,
        argv=(sys.executable, "-m", "core.ui.server", *after, "Home.py", *words),
        folder=root,
        rank=PAGES_RANK,
        inherits_environment=True,
        removed_variables=SECRET_VARIABLES | {"BRIGHTRUN_EMAIL", "BRIGHTRUN_PASSWORD", "SUPABASE_ANON_KEY"},
        environment=_page_variables(settings) | account | PYTHON_ENVIRONMENT,
        parent_death_signal="SIGKILL",
        stop_seconds=5,
    )


def check_address(url: str) -> str | None:
    """Return None if an HTTP address answers well, otherwise what is wrong."""
    try:
        reply = httpx.get(url, timeout=5, verify=load_authorities())
    except httpx.HTTPError as error:
        return f"{url} does not answer ({error})"
    return None if reply.is_success else f"{url} answers {reply.status_code}"


def _page_variables(settings: PageSettings) -> dict[str, str]:
    url, key = settings.require_supabase()
    return {
        "SUPABASE_URL": url,
        "SUPABASE_PUBLISHABLE_KEY": key,
        "REDIS_URL": settings.require_redis(),
        "BRIGHTRUN_EMBEDDED": str(settings.embedded).lower(),
        "BRIGHTRUN_SIMULATED": str(settings.simulated).lower(),
        "BRIGHTRUN_HOME": str(settings.home.absolute()),
    }
