import json
from pathlib import Path

import pytest

from core.config import CONNECTION_FILE, PageSettings, Settings, load_page_settings, load_settings
from core.errors import ConfigurationError


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("SUPABASE_URL", "SUPABASE_SECRET_KEY", "SUPABASE_PUBLISHABLE_KEY", "REDIS_URL", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BRIGHTRUN_HOME", str(tmp_path / "home"))


def write_connection(tmp_path: Path, **values: str) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / CONNECTION_FILE).write_text(json.dumps(values))


def test_defaults_are_the_documents_figures() -> None:
    settings = load_settings()

    assert (24_576, 3, True) == (settings.max_tokens, settings.concurrency, settings.structured_outputs)


def test_page_settings_have_no_field_for_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_SECRET_KEY", "sb_secret_x")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-x")

    assert "sb_secret_x" not in repr(load_page_settings().model_dump())
    assert {"supabase_secret_key", "supabase_db_url", "anthropic_api_key"}.isdisjoint(PageSettings.model_fields)


def test_running_stack_fills_what_the_environment_does_not_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_connection(tmp_path, supabase_url="http://127.0.0.1:1", redis_url="redis://stack")
    monkeypatch.setenv("REDIS_URL", "redis://mine")

    settings = load_settings()

    assert ("http://127.0.0.1:1", "redis://mine") == (settings.supabase_url, settings.redis_url)


def test_hosted_project_ignores_what_a_stack_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_connection(tmp_path, supabase_url="http://127.0.0.1:1", redis_url="redis://stack")
    monkeypatch.setenv("SUPABASE_URL", "https://project.example")

    settings = load_settings()

    assert ("https://project.example", None) == (settings.supabase_url, settings.redis_url)


def test_empty_variable_is_unset_but_empty_faults_are_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_URL", "")
    monkeypatch.setenv("BRIGHTRUN_SIM_FAULTS", "")

    settings = load_settings()

    assert (None, "") == (settings.supabase_url, settings.sim_faults)


def test_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIGHTRUN_CONCURRENCY", "0")

    with pytest.raises(ConfigurationError, match="concurrency"):
        load_settings()


def test_missing_setting_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="make run"):
        load_settings().require_supabase()


def test_secrets_do_not_show_in_a_settings_repr() -> None:
    settings = Settings(supabase_secret_key="sb_secret_x", anthropic_api_key="sk-x")  # type: ignore[arg-type]

    assert "sb_secret_x" not in repr(settings)
    assert "sk-x" not in repr(settings)
