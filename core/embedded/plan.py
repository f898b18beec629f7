"""What `up` starts, and what other commands need to know to use it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import SecretStr

import core
from core.config import Settings, load_settings
from core.embedded import analyst, postgres, valkey
from core.embedded.application import simulator_url
from core.embedded.folder import StackFolder, write_private
from core.embedded.simulator.faults import FaultSpecError, parse_fault_spec
from core.embedded.state import StackSecrets
from core.embedded.supabase_api import server
from core.errors import ConfigurationError

REPOSITORY = Path(core.__file__).parent.parent


class Part(StrEnum):
    """A part of the stack, in starting order."""

    POSTGRES = "postgres"
    API = "api"
    VALKEY = "valkey"
    SIMULATOR = "claude"
    WORKER = "worker"
    PAGES = "pages"


SERVICES = frozenset({Part.POSTGRES, Part.API, Part.VALKEY})
"""The parts that tests need: the database, its API, the queue."""
APPLICATION = frozenset({Part.WORKER, Part.PAGES})
"""The parts of a hosted configuration that run here."""


@dataclass(frozen=True)
class StackPlan:
    """The parts to start, with their settings."""

    settings: Settings
    parts: frozenset[Part]
    root: Path = REPOSITORY
    """Holds worker.py and Home.py."""
    detached: bool = False
    migrate: Callable[[str], list[str]] | None = None
    """Applies migrations to the database with this address and returns their names."""
    seed: Callable[[Settings], object] | None = None
    """Inserts the scaffolding data."""

    @property
    def folder(self) -> StackFolder:
        """The folder of this stack, independent of a program's working folder."""
        return StackFolder(self.settings.home.absolute())

    @property
    def embedded(self) -> bool:
        """Whether the database is ours; a hosted one gets only a worker and pages."""
        return Part.POSTGRES in self.parts


def plan_stack(settings: Settings, **changes: Any) -> StackPlan:  # noqa: ANN401 - fields of StackPlan
    """Return what `up` starts with these settings; raise ConfigurationError if they contradict each other."""
    if settings.is_hosted:
        settings.require_supabase()
        settings.require_secret_key()
        settings.require_redis()
        _require_anthropic_key(settings)
        return StackPlan(settings, APPLICATION, **changes)
    if settings.redis_url is not None:
        message = (
            "REDIS_URL is set but SUPABASE_URL is not. Set both for hosted services, neither for the stack on this machine."
        )
        raise ConfigurationError(message)
    if settings.anthropic_api_key is not None:
        return StackPlan(settings, frozenset(Part) - {Part.SIMULATOR}, **changes)
    try:
        parse_fault_spec(settings.sim_faults)
    except FaultSpecError as error:
        raise ConfigurationError(f"BRIGHTRUN_SIM_FAULTS: {error}") from error
    return StackPlan(settings, frozenset(Part), **changes)


def embedded_settings(plan: StackPlan, ports: Mapping[str, int], secrets: StackSecrets) -> Settings:
    """Return the plan's settings with the addresses and keys of the embedded parts."""
    found: dict[str, object] = {
        "home": plan.folder.path,
        "embedded": True,
        "supabase_url": server.api_url(ports[Part.API]),
        "supabase_publishable_key": secrets.publishable_key,
        "supabase_secret_key": secrets.secret_key,
        "supabase_db_url": postgres.database_url(ports[Part.POSTGRES], secrets),
        "redis_url": valkey.queue_url(ports[Part.VALKEY], secrets),
        "email": analyst.EMAIL,
        "password": secrets.analyst_password,
        "simulated": False,
    }
    if Part.SIMULATOR in plan.parts:
        found |= {"simulated": True, "anthropic_base_url": simulator_url(ports[Part.SIMULATOR])}
    elif plan.settings.anthropic_api_key is None:
        found |= {"simulated": True, "anthropic_base_url": None}
    return load_settings(**(plan.settings.model_dump() | found))


def write_connection(folder: StackFolder, settings: Settings) -> None:
    """Write the file for other commands that `core.config` reads."""
    known = settings.model_dump(include=CONNECTION_FIELDS, exclude_none=True)
    plain = {name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in known.items()}
    write_private(folder.connection_file, json.dumps(plain, indent=2))


CONNECTION_FIELDS = {
    "supabase_url",
    "supabase_publishable_key",
    "supabase_secret_key",
    "supabase_db_url",
    "redis_url",
    "anthropic_base_url",
    "simulated",
    "email",
    "password",
    "embedded",
}


def _require_anthropic_key(settings: Settings) -> None:
    if settings.anthropic_api_key is None:
        message = (
            "SUPABASE_URL is set, but ANTHROPIC_API_KEY is not. Set it to use Claude with the hosted database, or unset "
            "SUPABASE_URL for the stack on this machine with a simulated Claude."
        )
        raise ConfigurationError(message)
