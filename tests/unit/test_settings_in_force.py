"""The settings that the System page shows: names and sources, no secret."""

from pathlib import Path

import pytest

from core.config import SettingSource, describe_settings, load_page_settings


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in (
        "SUPABASE_URL",
        "SUPABASE_PUBLISHABLE_KEY",
        "REDIS_URL",
        "BRIGHTRUN_MODEL",
        "BRIGHTRUN_PASSWORD",
        "BRIGHTRUN_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_setting_says_where_it_comes_from_and_secrets_are_not_shown(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bare / ".env").write_text("BRIGHTRUN_MODEL=claude-opus-5\nBRIGHTRUN_PASSWORD=very-secret\n")
    (bare / ".brightrun").mkdir()
    (bare / ".brightrun" / "connection.json").write_text('{"supabase_url": "http://127.0.0.1:1", "embedded": true}')
    monkeypatch.setenv("REDIS_URL", "redis://:hidden@127.0.0.1:1/0")

    described = {setting.name: setting for setting in describe_settings(load_page_settings())}

    assert (described["BRIGHTRUN_MODEL"].value, described["BRIGHTRUN_MODEL"].source) == (
        "claude-opus-5",
        SettingSource.ENV_FILE,
    )
    assert described["REDIS_URL"].source is SettingSource.ENVIRONMENT
    assert described["REDIS_URL"].value == "redis://…@127.0.0.1:1/0"
    assert described["BRIGHTRUN_PASSWORD"].value == "set, not shown"
    assert described["SUPABASE_URL"].source is SettingSource.STACK
    assert described["BRIGHTRUN_CONCURRENCY"].source is SettingSource.DEFAULT
    shown = str(described)
    assert "very-secret" not in shown
    assert "hidden" not in shown
