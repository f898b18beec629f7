"""The services that integration tests use: real PostgreSQL, Supabase API and Valkey, started once for the whole run."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from core.adapters.migrations import apply_migrations
from core.config import Settings
from core.embedded.plan import REPOSITORY, SERVICES, StackPlan
from core.embedded.stack import start_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a running stack without worker and pages, the repository's migrations applied."""
    migrate = partial(apply_migrations, folder=REPOSITORY / "migrations")
    plan = StackPlan(bare_settings(tmp_path_factory.mktemp("stack")), SERVICES, migrate=migrate)
    with start_stack(plan, print) as running:
        yield running.settings


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
