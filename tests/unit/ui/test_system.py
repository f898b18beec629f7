"""The System page: what is up, what is down, and what to do."""

from datetime import UTC, datetime, timedelta

import pytest

from core.domain.health import ClaudeHealth, QueueHealth, WorkerHealth
from core.errors import QueueUnavailable
from tests.unit.ui.conftest import Pages, said

pytestmark = pytest.mark.usefixtures("warm_server")

PAGE = "pages/System.py"


def announce_worker(pages: Pages, *, silent_seconds: float) -> None:
    heard = datetime.now(UTC) - timedelta(seconds=silent_seconds)
    worker = WorkerHealth(name="host:12", state="idle", last_heartbeat_at=heard)
    pages.probe.answer_queue = lambda: QueueHealth(waiting_jobs=0, started_jobs=0, failed_jobs=0, workers=(worker,))


def test_a_living_worker_is_shown_with_its_heartbeat(pages: Pages) -> None:
    announce_worker(pages, silent_seconds=3)

    app = pages.open(PAGE)

    assert not app.exception
    assert not app.error
    workers = app.dataframe[0].value
    assert workers["name"].tolist() == ["host:12"]
    assert 3 <= workers["heartbeat"].tolist()[0] < 30


def test_a_queue_that_is_away_is_said_and_the_rest_is_shown(pages: Pages) -> None:
    def fail() -> QueueHealth:
        raise QueueUnavailable("The queue does not answer. On this machine: `brightrun doctor`.")

    pages.probe.answer_queue = fail

    app = pages.open(PAGE)

    assert not app.exception
    assert ["Redis" in said(error) and "brightrun doctor" in said(error) for error in app.error] == [True]
    assert any("Not known while Redis does not answer" in caption.value for caption in app.caption)


def test_that_no_worker_is_alive_reads_well(pages: Pages) -> None:
    announce_worker(pages, silent_seconds=300)

    shown = [error.value for page in (None, PAGE) for error in (*pages.open(page).error, *pages.open(page).warning)]

    advice = r"Start one\: `python worker.py`, or `brightrun up` for the whole stack."
    assert shown == [
        f"**No worker is alive, so nothing is generated.** {advice}",
        f"**Workers:** none is alive (1 silent). {advice}",
    ]


def test_limits_as_last_seen(pages: Pages) -> None:
    announce_worker(pages, silent_seconds=3)
    headers = {"anthropic-ratelimit-requests-limit": "50", "anthropic-ratelimit-requests-remaining": "40"}
    pages.probe.answer_claude = lambda: ClaudeHealth(seen_at=datetime.now(UTC), model="claude-x", headers=headers)

    app = pages.open(PAGE)

    assert app.dataframe[1].value["left"].tolist() == [0.8]


def test_no_secret_is_in_the_settings(pages: Pages) -> None:
    app = pages.open(PAGE)

    settings = app.dataframe[len(app.dataframe) - 1].value
    assert set(settings["value"][settings["name"].isin(["BRIGHTRUN_PASSWORD", "SUPABASE_PUBLISHABLE_KEY"])]) == {"not set"}


def test_home_says_that_no_worker_is_alive_and_how_much_waits(pages: Pages, submit: object) -> None:
    submit(4)  # type: ignore[operator]

    app = pages.open()

    assert any("No worker is alive" in said(error) and "4 conversations wait" in said(error) for error in app.error)
    next(button for button in app.button if button.label == "View system").click().run()
    assert app.subheader[0].value == "System"


def test_home_without_alerts_says_so(pages: Pages, submit: object) -> None:
    submit(4)  # type: ignore[operator]
    announce_worker(pages, silent_seconds=1)

    app = pages.open()

    assert not app.error
    assert any("No alerts" in caption.value for caption in app.caption)
