"""The whole product without a browser: `up --detach`, `generate --wait`, `status`, a killed worker, `down`."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from unittest.mock import patch
from uuid import uuid4

import psutil
import psycopg
import pytest

from core.cli.main import main
from core.config import CONNECTION_FILE, child_environment
from tests.factories import make_old_data_set

ROOT = Path(__file__).parents[2]
HOSTED = (
    "SUPABASE_URL",
    "SUPABASE_PUBLISHABLE_KEY",
    "SUPABASE_ANON_KEY",
    "REDIS_URL",
    "BRIGHTRUN_EMAIL",
    "BRIGHTRUN_PASSWORD",
)


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


class CommandLine:
    """Runs `brightrun` in a stack folder of its own."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        environment = child_environment(BRIGHTRUN_HOME=str(home), **settings)
        self.environment = {name: value for name, value in environment.items() if name not in HOSTED}

    def start(self, *words: str) -> Answer:
        """Run a command as a process of its own."""
        command = [sys.executable, "-c", "from core.cli.main import main; main()", *words]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=240, check=False
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def run(self, *words: str) -> Answer:
        """Run a command in this process, which spares a start of seconds."""
        out, err = StringIO(), StringIO()
        arguments = patch.object(sys, "argv", ["brightrun", *words])
        environment = patch.dict(os.environ, self.environment, clear=True)
        with arguments, environment, redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main()
        return Answer(int(ended.value.code or 0), out.getvalue(), err.getvalue())

    def generate(self, *words: str) -> dict[str, object]:
        answer = self.run("generate", *words, "--json")
        assert answer.code == 0, answer.err
        return json.loads(answer.out)

    def query(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        url = json.loads((self.home / CONNECTION_FILE).read_text())["supabase_db_url"]
        with psycopg.connect(url) as connection:
            return connection.execute(statement, parameters).fetchall()  # type: ignore[arg-type]

    def kill_worker(self) -> None:
        """Kill -9 the worker's main process, as an out-of-memory killer would."""
        workers = [
            process
            for process in psutil.process_iter()
            if "worker.py" in " ".join(_read_command(process)) and _read_home(process) == str(self.home)
        ]
        assert workers, "no worker runs"
        oldest = min(workers, key=lambda process: process.create_time())
        os.kill(oldest.pid, signal.SIGKILL)


def _read_command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _read_home(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("BRIGHTRUN_HOME")
    except psutil.Error:
        return None


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    line = CommandLine(
        tmp_path_factory.mktemp("home"),
        BRIGHTRUN_SIM_LATENCY_SECONDS="0.2",
        BRIGHTRUN_SIM_FAULTS="cut_string@shame_to_acceptance=0.5,refusal=0.05,overloaded=0.05",
        BRIGHTRUN_LEASE_SECONDS="10",
    )
    answer = line.start("up", "--detach", "--no-browser")
    assert answer.code == 0, answer.out + answer.err
    yield line
    assert line.start("down").code == 0
    assert "Nothing runs" in line.run("down").out


def test_batch_of_the_whole_core_grid_ends_with_every_item_accounted_for(running: CommandLine) -> None:
    summary = running.generate("--category", "core", "--topics", "6", "--concurrency", "10", "--wait")

    assert ("completed", 90, 90) == (summary["status"], summary["planned"], summary["accepted"] + summary["failed"])  # type: ignore[operator]
    assert summary["failed"] == sum(summary["by_failure_type"].values()) > 0  # type: ignore[attr-defined]
    assert summary["cost_usd"] > 0  # type: ignore[operator]
    batch_id = summary["batch_id"]
    (failures,) = running.query("select count(*) from failed_generations where run_id = %s", batch_id)
    (overlap,) = running.query(
        "select count(*) from conversations c join failed_generations f using (batch_item_id) where c.batch_id = %s",
        batch_id,
    )
    assert (summary["failed"], 0) == (failures[0], overlap[0])
    unread = running.query(
        "select count(*) from generation_attempts where batch_id = %s and stop_reason is null and outcome <> 'retried'",
        batch_id,
    )
    assert unread == [(0,)], "stop_reason is on every attempt that brought a reply"
    assert json.loads(running.run("status", str(batch_id), "--json").out) == summary


def test_ten_edge_conversations_are_sampled_over_the_grid_and_have_the_edge_tier(running: CommandLine) -> None:
    summary = running.generate("--category", "edge", "--limit", "10", "--concurrency", "10", "--wait")

    assert summary["planned"] == 10
    spread = running.query(
        "select count(distinct persona_id), count(distinct emotional_arc_id), count(distinct training_topic_id),"
        " min(tier), max(tier)"
        " from batch_items where batch_id = %s",
        summary["batch_id"],
    )
    assert spread == [(3, 3, 10, "edge_case", "edge_case")]


def test_killed_worker_loses_no_item_and_does_none_twice(running: CommandLine) -> None:
    batch_id = running.generate("--category", "core", "--topics", "4", "--concurrency", "4")["batch_id"]
    deadline = time.monotonic() + 60
    while running.query("select count(*) from conversations where batch_id = %s", batch_id)[0][0] < 5:  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.2)

    running.kill_worker()

    while (summary := json.loads(running.run("status", str(batch_id), "--json").out))["status"] == "processing":
        assert time.monotonic() < deadline + 60, summary
        time.sleep(0.5)
    assert summary["planned"] == 60 == summary["accepted"] + summary["failed"]
    twice = running.query(
        "select batch_item_id from generation_attempts where batch_id = %s and outcome in ('accepted', 'failed')"
        " group by 1 having count(*) > 1",
        batch_id,
    )
    assert twice == []


def test_waiting_for_a_batch_that_pauses_is_no_success(running: CommandLine) -> None:
    answer = running.run("generate", "--category", "core", "--limit", "2", "--model", "no-such-model", "--wait", "--json")

    assert answer.code == 1
    assert json.loads(answer.out)["status"] == "paused"
    assert "Claude does not know the model" in answer.err


def test_pruning_deletes_only_what_is_old_enough(running: CommandLine) -> None:
    before = running.query("select count(*) from failed_generations")

    assert "deleted 0 failed generations" in running.run("prune", "--older-than-days", "1", "--yes").out
    assert running.run("prune", "--older-than-days", "0", "--yes").code == 2
    assert before == running.query("select count(*) from failed_generations")


def test_a_data_set_is_imported_once_and_diagnosed(running: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "old.jsonl"
    file.write_bytes(make_old_data_set() + b"\n{broken\n")

    answer = running.run("import", str(file), "--name", "Old data", "--json")
    again = running.run("import", str(tmp_path))

    found = json.loads(answer.out)
    assert (2, 144, 24, 1) == (answer.code, found["conversations"], found["flagged_conversations"], found["unreadable"])
    assert "old.jsonl, line 145: not JSON" in answer.err
    assert (0, True) == (again.code, f"batch {found['batch_id']}, Old data" in again.out)
    status = json.loads(running.run("status", found["batch_id"], "--json").out)
    assert ("completed", 120, 24, 0.0) == (status["status"], status["accepted"], status["failed"], status["cost_usd"])
    assert (2, True) == ((retried := running.run("retry", found["batch_id"])).code, "was imported" in retried.err)
    exported = tmp_path / "export.jsonl"
    running.run("export", "-o", str(exported), "--batch", found["batch_id"])
    assert "" == exported.read_text()


def test_what_cannot_be_imported_is_said_plainly(running: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    missing, empty = running.run("import", str(tmp_path / "none.json")), running.run("import", str(tmp_path / "empty"))

    assert (2, 2) == (missing.code, empty.code)
    assert "none.json cannot be read: there is no such file. Nothing was imported." in missing.err
    assert "holds no file of .json, .jsonl" in empty.err


def test_wrong_faults_are_said_before_anything_starts(tmp_path: Path) -> None:
    answer = CommandLine(tmp_path / "none", BRIGHTRUN_SIM_FAULTS="nonsense=1").run("up", "--detach")

    assert answer.code == 2
    assert "nonsense" in answer.err
    assert not (tmp_path / "none" / "postgres").exists()


def test_everything_simulated_is_marked(running: CommandLine) -> None:
    assert running.query("select count(*) from conversations where not simulated") == [(0,)]


def test_scaffolding_is_seeded_once_and_the_choice_of_topics_written(running: CommandLine) -> None:
    again = running.run("seed")

    assert "training_topics: 65, 20 active" in again.out
    assert "personas: 3\n" in again.out
    chosen = json.loads((running.home / "selected-topics-20.json").read_text())
    active = running.query("select topic_key from training_topics where is_active")
    assert {topic["topic_key"] for topic in chosen} == {key for (key,) in active}


def test_an_arc_without_a_template_is_left_out_of_all_and_named(running: CommandLine) -> None:
    running.query(
        "insert into emotional_arcs select (jsonb_populate_record(a, %s::jsonb)).* from emotional_arcs a"
        " where arc_key = 'confusion_to_clarity' returning 1",
        json.dumps({"id": str(uuid4()), "arc_key": "bare", "name": "Bare arc"}),
    )
    try:
        everything = running.run("generate", "--category", "core", "--topics", "1", "--limit", "6")
        named = running.run("generate", "--category", "core", "--arcs", "bare", "--topics", "1", "--limit", "1")
    finally:
        running.query("delete from emotional_arcs where arc_key = 'bare' returning 1")

    assert everything.code == 0, everything.err
    assert "Skipped, since you have no template for them: Bare arc." in everything.err
    assert "No active prompt template for: Bare arc" in named.err


def test_migrations_are_recorded_as_the_supabase_cli_does(running: CommandLine) -> None:
    recorded = running.query("select version from supabase_migrations.schema_migrations order by 1")

    assert [path.name.split("_")[0] for path in sorted((ROOT / "migrations").glob("*.sql"))] == [row[0] for row in recorded]
    assert "up to date" in running.run("migrate").out.lower()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--category", "core", "--personas", "nobody"], "Unknown persona: nobody. Known are:"),
        (["--category", "core", "--arcs", "crisis_to_referral"], "Unknown core arc: crisis_to_referral"),
        (["--category", "core", "--topics", "0"], "ask for 1 to that many"),
        (["--category", "core", "--topics", "21"], "there are 20 active topics"),
        (["--category", "core", "--topics", ""], "No topic selected"),
        (["--category", "core", "--limit", "0"], "at least 1"),
        (["--category", "core", "--concurrency", "0"], "--concurrency"),
        (["--category", "middle"], "middle"),
    ],
)
def test_bad_input_says_what_to_do_and_writes_nothing(running: CommandLine, words: list[str], message: str) -> None:
    before = running.query("select count(*) from batches")

    answer = running.run("generate", *words)

    assert answer.code == 2
    assert message in " ".join(answer.err.split())
    assert "Traceback" not in answer.err
    assert before == running.query("select count(*) from batches")


@pytest.mark.parametrize(
    ("batch", "message"), [("5f0c7a52-1d0e-4f0b-9d53-0d2c6a1b7e11", "There is no batch"), ("not-an-id", "is not a batch id")]
)
def test_batch_that_does_not_exist_is_said_plainly(running: CommandLine, batch: str, message: str) -> None:
    answer = running.run("status", batch)

    assert answer.code == 2
    assert message in answer.err


def test_without_a_stack_every_command_says_how_to_start_one(tmp_path: Path) -> None:
    line = CommandLine(tmp_path / "none")

    for words in (["generate", "--category", "core"], ["status", str(uuid4())], ["seed"], ["migrate"]):
        answer = line.run(*words)
        assert answer.code == 2
        assert "Traceback" not in answer.err
        assert "brightrun up" in answer.err or "SUPABASE" in answer.err


def test_database_that_is_down_and_a_wrong_key_are_said_plainly(tmp_path: Path, running: CommandLine) -> None:
    connection = json.loads((running.home / CONNECTION_FILE).read_text())
    common = {
        "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_wrong",
        "REDIS_URL": "redis://127.0.0.1:9",
        "BRIGHTRUN_EMAIL": "a@b.c",
        "BRIGHTRUN_PASSWORD": "x",
    }
    for url, message in (("http://127.0.0.1:9", "does not answer"), (connection["supabase_url"], "key")):
        line = CommandLine(tmp_path / "none")
        line.environment |= common | {"SUPABASE_URL": url}
        answer = line.run("generate", "--category", "core")
        assert answer.code == 2, answer.err
        assert message in answer.err
        assert "Traceback" not in answer.err
