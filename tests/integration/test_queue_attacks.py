"""Whoever knows REDIS_URL writes into the queue: a real worker runs nothing of it, tells of it, and goes on working."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from redis import Redis
from rq import Callback, Queue
from rq.command import send_shutdown_command
from rq.job import Job, JobStatus
from rq.repeat import Repeat
from rq.serializers import JSONSerializer, PickleSerializer
from rq.suspension import suspend
from rq.webhook import Webhook

from core.adapters.queue.redis_connection import connect_redis
from core.adapters.queue.redis_notices import RedisNotices
from core.adapters.queue.rq_health import RqProbe
from core.adapters.queue.rq_job_queue import RqJobQueue
from core.adapters.queue.rq_token_counter import RqTokenCounter
from core.adapters.supabase.alerts import SupabaseAlertStore
from core.adapters.supabase.pages import SupabaseBatchStore
from core.config import Settings, child_environment
from core.domain.batches.batch import BatchStatus
from core.domain.batches.estimate import estimate_batch
from core.domain.batches.work import ChatRequest
from core.domain.diagnosis.alerts import AlertRule
from core.domain.scaffolding.prompt import Prompt
from tests.factories import make_selection, make_settings
from tests.support.simulator import running_simulator
from tests.support.stack import sign_up

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 180
UNKNOWN_BATCH = "00000000-0000-4000-8000-000000000000"


@dataclass(kw_only=True)
class RunningWorker:
    """A worker process on a queue of its own, with the simulated Claude."""

    process: "subprocess.Popen[bytes]"
    redis: Redis
    queue_name: str
    log_file: Path
    jobs_of_others: frozenset[bytes]
    """What tests before this file left in other queues of the same Valkey."""

    @property
    def queue(self) -> Queue:
        return Queue(self.queue_name, connection=self.redis, serializer=JSONSerializer)

    @property
    def notices(self) -> RedisNotices:
        return RedisNotices(redis=self.redis, queue_name=self.queue_name)

    def list_jobs(self) -> list[bytes]:
        return [key for key in self.redis.scan_iter("rq:job:*") if key not in self.jobs_of_others]

    def count_refused(self) -> int:
        refused = self.notices.read().refused
        return 0 if refused is None else refused.count

    def wait_for_refusals(self, count: int) -> None:
        wait_until(lambda: self.count_refused() >= count, self)
        wait_until(lambda: self.queue.is_empty() and not self.redis.llen(self.queue.intermediate_queue_key), self)


def wait_until(is_so: Callable[[], bool], worker: RunningWorker) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert worker.process.poll() is None, f"the worker ended:\n{worker.log_file.read_text()}"
        assert time.monotonic() < deadline, f"it did not come:\n{worker.log_file.read_text()}"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def worker(seeded: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    folder, queue_name = tmp_path_factory.mktemp("worker"), f"attacked-{uuid4().hex[:8]}"
    url, publishable_key = seeded.require_supabase()
    redis = connect_redis(seeded.require_redis(), retries=1)
    with psycopg.connect(seeded.require_db_url()) as connection:  # What tests before this file left would keep it busy.
        connection.execute("delete from public.batches where status in ('queued', 'processing')")
    jobs_of_others = frozenset(redis.scan_iter("rq:job:*"))
    with running_simulator("") as claude, (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "worker.py"],
            cwd=ROOT,
            env=child_environment(
                SUPABASE_URL=url,
                SUPABASE_PUBLISHABLE_KEY=publishable_key,
                SUPABASE_SECRET_KEY=seeded.require_secret_key(),
                REDIS_URL=seeded.require_redis(),
                ANTHROPIC_BASE_URL=claude,
                BRIGHTRUN_SIMULATED="true",
                BRIGHTRUN_QUEUE_NAME=queue_name,
                BRIGHTRUN_HOME=str(folder),
                PYTHONUNBUFFERED="1",
            ),
            stdout=log,
            stderr=log,
        )
        running = RunningWorker(
            process=process,
            redis=redis,
            queue_name=queue_name,
            log_file=folder / "worker.log",
            jobs_of_others=jobs_of_others,
        )
        try:
            wait_until(lambda: len(RqProbe(redis=redis, queue_name=queue_name).read_queue().workers) == 1, running)
            yield running
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_SECONDS)
            redis.close()


def put(worker: RunningWorker, function: str, *arguments: object, **options: Any) -> Job:
    options.setdefault("job_id", f"{UNKNOWN_BATCH}_{uuid4().hex[:8]}")
    return worker.queue.enqueue(function, *arguments, **options)


def put_hash(worker: RunningWorker, fields: dict[str, Any], job_id: str | None = None) -> None:
    """Put a job as it stands in Redis, with some fields changed; None leaves one out."""
    job_id = job_id or f"{UNKNOWN_BATCH}_{uuid4().hex[:8]}"
    known = {
        "data": pack(["worker.run_batch", None, [UNKNOWN_BATCH], {}]),
        "origin": worker.queue_name,
        "status": "queued",
        "created_at": "2026-11-27T12:00:00.000000Z",
        "enqueued_at": "2026-11-27T12:00:00.000000Z",
    }
    kept = {name: value for name, value in (known | fields).items() if value is not None}
    worker.redis.hset(f"rq:job:{job_id}", mapping=kept)
    worker.redis.rpush(worker.queue.key, job_id)


def pack(call: object) -> bytes:
    return zlib.compress(json.dumps(call).encode())


def as_pickle(worker: RunningWorker, marker: Path) -> None:
    queue = Queue(worker.queue_name, connection=worker.redis, serializer=PickleSerializer)
    queue.enqueue(os.system, f"touch {marker}")


def call(function: str, *arguments: object, **options: Any) -> Callable[[RunningWorker, Path], object]:
    def attack(worker: RunningWorker, marker: Path) -> object:
        return put(worker, function, *(str(each).replace("MARKER", str(marker)) for each in arguments), **options)

    return attack


def ask_for(**options: Any) -> Callable[[RunningWorker, Path], object]:
    return lambda worker, _: put(worker, "worker.run_batch", UNKNOWN_BATCH, **options)


TOUCHING = "__import__('pathlib').Path('MARKER').touch()"
CODE = {
    "os.system": call("os.system", "touch MARKER"),
    "builtins.eval": call("builtins.eval", TOUCHING),
    "eval without a module": call("eval", TOUCHING),
    "exec": call("exec", TOUCHING),
    "subprocess": call("subprocess.getoutput", "touch MARKER"),
    "another function of the worker": call("worker.main"),
    "a function of the worker by another way": call("worker.os.system", "touch MARKER"),
    "a method of what is given": lambda worker, marker: put_hash(
        worker, {"data": pack(["__add__", "instance", [str(marker)], {}])}
    ),
    "pickle": as_pickle,
    "callback on success": ask_for(on_success=Callback("os.system")),
    "callback on failure": ask_for(on_failure=Callback("os.system")),
    "callback when stopped": ask_for(on_stopped=Callback("os.system")),
    "keyword arguments": lambda worker, _: put(worker, "worker.run_batch", kwargs={"batch_id": UNKNOWN_BATCH}),
    "meta": ask_for(meta={"a": 1}),
    "repeat": ask_for(repeat=Repeat(times=1000)),
    "no batch id": call("worker.run_batch", "../../etc/passwd"),
    "another batch than the job is named after": call("worker.run_batch", str(uuid4())),
    "a batch id in braces": call("worker.run_batch", f"{{{UNKNOWN_BATCH}}}"),
    "too many arguments": call("worker.run_batch", UNKNOWN_BATCH, "more"),
    "no argument": call("worker.run_batch"),
    "no request to count": call("worker.count_tokens", '{"prompt": 1}', job_id=None),
    "a request to count under a batch's name": call("worker.count_tokens", "{}"),
}
IDS = [b"\xff\xfe", b"", b"a:b", b"a:b:c", b"../../x", b"x" * 1000, b"line\nbreak"]
MALFORMED: dict[str, dict[str, Any]] = {
    "no data": {"data": None},
    "empty data": {"data": ""},
    "data not compressed": {"data": b'["os.system", null, ["true"], {}]'},
    "compressed data cut off": {"data": pack(["worker.run_batch", None, [UNKNOWN_BATCH], {}])[:-6]},
    "compressed data that is no JSON": {"data": zlib.compress(b"\xff\xfe\x00")},
    "deeply nested": {"data": zlib.compress(b"[" * 100_000)},
    "a bomb": {"data": zlib.compress(b"[" + b" " * 50_000_000 + b"]", 9)},
    "a number": {"data": pack(5)},
    "an object": {"data": pack({"worker.run_batch": 1})},
    "a long number": {"data": zlib.compress(b"1" * 100_000)},
    "huge": {"description": b"x" * 3_000_000},
    "a state that there is not": {"status": "dancing"},
    "a time that is none": {"created_at": "yesterday"},
    "an origin that is not UTF-8": {"origin": b"\xff"},
    "another queue": {"origin": "default"},
    "a worker that is not UTF-8": {"worker_name": b"\xff\xfe"},
    "a field that is not UTF-8": {b"\xff": b"\xff"},  # type: ignore[dict-item]
    "webhooks that are no JSON": {"webhooks": "["},
    "dependencies": {"dependency_ids": '["a"]'},
    "a rate limit": {"rate_limit_key": "a", "rate_limit_concurrency": "b"},
    "retries": {"retries_left": "1000000"},
    "a group": {"group_id": "a"},
}


def test_what_is_not_ours_does_not_run(worker: RunningWorker, tmp_path: Path) -> None:
    before, markers = worker.count_refused(), {name: tmp_path / str(number) for number, name in enumerate(CODE)}

    for name, attack in CODE.items():
        attack(worker, markers[name])

    worker.wait_for_refusals(before + len(CODE))
    assert [] == [name for name, marker in markers.items() if marker.exists()]
    assert [] == worker.list_jobs()


def test_what_cannot_be_read_is_thrown_away(worker: RunningWorker) -> None:
    before = worker.count_refused()

    for fields in MALFORMED.values():
        put_hash(worker, fields)

    worker.wait_for_refusals(before + len(MALFORMED))
    assert [] == worker.list_jobs()


def test_ids_that_are_none_are_thrown_away(worker: RunningWorker) -> None:
    before = worker.count_refused()

    worker.redis.rpush(worker.queue.key, *IDS)

    worker.wait_for_refusals(before + len(IDS))


def test_a_job_that_is_no_hash_is_thrown_away(worker: RunningWorker) -> None:
    before = worker.count_refused()
    worker.redis.set("rq:job:no-hash", "text")

    worker.redis.rpush(worker.queue.key, "no-hash")

    worker.wait_for_refusals(before + 1)


def test_no_address_is_called_for_a_job(worker: RunningWorker) -> None:
    called: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            called.append(self.path)
            self.send_response(204)
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - as the server calls it

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/stolen"
        before = worker.count_refused()
        put(
            worker,
            "worker.run_batch",
            UNKNOWN_BATCH,
            webhooks=[Webhook(address, status) for status in ("finished", "failed")],
        )
        worker.wait_for_refusals(before + 1)
        run_good_batch_id(worker)
    finally:
        server.shutdown()
        server.server_close()

    assert called == []


def run_good_batch_id(worker: RunningWorker) -> None:
    """Let a job of ours pass, of a batch that there is not: whatever was put before it has been dealt with by then."""
    job = put(worker, "worker.run_batch", UNKNOWN_BATCH)
    wait_until(lambda: not worker.redis.exists(job.key), worker)


def abandon(worker: RunningWorker, **options: Any) -> Job:
    """Leave behind what a worker leaves that was killed at a job."""
    job = Job.create(
        "worker.run_batch",
        args=[UNKNOWN_BATCH],
        id=f"{UNKNOWN_BATCH}_{uuid4().hex[:8]}",
        connection=worker.redis,
        serializer=JSONSerializer,
        origin=worker.queue_name,
        status=JobStatus.STARTED,
        failure_ttl=600,
        **options,
    )
    job.save()
    worker.redis.zadd(f"rq:wip:{worker.queue_name}", {f"{job.id}:{uuid4().hex}": 1})
    return job


def test_callbacks_of_abandoned_jobs_are_not_called(worker: RunningWorker, tmp_path: Path) -> None:
    """RQ calls them in the worker's own process, as it cleans up behind a dead worker."""
    module = ROOT / f"marker_{uuid4().hex[:8]}.py"
    marker = tmp_path / "imported"
    module.write_text(f"open({str(marker)!r}, 'w')\ndef touch(*_): pass\n")
    try:
        job = abandon(worker, on_failure=Callback(f"{module.stem}.touch"))

        wait_until(lambda: not worker.redis.zcard(f"rq:wip:{worker.queue_name}"), worker)
        worker.redis.delete(job.key)
    finally:
        module.unlink()

    assert not marker.exists()


def test_an_abandoned_job_of_ours_is_failed_and_forgotten_in_time(worker: RunningWorker) -> None:
    job = abandon(worker)

    wait_until(lambda: worker.redis.hget(job.key, "status") == b"failed", worker)

    assert worker.redis.zscore(f"rq:failed:{worker.queue_name}", job.id) is not None
    assert 0 < worker.redis.ttl(job.key) <= 600
    worker.redis.delete(job.key, f"rq:failed:{worker.queue_name}")


def test_what_a_worker_had_taken_and_could_not_read_is_not_taken_again(worker: RunningWorker) -> None:
    """RQ would end the worker at it, after each restart."""
    taken, wip = worker.queue.intermediate_queue_key, f"rq:wip:{worker.queue_name}"
    for number, fields in enumerate(MALFORMED.values()):
        worker.redis.hset(f"rq:job:taken-{number}", mapping={"data": b"\xff"} | {k: v for k, v in fields.items() if v})
        worker.redis.rpush(taken, f"taken-{number}")
        worker.redis.zadd(wip, {f"taken-{number}:{uuid4().hex}": 1})

    wait_until(lambda: not worker.redis.llen(taken) and not worker.redis.zcard(wip), worker)
    run_good_batch_id(worker)
    worker.redis.delete(*worker.redis.scan_iter("rq:job:taken-*"))


@pytest.mark.parametrize(
    ("name", "entries"),
    [("wip", [b"\xff", b"a:b:c", b"no-execution"]), ("failed", [b"\xff", b"a:b"]), ("finished", [b"\xff"])],
)
def test_books_of_rq_with_rubbish_are_cleaned(worker: RunningWorker, name: str, entries: list[bytes]) -> None:
    key, for_ever = f"rq:{name}:{worker.queue_name}", time.time() + 10**9
    worker.redis.zadd(key, dict.fromkeys(entries, for_ever))

    wait_until(lambda: not worker.redis.zcard(key), worker)


def test_books_of_a_wrong_type_are_begun_anew(worker: RunningWorker) -> None:
    name = worker.queue_name
    keys = [
        f"rq:wip:{name}",
        f"rq:failed:{name}",
        f"rq:finished:{name}",
        f"rq:queue:{name}:intermediate",
        f"rq:queue:{name}",
    ]
    for key in keys:
        worker.redis.delete(key)
        worker.redis.set(key, "text")

    wait_until(lambda: all(worker.redis.type(key) != b"string" for key in keys), worker)
    run_good_batch_id(worker)


@pytest.mark.parametrize("seconds", [None, 10**8])
def test_a_lock_without_end_keeps_nobodys_books_closed(worker: RunningWorker, seconds: int | None) -> None:
    worker.redis.set(f"rq:clean_registries:{worker.queue_name}", 1, ex=seconds)
    worker.redis.delete("rq:queues")
    worker.redis.lpush("rq:queues", "x")

    wait_until(lambda: worker.redis.type("rq:queues") != b"list", worker)
    run_good_batch_id(worker)


def test_a_worker_that_redis_has_forgotten_is_listed_again(worker: RunningWorker) -> None:
    worker.redis.delete(f"rq:workers:{worker.queue_name}", "rq:workers")
    worker.redis.set("rq:workers", "text")

    wait_until(lambda: len(RqProbe(redis=worker.redis, queue_name=worker.queue_name).read_queue().workers) == 1, worker)


def test_a_worker_whose_own_keys_were_overwritten_announces_itself_anew(worker: RunningWorker) -> None:
    (key,) = worker.redis.smembers(f"rq:workers:{worker.queue_name}")
    executions = key + b":executions"

    def are_right() -> bool:
        return bool(worker.redis.type(key) == b"hash" and worker.redis.hexists(key, "hostname")) and (
            worker.redis.type(executions) != b"string"
        )

    for overwritten in ({key}, {executions}, {key, executions}):
        worker.redis.delete(*overwritten)
        for each in overwritten:
            worker.redis.set(each, "text")
        put(worker, "worker.run_batch", UNKNOWN_BATCH)
        wait_until(are_right, worker)
        run_good_batch_id(worker)


def test_commands_and_suspension_are_not_taken(worker: RunningWorker) -> None:
    (key,) = worker.redis.smembers(f"rq:workers:{worker.queue_name}")
    name = key.decode().removeprefix("rq:worker:")
    assert worker.redis.pubsub_numsub(f"rq:pubsub:{name}") == [(f"rq:pubsub:{name}".encode(), 0)]
    suspend(worker.redis)
    try:
        send_shutdown_command(worker.redis, name)
        worker.redis.publish(f"rq:pubsub:{name}", b"\xff")

        run_good_batch_id(worker)
    finally:
        worker.redis.delete("rq:suspended")


def test_after_all_of_it_pages_ring_and_count_as_before(worker: RunningWorker, seeded: Settings) -> None:
    request = ChatRequest(prompt=Prompt(system="Be kind.", user="Hello"), settings=make_settings())
    counter = RqTokenCounter(redis=worker.redis, queue_name=worker.queue_name)
    with sign_up(seeded) as analyst:
        batches = SupabaseBatchStore(analyst=analyst)
        settings, estimate = make_settings(concurrency=2), estimate_batch(2, concurrency=2)
        batch_id = batches.submit("B", make_selection(1, 1, 2), settings, estimate, None).batch_id
        before = worker.count_refused()

        wait_until(lambda: (counter.count_tokens(request) or 0) > 0, worker)  # Three seconds are short on a busy machine.
        RqJobQueue(redis=worker.redis, queue_name=worker.queue_name).enqueue(batch_id)

        def is_complete() -> bool:
            progress = batches.get(batch_id)
            return progress is not None and progress.status is BatchStatus.COMPLETED

        wait_until(is_complete, worker)
    assert worker.count_refused() == before


def test_one_alert_tells_of_all_refused_jobs(worker: RunningWorker, seeded: Settings) -> None:
    before = worker.count_refused()
    for _ in range(3):
        put(worker, "os.system\n\x1b[31m" + "x" * 200, "true")
    worker.wait_for_refusals(before + 3)
    with psycopg.connect(seeded.require_db_url()) as connection:
        connection.execute("delete from public.alerts")
        connection.execute("update public.alert_evaluations set begun_at = '-infinity'")
    with sign_up(seeded) as analyst:
        store = SupabaseAlertStore(analyst=analyst)
        found = lambda: [alert for alert in store.read().open if alert.rule is AlertRule.REFUSED_JOBS]  # noqa: E731
        wait_until(lambda: bool(found()), worker)
        (alert,) = found()

    assert alert.message.startswith(f"{before + 3:,} jobs in the queue")
    assert "asked for os.system???31mxxx" in alert.message
    assert alert.message.isprintable()
    assert len(alert.message) < 400
    refusals = [line for line in worker.log_file.read_text().splitlines() if "job_refused" in line]
    assert max(map(len, refusals)) < 400


def test_the_worker_has_never_ended(worker: RunningWorker) -> None:
    assert worker.process.poll() is None
    assert "quitting" not in worker.log_file.read_text()
