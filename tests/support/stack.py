"""The services that tests use: real PostgreSQL, Supabase API and Valkey, started once for a run; and analysts."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from core.adapters.supabase.migrations import apply_migrations
from core.adapters.supabase.session import Analyst, open_analyst
from core.config import Settings
from core.embedded.plan import REPOSITORY, SERVICES, StackPlan
from core.embedded.stack import start_stack
from core.seed import seed


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a running stack without worker and pages, the repository's migrations applied."""
    migrate = partial(apply_migrations, folder=REPOSITORY / "migrations")
    plan = StackPlan(bare_settings(tmp_path_factory.mktemp("stack")), SERVICES, migrate=migrate)
    with start_stack(plan, print) as running:
        yield running.settings


@pytest.fixture(scope="session")
def seeded(stack: Settings) -> Settings:
    """The running stack with the scaffolding in its database."""
    seed(stack)
    return stack


@contextmanager
def sign_up(settings: Settings, password: str | None = None) -> Iterator[Analyst]:
    """A new analyst, signed in by signing up."""
    account = {"email": f"{uuid4()}@example.com", "password": password or str(uuid4())}
    analyst = open_analyst(*settings.require_supabase(), lambda client: client.auth.sign_up(account))
    try:
        yield analyst
    finally:
        analyst.close()


def bare_settings(home: Path) -> Settings:
    """Return settings that ignore the developer's own `.env` and hosted services."""
    hosted = dict.fromkeys(
        [
            "supabase_url",
            "supabase_publishable_key",
            "supabase_secret_key",
            "supabase_db_url",
            "redis_url",
            "anthropic_api_key",
            "anthropic_base_url",
            "email",
            "password",
            "port",
        ]
    )
    return Settings(_env_file=None, home=home, **hosted)  # pyright: ignore[reportCallIssue] - an option of pydantic-settings
