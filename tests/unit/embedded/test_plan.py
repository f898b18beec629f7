from pathlib import Path

import pytest
from pydantic import SecretStr

from core.config import CONNECTION_FILE, Settings
from core.embedded.application import pages_program, simulator_program, worker_programs
from core.embedded.plan import APPLICATION, Part, plan_stack
from core.errors import ConfigurationError

HOSTED = {
    "supabase_url": "https://project.example",
    "supabase_publishable_key": "sb_publishable_1",
    "supabase_secret_key": "sb_secret_1",
    "supabase_db_url": "postgresql://user:not-to-be-seen@db.example/postgres",
    "redis_url": "redis://queue.example",
    "anthropic_api_key": "sk-ant-1",
}


def settings(**values: object) -> Settings:
    empty = dict.fromkeys([*HOSTED, "anthropic_base_url", "email", "password"])
    return Settings(_env_file=None, **(empty | values))  # pyright: ignore[reportArgumentType, reportCallIssue]


def test_simulated_claude_only_without_a_key() -> None:
    assert plan_stack(settings()).parts == frozenset(Part)
    assert Part.SIMULATOR not in plan_stack(settings(anthropic_api_key="sk-ant-1")).parts


def test_hosted_settings_start_worker_and_pages_alone() -> None:
    plan = plan_stack(settings(**HOSTED))
    assert plan.parts == APPLICATION
    assert not plan.embedded


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("anthropic_api_key", "ANTHROPIC_API_KEY"),
        ("redis_url", "REDIS_URL"),
        ("supabase_secret_key", "SUPABASE_SECRET_KEY"),
        ("supabase_publishable_key", "SUPABASE_PUBLISHABLE_KEY"),
        ("supabase_url", "SUPABASE_URL"),
    ],
)
def test_incomplete_hosted_settings_name_what_is_missing(missing: str, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        plan_stack(settings(**(HOSTED | {missing: None})))


def test_pages_get_no_secret_and_no_local_account_when_hosted() -> None:
    hosted = settings(**HOSTED, email="a@example.org", password=SecretStr("not-to-be-seen"))
    program = pages_program(Path("root"), 8501, hosted)
    secret_names = {"SUPABASE_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_DB_URL", "ANTHROPIC_API_KEY"}
    given = " ".join([*program.environment.values(), *program.argv])
    assert not [value for value in ("sb_secret_1", "postgresql://", "sk-ant-1", "not-to-be-seen") if value in given]
    assert program.removed_variables >= secret_names
    assert "BRIGHTRUN_PASSWORD" in program.removed_variables


def test_pages_are_served_once_the_stack_on_this_machine_has_its_database(tmp_path: Path) -> None:
    local = settings(**HOSTED, embedded=True, home=tmp_path)
    argv = pages_program(Path("root"), 8501, local).argv
    assert argv[argv.index("--after") + 1] == str(tmp_path / CONNECTION_FILE)
    assert "--after" not in pages_program(Path("root"), 8501, settings(**HOSTED)).argv


def test_keys_of_the_user_are_not_written_for_the_worker() -> None:
    (worker,) = worker_programs(Path("root"), settings(**HOSTED))
    assert not {"sb_secret_1", "sk-ant-1"} & set(worker.environment.values())
    assert "ANTHROPIC_API_KEY" not in worker.removed_variables


def test_no_faults_reaches_the_simulator_as_an_empty_argument() -> None:
    argv = simulator_program(Path("root"), 1, settings(sim_faults="")).argv
    assert argv[argv.index("--faults") + 1] == ""
