"""Settings, and the only place that reads the environment.

Order of precedence: environment, then `.env`, then what a running one-machine stack wrote into its folder
(`connection.json`), then the defaults. Pages get `PageSettings`, which has no field for the Supabase secret key, so the
Streamlit process cannot hold it.
"""

import json
import os
import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, SettingsConfigDict

from core.domain.batches.batch import MAX_OUTPUT_TOKENS, BatchSettings, Effort
from core.domain.record import Record
from core.domain.setting_rules import (
    check_anthropic_key,
    check_anthropic_url,
    check_database_url,
    check_publishable_key,
    check_redis_url,
    check_secret_key,
    check_supabase_url,
    check_text,
    check_web_hook,
    describe_unknown,
    read_days,
)
from core.errors import ConfigurationError, NotSignedIn

CONNECTION_FILE = "connection.json"
"""Under the stack's folder, mode 0600: settings by field name, written by `brightrun up` and removed by `down`."""
SECRET_VARIABLES = frozenset(
    {
        "SUPABASE_SECRET_KEY",
        "SUPABASE_SERVICE_ROLE_KEY",
        "SUPABASE_DB_URL",
        "ANTHROPIC_API_KEY",
        "BRIGHTRUN_ALERT_WEBHOOK_URL",
        "HF_TOKEN",
    }
)
"""Never given to the pages or the simulator. The supervisor holds some of them, for the worker."""
BYTES_OF_GIGABYTE = 1_000_000_000
PREFIX = "BRIGHTRUN_"
NAMES_OF_OTHERS = frozenset(
    {"BRIGHTRUN_REQUIRE_BROWSER", "BRIGHTRUN_REQUIRE_POSTGRES15", "BRIGHTRUN_LAUNCH_PYTHON", "BRIGHTRUN_LAUNCH_FILE"}
)
"""What browser tests and the supervisor read."""
LONGEST_SECONDS = 86_400.0


def check_inside(check: Callable[[str], str]) -> AfterValidator:
    """Return a check of what is inside a secret."""

    def look(secret: SecretStr) -> SecretStr:
        return SecretStr(check(secret.get_secret_value()))

    return AfterValidator(look)


class PageSettings(BaseSettings):
    """What the Streamlit process may know."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,  # It may be a secret.
        allow_inf_nan=False,
    )

    home: Path = Field(default=Path(".brightrun"), description="Folder of the one-machine stack: data, logs, keys")
    embedded: bool = Field(default=False, description="Set by `brightrun up`: the stack on this machine, local analyst")
    supabase_url: Annotated[str, AfterValidator(check_supabase_url)] | None = Field(
        default=None, validation_alias=AliasChoices("SUPABASE_URL", "supabase_url"), description="Supabase project URL"
    )
    supabase_publishable_key: Annotated[SecretStr, check_inside(check_publishable_key)] | None = Field(
        default=None,
        validation_alias=AliasChoices("SUPABASE_PUBLISHABLE_KEY", "SUPABASE_ANON_KEY", "supabase_publishable_key"),
        description="Supabase publishable (anon) key",
    )
    redis_url: Annotated[str, AfterValidator(check_redis_url)] | None = Field(
        default=None, validation_alias=AliasChoices("REDIS_URL", "redis_url"), description="Redis or Valkey URL"
    )
    email: Annotated[str, AfterValidator(check_text)] | None = Field(
        default=None, description="Analyst who runs `brightrun generate` and `status`"
    )
    password: SecretStr | None = Field(default=None, description="That analyst's password")
    model: Annotated[str, AfterValidator(check_text)] = Field(
        default="claude-sonnet-5-5", max_length=100, description="Model of a new batch"
    )
    max_tokens: int = Field(default=24_576, ge=1, le=MAX_OUTPUT_TOKENS, description="Max output tokens of a new batch")
    effort: Effort | None = Field(default=None, description="low, medium, high, xhigh or max; empty: the model's default")
    structured_outputs: bool = Field(default=True, description="Ask for the conversation's JSON schema")
    concurrency: int = Field(default=3, ge=1, le=200, description="Calls in flight of a new batch")
    simulated: bool = Field(default=False, description="Set by `brightrun up`: Claude is simulated, mark what it writes")
    storage_limit_gb: float = Field(
        default=1.0, gt=0, le=1_000_000, description="Storage of the Supabase project; an alert comes before it"
    )
    queue_name: str = Field(default="brightrun", pattern=r"^[A-Za-z0-9_-]+$", description="Name of the RQ queue")

    @model_validator(mode="before")
    @classmethod
    def ignore_empty(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Read an empty variable as unset, except `sim_faults`, where empty means no faults."""
        return {name: value for name, value in values.items() if value != "" or name == "sim_faults"}

    @property
    def batch_defaults(self) -> BatchSettings:
        """The settings of a new batch."""
        names = BatchSettings.model_fields.keys() & PageSettings.model_fields.keys()
        return BatchSettings.model_validate({name: getattr(self, name) for name in names})

    @property
    def storage_limit_bytes(self) -> int:
        """The storage of the project in bytes."""
        return round(self.storage_limit_gb * BYTES_OF_GIGABYTE)

    @property
    def is_hosted(self) -> bool:
        """True where a hosted Supabase project is configured, false for the stack on this machine."""
        return self.supabase_url is not None and not self.embedded

    def require_supabase(self) -> tuple[str, str]:
        """Return URL and publishable key; raise ConfigurationError if either is missing."""
        if self.supabase_url is None or self.supabase_publishable_key is None:
            message = (
                "No database is configured. Start the stack on this machine with `make run` (or `brightrun up`), or set "
                "SUPABASE_URL and SUPABASE_PUBLISHABLE_KEY (README, Settings)."
            )
            raise ConfigurationError(message)
        return self.supabase_url, self.supabase_publishable_key.get_secret_value()

    def require_redis(self) -> str:
        """Return the Redis URL; raise ConfigurationError if it is missing."""
        if self.redis_url is None:
            raise ConfigurationError("No queue is configured. Start the stack with `make run`, or set REDIS_URL.")
        return self.redis_url

    def require_account(self) -> tuple[str, str]:
        """Return e-mail address and password of the configured analyst; raise NotSignedIn if either is missing."""
        if self.email is None or self.password is None:
            raise NotSignedIn("Set BRIGHTRUN_EMAIL and BRIGHTRUN_PASSWORD to act as an analyst (README, Settings).")
        return self.email, self.password.get_secret_value()


class Settings(PageSettings):
    """Everything, for the worker, the command line and the one-machine stack."""

    supabase_secret_key: Annotated[SecretStr, check_inside(check_secret_key)] | None = Field(
        default=None,
        validation_alias=AliasChoices("SUPABASE_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY", "supabase_secret_key"),
        description="Supabase secret (service role) key: worker and command line only, never the pages",
    )
    supabase_db_url: Annotated[SecretStr, check_inside(check_database_url)] | None = Field(
        default=None,
        validation_alias=AliasChoices("SUPABASE_DB_URL", "supabase_db_url"),
        description="PostgreSQL URL for `brightrun migrate` and `seed`",
    )
    anthropic_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("ANTHROPIC_API_KEY", "anthropic_api_key"),
        description="Anthropic key; empty: the simulated Claude of the one-machine stack",
    )
    anthropic_base_url: Annotated[str, AfterValidator(check_anthropic_url)] | None = Field(
        default=None,
        validation_alias=AliasChoices("ANTHROPIC_BASE_URL", "anthropic_base_url"),
        description="Another address for Claude, such as a proxy",
    )
    hub_token: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("HF_TOKEN", "hub_token"),
        description="Token of the Hugging Face Hub for `brightrun dataset push`",
    )
    alert_webhook_url: Annotated[SecretStr, check_inside(check_web_hook)] | None = Field(
        default=None, description="Address that alerts are posted to as JSON; anybody who knows it can post there: a secret"
    )
    request_timeout_seconds: float = Field(
        default=180.0, gt=0, le=LONGEST_SECONDS, description="Longest wait for one reply of Claude"
    )
    max_attempts: int = Field(default=5, ge=1, le=20, description="Calls for one item before it fails for good")
    max_retry_seconds: float = Field(
        default=900.0,
        gt=0,
        le=LONGEST_SECONDS,
        description="How long calls and waits for one item may take before it fails for good",
    )
    lease_seconds: float = Field(
        default=30.0, ge=5, le=LONGEST_SECONDS, description="How long a silent worker keeps its items"
    )
    keep_replies_days: Annotated[int | None, BeforeValidator(read_days)] = Field(
        default=30,
        ge=0,
        le=36_500,
        description="Days that the body of an accepted reply is kept beside its conversation; 0: about an hour; or forever",
    )
    worker_count: int = Field(default=1, ge=1, le=16, description="Workers that `brightrun up` starts")
    port: int | None = Field(
        default=None, ge=1, le=65_535, description="Port of the pages; empty: 8501 or the next free one"
    )
    chromium: Path | None = Field(default=None, description="Chromium for browser tests and measurements; empty: the PATH's")
    sim_faults: str = Field(
        default="cut_string@shame_to_acceptance=0.25,max_tokens=0.03,overloaded=0.02,refusal=0.01",
        description="Faults of the simulated Claude: kind[@scope]=rate, comma separated; empty string: none",
    )
    sim_seed: int = Field(default=0, description="Seed of the simulated Claude")
    sim_latency_seconds: float = Field(default=1.0, ge=0, le=LONGEST_SECONDS, description="Mean time of a simulated reply")
    sim_latency_spread: float = Field(
        default=0.35, ge=0, le=2, description="Spread of the logarithm of that time; 0: every reply takes the mean"
    )

    sim_output_tokens_per_minute: int = Field(
        default=60_000_000, ge=1, description="Rate limit of the simulated Claude; output tokens beyond it are refused"
    )

    @model_validator(mode="after")
    def check_anthropic_key(self) -> Self:
        """Accept an Anthropic key, or any key where a proxy is configured."""
        if self.anthropic_api_key is not None:
            try:
                key = self.anthropic_api_key.get_secret_value()
                check_anthropic_key(key, at_anthropic=self.anthropic_base_url is None)
            except ValueError as error:
                raise ValueError(f"ANTHROPIC_API_KEY {error}") from None
        return self

    def require_secret_key(self) -> str:
        """Return the Supabase secret key; raise ConfigurationError if it is missing."""
        if self.supabase_secret_key is None:
            raise ConfigurationError("Set SUPABASE_SECRET_KEY for the worker (README, Settings).")
        return self.supabase_secret_key.get_secret_value()

    def require_db_url(self) -> str:
        """Return the PostgreSQL URL; raise ConfigurationError if it is missing."""
        if self.supabase_db_url is None:
            message = (
                "No database is configured. Start the stack on this machine with `brightrun up`, or set SUPABASE_DB_URL to "
                "the PostgreSQL URL of the project (README, Settings)."
            )
            raise ConfigurationError(message)
        return self.supabase_db_url.get_secret_value()


AnySettings = TypeVar("AnySettings", bound=PageSettings)


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - fields of Settings, checked by it
    """Read all settings; raise ConfigurationError that names each wrong one."""
    return _load(Settings, overrides)


def load_page_settings(**overrides: Any) -> PageSettings:  # noqa: ANN401 - fields of PageSettings, checked by it
    """Read what the pages may know; raise ConfigurationError that names each wrong one."""
    return _load(PageSettings, overrides)


class SettingSource(StrEnum):
    """Where a setting comes from."""

    ENVIRONMENT = "environment"
    ENV_FILE = ".env"
    STACK = "running stack"  #: what `brightrun up` left in its folder
    DEFAULT = "default"


class SettingInForce(Record):
    """One setting as it is now; a secret only says whether it is set."""

    name: str
    value: str
    source: SettingSource


def describe_settings(settings: PageSettings) -> tuple[SettingInForce, ...]:
    """Return the settings of the pages without any secret, in the order of the class."""
    in_environment, in_file = _list_names()
    described: list[SettingInForce] = []
    for field, info in PageSettings.model_fields.items():
        names = _name_variables(field, info.validation_alias)
        if in_environment.intersection(names):
            source = SettingSource.ENVIRONMENT
        elif in_file.intersection(names):
            source = SettingSource.ENV_FILE
        else:
            source = SettingSource.STACK if field in settings.model_fields_set else SettingSource.DEFAULT
        described.append(SettingInForce(name=names[0], value=_show(getattr(settings, field)), source=source))
    return tuple(described)


def _name_variables(field: str, alias: object) -> list[str]:
    choices = alias.choices if isinstance(alias, AliasChoices) else [f"BRIGHTRUN_{field.upper()}"]
    return [str(choice) for choice in choices if str(choice).isupper()]


def _show(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, SecretStr):
        return "set, not shown"
    # An address may hold a password.
    return re.sub(r"//[^/@]*@", "//…@", str(value))


def child_environment(**changes: str) -> dict[str, str]:
    """Return this process's environment for a child process, without secrets, with `changes` applied."""
    kept = {name: value for name, value in os.environ.items() if name not in SECRET_VARIABLES}  # noqa: TID251 - here it is read
    return kept | changes


def _load(kind: type[AnySettings], overrides: dict[str, Any]) -> AnySettings:
    problems = _find_unknown()
    try:
        settings = kind(**overrides)
        if settings.supabase_url is None:
            left_by_stack = _read_connection_file(settings.home / CONNECTION_FILE)
            known = {name: value for name, value in left_by_stack.items() if name in kind.model_fields}
            settings = kind(**(known | {name: getattr(settings, name) for name in settings.model_fields_set}))
    except ValidationError as error:
        problems = [
            *(_word_problem(kind, each["loc"], each["msg"]) for each in error.errors(include_input=False)),
            *problems,
        ]
    else:
        if not problems:
            return settings
    # No cause: pydantic's message may show the value.
    raise ConfigurationError(f"Settings are wrong: {'; '.join(problems)}. See README, Settings.") from None


def _word_problem(kind: type[PageSettings], place: tuple[int | str, ...], message: str) -> str:
    """Return what is wrong with a setting, by the name of its variable, without its value."""
    said = message.removeprefix("Value error, ")
    if not place:
        return said
    field = next(
        (name for name, info in kind.model_fields.items() if place[0] in _list_keys(name, info.validation_alias)), ""
    )
    name = _name_variables(field, kind.model_fields[field].validation_alias)[0] if field else str(place[0])
    if said != message:
        return f"{name} {said}"
    return f"{name}: {said.replace('Input', field.replace('_', ' '), 1)}"


def _list_keys(field: str, alias: object) -> set[str]:
    return {field, field.lower(), *_name_variables(field, alias), *(name.lower() for name in _name_variables(field, alias))}


def _find_unknown() -> list[str]:
    """Name unknown variables with our prefix: a misspelled one would be ignored silently."""
    known = {
        name for field, info in Settings.model_fields.items() for name in _name_variables(field, info.validation_alias)
    } | NAMES_OF_OTHERS
    ours = {name for names in _list_names() for name in names if name.startswith(PREFIX)}
    return [describe_unknown(name, known) for name in sorted(ours - known)]


def _list_names() -> tuple[set[str], set[str]]:
    """Return the names of what is set in the environment and in `.env`."""
    in_environment = {key.upper() for key, value in os.environ.items() if value}  # noqa: TID251 - here it is read
    return in_environment, {key.upper() for key, value in DotEnvSettingsSource(PageSettings).env_vars.items() if value}


def _read_connection_file(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read ({error}). Run `brightrun down`, then `brightrun up`."
        raise ConfigurationError(message) from error
