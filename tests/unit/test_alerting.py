"""The evaluation beside the worker: what it keeps, whom it tells, and that nothing of it stops the worker."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from core.adapters.alert_webhook import AlertWebhook
from core.config import Settings, child_environment, load_settings
from core.domain.diagnosis.alerts import AlertFacts, AlertRule, AlertSeverity, AlertTarget, StoredAlert
from core.domain.diagnosis.notices import HostWithStuckResults, Notices, RefusedJobs
from core.errors import ConfigurationError, WebhookUnavailable
from core.services.alerting import AlertingService
from tests.fakes.alerts import ScriptedAlertRecorder

GIGABYTE = 1_000_000_000
SECRET = "T0KEN"
FULL = AlertFacts(now=datetime(2026, 11, 22, 12, tzinfo=UTC), storage_bytes=round(0.9 * GIGABYTE))


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
class Board:
    """A notice board on which a test writes."""

    notices: Notices = field(default_factory=Notices)

    def note_stuck_results(self, host: str, files: int) -> None:
        """Take no notes."""

    def read(self) -> Notices:
        return self.notices


def evaluate(recorder: ScriptedAlertRecorder, sender: AlertWebhook | None = None, notices: Notices | None = None) -> bool:
    return AlertingService(
        recorder=recorder, notices=Board(notices or Notices()), storage_limit_bytes=GIGABYTE, sender=sender
    ).evaluate()


def make_webhook(url: str, timeout_seconds: float = 2) -> AlertWebhook:
    return AlertWebhook(url=SecretStr(url), timeout_seconds=timeout_seconds)


def make_stored_alert() -> StoredAlert:
    return StoredAlert(
        id=uuid4(),
        rule=AlertRule.FAILURE_RATE,
        severity=AlertSeverity.CRITICAL,
        message="20 % of 100 conversations failed.",
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
            "message": "20 % of 100 conversations failed.",
            "advice": "Look.",
            "figures": {"judged": 100, "failed": 20},
            "created_at": "2026-11-22T12:00:00Z",
            "text": "[critical] 20 % of 100 conversations failed. Look.",
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


def test_what_the_facts_show_is_kept(receiver: Receiver) -> None:
    recorder = ScriptedAlertRecorder(facts=FULL)

    assert evaluate(recorder)

    ((alert,),) = recorder.saved
    assert alert.rule is AlertRule.STORAGE
    assert recorder.begun == [False]
    assert not recorder.settled, "without a webhook nothing is claimed"


def test_nothing_is_kept_or_sent_where_no_evaluation_is_due(receiver: Receiver) -> None:
    recorder = ScriptedAlertRecorder(is_due=False, unsent=(make_stored_alert(),))

    assert not evaluate(recorder, make_webhook(receiver.url))

    assert (recorder.saved, recorder.settled, receiver.bodies) == ([], [], [])


def test_what_is_unsent_is_sent_and_said_to_be(receiver: Receiver) -> None:
    alerts = (make_stored_alert(), make_stored_alert())
    recorder = ScriptedAlertRecorder(unsent=alerts)

    assert evaluate(recorder, make_webhook(receiver.url))

    assert [(alert.id, True) for alert in alerts] == recorder.settled
    assert (len(receiver.bodies), recorder.begun) == (2, [True])


def test_what_could_not_be_sent_is_given_back_and_the_others_are_not_tried(receiver: Receiver) -> None:
    alerts = (make_stored_alert(), make_stored_alert())
    recorder = ScriptedAlertRecorder(unsent=alerts)
    receiver.status = 503

    assert evaluate(recorder, make_webhook(receiver.url))

    assert [(alert.id, False) for alert in alerts] == recorder.settled
    assert len(receiver.bodies) == 1


def test_a_database_that_is_away_is_tried_next_time(receiver: Receiver) -> None:
    recorder = ScriptedAlertRecorder(is_away=True, unsent=(make_stored_alert(),))

    assert not evaluate(recorder, make_webhook(receiver.url))
    assert not receiver.bodies


def test_what_workers_noticed_is_one_alert_each_for_all_analysts() -> None:
    refused = RefusedJobs(count=1200, function="os.system", reason="no such function", last_at=FULL.now)
    hosts = (HostWithStuckResults(host="alpha", files=2), HostWithStuckResults(host="beta", files=1))
    recorder = ScriptedAlertRecorder(facts=FULL)

    evaluate(recorder, notices=Notices(refused=refused, stuck=hosts))

    found = {alert.rule: alert for alert in recorder.saved[0]}
    assert {AlertRule.STORAGE, AlertRule.REFUSED_JOBS, AlertRule.STUCK_RESULTS} == set(found)
    job, stuck = found[AlertRule.REFUSED_JOBS], found[AlertRule.STUCK_RESULTS]
    assert (None, AlertSeverity.CRITICAL, AlertTarget.SYSTEM) == (job.created_by, job.severity, job.target)
    assert "1,200 jobs" in job.message
    assert "os.system (no such function)" in job.message
    assert "REDIS_URL" in job.advice
    assert "3 paid replies" in stuck.message
    assert "alpha: 2, beta: 1" in stuck.message
    assert "spool/set-aside" in stuck.advice


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
