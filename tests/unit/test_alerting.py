"""The evaluation beside the worker: what it keeps, whom it tells, and that nothing of it stops the worker."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from core.adapters.alert_webhook import AlertWebhook
from core.adapters.memory_alerts import MemoryAlertStore
from core.config import Settings, child_environment, load_settings
from core.domain.alerts import AlertRule, AlertSeverity, AlertTarget, StoredAlert
from core.domain.notices import HostWithStuckResults, Notices, RefusedJobs
from core.errors import ConfigurationError, DatabaseUnavailable, WebhookUnavailable
from core.services.alerting import AlertingService
from tests.factories import make_memory

GIGABYTE = 1_000_000_000
SECRET = "T0KEN"


@dataclass
class Receiver:
    """A web server that takes what is posted, and answers with `status`."""

    url: str = ""
    status: int = 200
    delay: threading.Event | None = None
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    paths: list[str] = field(default_factory=list[str])


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    received = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.paths.append(self.path)
            received.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if received.delay is not None:
                received.delay.wait(5)
            self.send_response(received.status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Stay silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    received.url = f"http://127.0.0.1:{server.server_port}/hook/{SECRET}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield received
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Clock:
    now: datetime = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Board:
    """A notice board on which a test writes."""

    notices: Notices = field(default_factory=Notices)

    def note_stuck_results(self, host: str, files: int) -> None:
        """Take no notes."""

    def read(self) -> Notices:
        return self.notices


@dataclass(frozen=True)
class Alarm:
    """A store whose storage is nearly full, and a clock that a test sets."""

    store: MemoryAlertStore
    clock: Clock
    board: Board = field(default_factory=Board)

    def evaluate_with(self, sender: AlertWebhook | None) -> bool:
        """Evaluate a minute later."""
        self.clock.now += timedelta(minutes=1)
        return self.make_service(sender).evaluate()

    def make_service(self, sender: AlertWebhook | None = None) -> AlertingService:
        return AlertingService(recorder=self.store, notices=self.board, storage_limit_bytes=GIGABYTE, sender=sender)


@pytest.fixture
def alarm() -> Alarm:
    clock, database = Clock(), make_memory()
    database.clock = clock
    return Alarm(MemoryAlertStore(database=database, storage_bytes=round(0.9 * GIGABYTE)), clock)


def make_webhook(url: str, timeout_seconds: float = 2) -> AlertWebhook:
    return AlertWebhook(url=SecretStr(url), timeout_seconds=timeout_seconds)


def make_stored_alert() -> StoredAlert:
    return StoredAlert(
        id=uuid4(),
        rule=AlertRule.FAILURE_RATE,
        severity=AlertSeverity.CRITICAL,
        message="20.0% of 100 conversations failed.",
        advice="Look.",
        figures={"judged": 100, "failed": 20},
        created_at=datetime(2026, 11, 22, 12, tzinfo=UTC),
        last_seen_at=datetime(2026, 11, 22, 13, tzinfo=UTC),
    )


def test_webhook_gets_the_alert_with_a_text_that_chats_show(receiver: Receiver) -> None:
    make_webhook(receiver.url).send(make_stored_alert())

    assert receiver.bodies == [
        {
            "rule": "failure_rate",
            "severity": "critical",
            "message": "20.0% of 100 conversations failed.",
            "advice": "Look.",
            "figures": {"judged": 100, "failed": 20},
            "created_at": "2026-11-22T12:00:00Z",
            "text": "[critical] 20.0% of 100 conversations failed. Look.",
        }
    ]


@pytest.mark.parametrize("status", [301, 307, 404, 500])
def test_anything_but_success_is_an_error_and_no_redirect_is_followed(receiver: Receiver, status: int) -> None:
    receiver.status = status

    with pytest.raises(WebhookUnavailable, match=str(status)) as caught:
        make_webhook(receiver.url).send(make_stored_alert())

    assert SECRET not in str(caught.value)
    assert [f"/hook/{SECRET}"] == receiver.paths


def test_a_webhook_that_hangs_is_given_up(receiver: Receiver) -> None:
    receiver.delay = threading.Event()

    with pytest.raises(WebhookUnavailable, match="ReadTimeout"):
        make_webhook(receiver.url, timeout_seconds=0.2).send(make_stored_alert())
    receiver.delay.set()


@pytest.mark.parametrize("url", [f"http://127.0.0.1:1/{SECRET}", f"http://no such host/{SECRET}", f"http://[::{SECRET}/"])
def test_what_does_not_answer_is_an_error_without_the_address(url: str) -> None:
    with pytest.raises(WebhookUnavailable) as caught:
        make_webhook(url).send(make_stored_alert())

    assert SECRET not in f"{caught.value!r} {caught.value.__cause__!r} {make_webhook(url)!r}"
    assert caught.value.__suppress_context__


def test_an_alert_is_kept_once_and_sent_once(alarm: Alarm, receiver: Receiver) -> None:
    webhook = make_webhook(receiver.url)

    assert [True, True] == [alarm.evaluate_with(webhook) for _ in range(2)]

    (alert,) = alarm.store.read().open
    assert alert.rule is AlertRule.STORAGE
    assert alert.webhook_sent_at is not None
    assert len(receiver.bodies) == 1
    assert alarm.store.read().has_webhook


def test_evaluations_are_about_a_minute_apart_whoever_asks(alarm: Alarm) -> None:
    other = alarm.make_service()

    assert alarm.evaluate_with(None)
    alarm.clock.now += timedelta(seconds=15)
    assert not other.evaluate()
    alarm.clock.now += timedelta(seconds=45)
    assert other.evaluate()


def test_what_could_not_be_sent_is_sent_next_time(alarm: Alarm, receiver: Receiver) -> None:
    webhook = make_webhook(receiver.url)
    receiver.status = 503
    assert alarm.evaluate_with(webhook)
    assert alarm.store.read().open[0].webhook_sent_at is None
    receiver.status = 204

    assert alarm.evaluate_with(webhook)

    assert len(receiver.bodies) == 2
    assert alarm.store.read().open[0].webhook_sent_at is not None


def test_without_a_webhook_an_alert_is_kept_and_sent_when_there_is_one(alarm: Alarm, receiver: Receiver) -> None:
    alarm.evaluate_with(None)
    assert len(alarm.store.read().open) == 1
    assert not alarm.store.read().has_webhook

    alarm.evaluate_with(make_webhook(receiver.url))

    assert len(receiver.bodies) == 1


def test_a_database_that_is_away_is_tried_next_time(alarm: Alarm) -> None:
    @dataclass(kw_only=True)
    class Away(MemoryAlertStore):
        def save(self, *_: object) -> bool:
            raise DatabaseUnavailable("Gone.")

    away = Away(database=alarm.store.database)

    assert not Alarm(away, alarm.clock).make_service().evaluate()


def test_what_workers_noticed_is_one_alert_each_for_all_analysts_and_passes_with_it(alarm: Alarm) -> None:
    refused = RefusedJobs(count=1200, function="os.system", reason="no such function", last_at=alarm.clock.now)
    hosts = (HostWithStuckResults(host="alpha", files=2), HostWithStuckResults(host="beta", files=1))
    alarm.board.notices = Notices(refused=refused, stuck=hosts)

    alarm.evaluate_with(None)
    alarm.evaluate_with(None)

    found = {alert.rule: alert for alert in alarm.store.read().open}
    assert {AlertRule.STORAGE, AlertRule.REFUSED_JOBS, AlertRule.STUCK_RESULTS} == set(found)
    assert len(alarm.store.alerts) == 3
    job, stuck = found[AlertRule.REFUSED_JOBS], found[AlertRule.STUCK_RESULTS]
    assert (None, AlertSeverity.CRITICAL, AlertTarget.SYSTEM) == (job.created_by, job.severity, job.target)
    assert "1,200 jobs" in job.message
    assert "os.system (no such function)" in job.message
    assert "REDIS_URL" in job.advice
    assert "3 paid replies" in stuck.message
    assert "alpha: 2, beta: 1" in stuck.message
    assert "spool/set-aside" in stuck.advice

    alarm.board.notices = Notices()
    alarm.evaluate_with(None)

    assert [AlertRule.STORAGE] == [alert.rule for alert in alarm.store.read().open]


@pytest.mark.parametrize(
    "url", ["ftp://host/T0KEN", "file:///T0KEN", "T0KEN", "https://", "http:///T0KEN", "https://a b/T0KEN"]
)
def test_only_http_addresses_are_taken_and_a_wrong_one_is_not_repeated(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("BRIGHTRUN_ALERT_WEBHOOK_URL", url)

    with pytest.raises(ConfigurationError, match="ALERT_WEBHOOK_URL must be") as caught:
        load_settings()

    assert SECRET not in str(caught.value)


def test_the_webhooks_address_reaches_neither_child_processes_nor_a_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIGHTRUN_ALERT_WEBHOOK_URL", f"https://hooks.example/{SECRET}")

    assert SECRET not in repr(load_settings())
    assert "BRIGHTRUN_ALERT_WEBHOOK_URL" not in child_environment()
    assert "alert_webhook_url" in Settings.model_fields


def test_logs_do_not_hold_the_address(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    from core.logs import configure_logging  # noqa: PLC0415 - what is under test

    configure_logging()
    with caplog.at_level("DEBUG"):
        make_webhook(receiver.url).send(make_stored_alert())

    assert httpx.__name__ not in {record.name for record in caplog.records}
    assert SECRET not in caplog.text
