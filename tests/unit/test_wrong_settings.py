"""Wrong settings are named when a process starts, by the name of their variable and never with the value of a secret."""

import base64
import json
import sys
from pathlib import Path

import pytest

import worker
from core.cli.main import main
from core.config import Settings, load_page_settings, load_settings
from core.errors import ConfigurationError

PREFIXES = ("SUPABASE_", "REDIS_", "ANTHROPIC_", "BRIGHTRUN_")


def make_token(role: str) -> str:
    parts = ({"alg": "HS256"}, {"iss": "supabase", "role": role})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + ".c2ln"


SECRET, OLD_SECRET = "sb_secret_T0PS3CRET", make_token("service_role")
HOSTED = {
    "SUPABASE_URL": "https://abcdefgh.supabase.co",
    "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_1",
    "SUPABASE_SECRET_KEY": "sb_secret_1",
    "SUPABASE_DB_URL": "postgresql://postgres.abc:word@aws-0.pooler.supabase.com:6543/postgres",
    "REDIS_URL": "rediss://default:word@eu1.upstash.io:6379",
    "ANTHROPIC_API_KEY": "sk-ant-api03-1",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    import os  # noqa: PLC0415 - to take away whatever is set

    for name in [name for name in os.environ if name.startswith(PREFIXES)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    for name, value in HOSTED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_right_settings_are_taken() -> None:
    assert load_settings().is_hosted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SUPABASE_URL", "http://127.0.0.1:54321"),
        ("SUPABASE_URL", "http://localhost:54321/"),
        ("SUPABASE_URL", "http://kong:8000"),
        ("SUPABASE_URL", "http://[::1]:54321"),
        ("SUPABASE_URL", "https://data.example.org/supabase"),
        ("SUPABASE_PUBLISHABLE_KEY", make_token("anon")),
        ("SUPABASE_SECRET_KEY", OLD_SECRET),
        ("REDIS_URL", "redis://127.0.0.1:6379/0"),
        ("REDIS_URL", "unix:///run/redis.sock"),
        ("REDIS_URL", "redis://:p%40ss@[::1]:6379"),
        ("ANTHROPIC_BASE_URL", "https://proxy.example.org/anthropic"),
        ("ANTHROPIC_BASE_URL", "http://litellm:4000/"),
        ("BRIGHTRUN_REQUIRE_BROWSER", "1"),
        ("brightrun_concurrency", "7"),
    ],
)
def test_other_right_values_are_taken(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)

    load_settings()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SUPABASE_URL", "abcdefgh", "no address"),
        ("SUPABASE_URL", "abcdefgh.supabase.co", "no address"),
        ("SUPABASE_URL", "https://", "no host"),
        ("SUPABASE_URL", "https://supabase.com/dashboard/project/abcdefgh", "dashboard"),
        ("SUPABASE_URL", "postgresql://postgres:w0rd@db.abcdefgh.supabase.co:5432/postgres", "SUPABASE_DB_URL"),
        ("SUPABASE_URL", "https://abcdefgh.supabase.co/rest/v1/", "path"),
        ("SUPABASE_URL", "https://abcdefgh.supabase.co/auth/v1", "path"),
        ("SUPABASE_URL", "http://abcdefgh.supabase.co", "https://"),
        ("SUPABASE_URL", "http://203.0.114.9:8000", "https://"),
        ("SUPABASE_URL", "https://abcdefgh.supabase.co ", "space"),
        ("SUPABASE_URL", '"https://abcdefgh.supabase.co"', "quotation mark"),
        ("SUPABASE_URL", "https://abcdefgh.supabase.co\n", "space"),
        ("SUPABASE_URL", "https://user:w0rd@abcdefgh.supabase.co", "password"),
        ("SUPABASE_URL", "https://abcdefgh.supabase.co:99999", "no address"),
        ("SUPABASE_URL", "https://YOUR-PROJECT.supabase.co", "placeholder"),
        ("SUPABASE_URL", "ftp://abcdefgh.supabase.co", "https://"),
        ("SUPABASE_URL", "https://abc defgh.supabase.co", "no address"),
        ("SUPABASE_PUBLISHABLE_KEY", SECRET, "secret key"),
        ("SUPABASE_PUBLISHABLE_KEY", OLD_SECRET, "secret key"),
        ("SUPABASE_PUBLISHABLE_KEY", make_token("authenticated"), "signed in"),
        ("SUPABASE_PUBLISHABLE_KEY", "sbp_0123456789", "access token"),
        ("SUPABASE_PUBLISHABLE_KEY", "sk-ant-api03-1", "Anthropic"),
        ("SUPABASE_PUBLISHABLE_KEY", "sb_publishable_1 ", "space"),
        ("SUPABASE_SECRET_KEY", "sb_publishable_1", "publishable"),
        ("SUPABASE_SECRET_KEY", make_token("anon"), "publishable"),
        ("SUPABASE_SECRET_KEY", f"'{SECRET}'", "quotation mark"),
        ("SUPABASE_SECRET_KEY", "https://abcdefgh.supabase.co", "an address"),
        ("SUPABASE_DB_URL", "https://abcdefgh.supabase.co", "postgresql://"),
        ("SUPABASE_DB_URL", "postgresql://postgres:[YOUR-PASSWORD]@db.abcdefgh.supabase.co:5432/postgres", "placeholder"),
        ("SUPABASE_DB_URL", "postgresql://postgres:w0rd#/x@db.abcdefgh.supabase.co:5432/postgres", "%23"),
        ("REDIS_URL", "https://eu1.upstash.io", "REST"),
        ("REDIS_URL", "postgres://db.example/x", "scheme"),
        ("REDIS_URL", "redis://", "no host"),
        ("REDIS_URL", "rediss://:w0rd@:6379", "no host"),
        ("REDIS_URL", "eu1.upstash.io:6379", "no address"),
        ("REDIS_URL", "redis://host:port", "no address"),
        ("REDIS_URL", "redis://host:6379/first", "number of a database"),
        ("REDIS_URL", " redis://host:6379", "space"),
        ("ANTHROPIC_API_KEY", "sk-ant-api03-1\n", "space"),
        ("ANTHROPIC_API_KEY", '"sk-ant-api03-1"', "quotation mark"),
        ("ANTHROPIC_API_KEY", "sk-ant-admin01-1", "admin"),
        ("ANTHROPIC_API_KEY", "sk-ant-oat01-1", "subscription"),
        ("ANTHROPIC_API_KEY", "sk-proj-1", "another provider"),
        ("ANTHROPIC_API_KEY", SECRET, "secret key of Supabase"),
        ("ANTHROPIC_BASE_URL", "https://api.anthropic.com/v1", "/v1"),
        ("ANTHROPIC_BASE_URL", "https://proxy.example/v1/messages", "/v1"),
        ("ANTHROPIC_BASE_URL", "proxy.example", "no address"),
        ("ANTHROPIC_BASE_URL", "http://proxy.example", "https://"),
        ("BRIGHTRUN_CONCURRENCY", "0", "greater than or equal to 1"),
        ("BRIGHTRUN_CONCURRENCY", "many", "valid integer"),
        ("BRIGHTRUN_PORT", "0", "greater than or equal to 1"),
        ("BRIGHTRUN_PORT", "65536", "less than or equal to 65535"),
        ("BRIGHTRUN_REQUEST_TIMEOUT_SECONDS", "-1", "greater than 0"),
        ("BRIGHTRUN_REQUEST_TIMEOUT_SECONDS", "nan", "finite number"),
        ("BRIGHTRUN_MAX_RETRY_SECONDS", "inf", "finite number"),
        ("BRIGHTRUN_LEASE_SECONDS", "1e300", "less than or equal to"),
        ("BRIGHTRUN_STORAGE_LIMIT_GB", "NaN", "finite number"),
        ("BRIGHTRUN_KEEP_REPLIES_DAYS", "-1", "whole number of days, or forever"),
        ("BRIGHTRUN_KEEP_REPLIES_DAYS", "never", "whole number of days, or forever"),
        ("BRIGHTRUN_KEEP_REPLIES_DAYS", "40000", "less than or equal to 36500"),
        ("BRIGHTRUN_MODEL", " claude-sonnet-5-5", "space"),
        ("BRIGHTRUN_MODEL", "m" * 101, "100 characters"),
        ("BRIGHTRUN_CONCURENCY", "3", "BRIGHTRUN_CONCURRENCY meant"),
        ("BRIGHTRUN_ANTHROPIC_KEY", "sk-ant-api03-1", "no setting"),
    ],
)
def test_a_wrong_setting_is_named_without_its_value(
    environment: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    environment.setenv(name, value)

    with pytest.raises(ConfigurationError) as caught:
        load_settings()

    message = str(caught.value)
    assert f"{name}" in message
    assert said in message
    assert value.endswith("://") or value.strip(" \n\"'") not in message
    assert not any(secret in message for secret in ("T0PS3CRET", "w0rd", OLD_SECRET))
    assert caught.value.__cause__ is None  # Nor is the value in what a log shows with the error.


def test_every_wrong_setting_is_named_at_once(environment: pytest.MonkeyPatch) -> None:
    for name, value in (("REDIS_URL", "redis://"), ("BRIGHTRUN_PORT", "0"), ("BRIGHTRUN_EMIAL", "a@b.example")):
        environment.setenv(name, value)

    with pytest.raises(ConfigurationError, match=r"REDIS_URL .*BRIGHTRUN_PORT.*BRIGHTRUN_EMIAL"):
        load_settings()


def test_a_misspelled_name_in_the_env_file_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BRIGHTRUN_MAX_TOKEN=1000\nOTHER=1\n")

    with pytest.raises(ConfigurationError, match="BRIGHTRUN_MAX_TOKENS meant"):
        load_page_settings()


def test_another_providers_key_is_taken_at_a_proxy(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ANTHROPIC_API_KEY", "sk-or-1")
    environment.setenv("ANTHROPIC_BASE_URL", "https://openrouter.example/api")

    assert load_settings().anthropic_base_url == "https://openrouter.example/api"


def test_a_slash_at_the_end_of_an_address_is_taken_away(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SUPABASE_URL", HOSTED["SUPABASE_URL"] + "/")

    assert load_settings().supabase_url == HOSTED["SUPABASE_URL"]


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_the_pages_do_not_start_with_the_secret_key(environment: pytest.MonkeyPatch, secret: str) -> None:
    environment.setenv("SUPABASE_PUBLISHABLE_KEY", secret)

    with pytest.raises(ConfigurationError, match="SUPABASE_PUBLISHABLE_KEY holds the secret key") as caught:
        load_page_settings()

    assert secret not in repr(caught.value)


def test_the_worker_names_a_wrong_setting_and_ends(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("SUPABASE_PUBLISHABLE_KEY", SECRET)

    assert worker.main() == 2

    said = capsys.readouterr().err
    assert "SUPABASE_PUBLISHABLE_KEY holds the secret key" in said
    assert SECRET not in said


@pytest.mark.parametrize("command", ["doctor", "up", "status", "migrate", "export"])
def test_every_command_names_a_wrong_setting_and_ends(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    environment.setenv("REDIS_URL", "https://eu1.upstash.io")
    arguments = {"status": ["00000000-0000-0000-0000-000000000000"], "export": ["-o", "out.jsonl"]}
    environment.setattr(sys, "argv", ["brightrun", command, *arguments.get(command, [])])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 2
    assert "REDIS_URL is a web address" in capsys.readouterr().err


def test_every_number_of_the_settings_has_its_limits() -> None:
    """What a text would be refused for as a number is refused as an endless one, too."""
    for field, info in Settings.model_fields.items():
        if info.annotation is float:
            with pytest.raises(ConfigurationError):
                load_settings(**{field: float("inf")})
            with pytest.raises(ConfigurationError):
                load_settings(**{field: float("nan")})


@pytest.mark.parametrize(("given", "days"), [("", 30), ("0", 0), ("7", 7), ("forever", None), ("Forever", None)])
def test_replies_are_kept_for_days_or_for_ever(environment: pytest.MonkeyPatch, given: str, days: int | None) -> None:
    environment.setenv("BRIGHTRUN_KEEP_REPLIES_DAYS", given)

    assert days == load_settings().keep_replies_days
