"""Checks every part: what works, what does not, and what to do about it."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from core.config import Settings
from core.embedded import application, postgres, postgres_user, valkey
from core.embedded.folder import StackFolder
from core.embedded.plan import Part
from core.embedded.state import read_state
from core.embedded.supabase_api import installation, server
from core.embedded.supervision import ProgramStatus, Supervisor
from core.errors import StackError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True)
class Finding:
    """The result for one part. `ok` is None for what is neither right nor wrong: stopped, or optional and missing."""

    part: str
    ok: bool | None
    text: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Check every part that these settings use; change nothing, and call no model."""
    folder = StackFolder(settings.home.absolute())
    socket = read_state(folder).supervisor_socket
    supervisor = Supervisor(socket) if socket is not None and Supervisor(socket).answers else None
    statuses = {} if supervisor is None else supervisor.read_statuses()
    if settings.is_hosted:
        yield from _examine_hosted(settings)
    else:
        yield from _examine_wheels()
        yield from _examine_services(settings, folder, statuses)
    yield from _examine_application(folder, statuses)
    yield _examine_claude(settings)
    yield _examine_browser()


def _examine_hosted(settings: Settings) -> Iterator[Finding]:
    if settings.supabase_publishable_key is None:
        yield Finding("supabase", ok=False, text="set SUPABASE_PUBLISHABLE_KEY (README, Settings)")
    else:
        secret = settings.supabase_secret_key
        problem = server.check_api(*settings.require_supabase(), None if secret is None else secret.get_secret_value())
        yield _judge("supabase", problem, "check SUPABASE_URL and the keys")
        if secret is None:
            yield Finding("secret key", ok=False, text="set SUPABASE_SECRET_KEY for the worker")
    if settings.supabase_db_url is None:
        yield Finding("database", ok=None, text="SUPABASE_DB_URL is not set; only `brightrun migrate` needs it")
    else:
        yield _judge("database", postgres.check_database(settings.require_db_url()), "check SUPABASE_DB_URL")
    problem = "REDIS_URL is not set" if settings.redis_url is None else valkey.check_queue(settings.redis_url)
    yield _judge("queue", problem, "check REDIS_URL")


def _examine_wheels() -> Iterator[Finding]:
    for part, find in (
        ("postgresql", lambda: postgres_user.find_package() / "pginstall" / "bin" / "postgres"),
        ("node", installation.find_node),
    ):
        try:
            path = find()
        except StackError as error:
            yield Finding(part, ok=False, text=str(error))
        else:
            yield _judge(part, None if path.exists() else f"{path} is missing", "install the requirements again")
    installed = installation.find_entry(installation.find_installation()).exists()
    text = "installed" if installed else "not installed yet; `brightrun up` does it, once"
    yield Finding("npm packages", ok=True if installed else None, text=text)


def _examine_services(settings: Settings, folder: StackFolder, statuses: dict[str, ProgramStatus]) -> Iterator[Finding]:
    if not statuses:
        killed = folder.connection_file.exists()
        text = "the stack was killed; `brightrun up` starts it again" if killed else "stopped; `brightrun up` starts it"
        yield Finding("stack", ok=False if killed else None, text=text)
        return
    if settings.supabase_url is None:
        yield Finding("stack", ok=None, text="starting; look again in a moment")
        return
    secret = settings.require_secret_key()
    look = f"look at the logs in {folder.logs}, then `brightrun down` and `brightrun up`"
    yield _judge("postgres", postgres.check_database(settings.require_db_url()), look)
    yield _judge("api", server.check_guarded_api(*settings.require_supabase(), secret), look)
    yield _judge("valkey", valkey.check_queue(settings.require_redis()), look)
    if Part.SIMULATOR in statuses and settings.anthropic_base_url is not None:
        yield _judge("claude", application.check_address(settings.anthropic_base_url + "/healthz"), look)


def _examine_application(folder: StackFolder, statuses: dict[str, ProgramStatus]) -> Iterator[Finding]:
    for name, status in sorted(statuses.items()):
        if name.startswith("worker"):
            problem = None if status.runs else f"{status.state.lower()} ({status.detail})"
            yield _judge(name, problem, f"look at {folder.logs / name}.log")
    address = read_state(folder).page_url
    if Part.PAGES in statuses and address is not None:
        yield _judge("pages", application.check_address(address + "/_stcore/health"), f"look at {folder.logs / 'pages.log'}")


def _examine_claude(settings: Settings) -> Finding:
    if settings.anthropic_api_key is not None:
        return Finding("anthropic key", ok=True, text="set (not tried: that would cost)")
    if settings.is_hosted:
        return Finding("anthropic key", ok=False, text="set it: with a hosted database Claude is not simulated")
    return Finding("anthropic key", ok=None, text="not set, so Claude is simulated; set ANTHROPIC_API_KEY for the real one")


def _examine_browser() -> Finding:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    text = found or "none found; only the browser tests need Chromium or Chrome"
    return Finding("browser", ok=True if found else None, text=text)


def _judge(part: str, problem: str | None, advice: str) -> Finding:
    return Finding(part, ok=problem is None, text="ok" if problem is None else f"{problem}; {advice}")
