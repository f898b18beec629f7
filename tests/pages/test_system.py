"""The System page: what is up, what is down, and what to do; and what Home says of it."""

from datetime import UTC, datetime, timedelta

import pytest

from core.domain.diagnosis.health import ClaudeHealth, QueueHealth
from core.errors import QueueUnavailable
from tests.factories import make_selection
from tests.support.pages import Pages, announce_worker, press, said
from tests.support.stores import submit

pytestmark = pytest.mark.usefixtures("warm_server")

PAGE = "pages/System.py"


def test_a_living_worker_is_shown_with_its_heartbeat_and_the_limits_last_seen(pages: Pages) -> None:
    pages.probe.answer_queue = announce_worker(silent_seconds=3)
    headers = {"anthropic-ratelimit-requests-limit": "50", "anthropic-ratelimit-requests-remaining": "40"}
    pages.probe.answer_claude = lambda: ClaudeHealth(seen_at=datetime.now(UTC), model="claude-x", headers=headers)

    app = pages.open(PAGE)

    assert not app.exception
    assert not app.error
    workers = app.dataframe[0].value
    assert workers["name"].tolist() == ["host:12"]
    assert 3 <= workers["heartbeat"].tolist()[0] < 30
    assert app.dataframe[1].value["left"].tolist() == [80.0]


def test_a_queue_that_is_away_is_said_and_the_rest_is_shown(pages: Pages) -> None:
    def fail() -> QueueHealth:
        raise QueueUnavailable("The queue does not answer. On this machine: `brightrun doctor`.")

    pages.probe.answer_queue = fail

    app = pages.open(PAGE)

    assert not app.exception
    assert ["Redis" in said(error) and "brightrun doctor" in said(error) for error in app.error] == [True]
    assert any("Not known while Redis does not answer" in caption.value for caption in app.caption)


def test_that_no_worker_is_alive_reads_well_and_no_secret_is_in_the_settings(pages: Pages) -> None:
    pages.probe.answer_queue = announce_worker(silent_seconds=300)

    opened = [pages.open(page) for page in (None, PAGE)]
    shown = [error.value for app in opened for error in (*app.error, *app.warning)]

    advice = r"Start one\: `python worker.py`, or `brightrun up` for the whole stack."
    assert shown == [
        f"**No worker is alive, so nothing is generated.** {advice}",
        f"**Workers:** none is alive (1 silent). {advice}",
    ]
    tables = opened[-1].dataframe
    settings = tables[len(tables) - 1].value
    assert set(settings["value"][settings["name"].isin(["BRIGHTRUN_PASSWORD", "SUPABASE_PUBLISHABLE_KEY"])]) == {"not set"}


def test_home_says_that_it_is_starting_while_no_worker_can_have_announced_itself(pages: Pages) -> None:
    begun = datetime.now(UTC) - timedelta(seconds=2)
    pages.probe.answer_queue = lambda: QueueHealth(waiting_jobs=0, started_jobs=0, failed_jobs=0, began_at=begun)

    app = pages.open()

    assert not [*app.error, *app.warning]
    assert any("Bright Run is starting" in caption.value for caption in app.caption)


def test_home_says_that_no_worker_is_alive_and_how_much_waits(pages: Pages) -> None:
    submit(pages.stores, make_selection(1, 1, 4))

    app = pages.open()
    assert any("No worker is alive" in said(error) and "4 conversations wait" in said(error) for error in app.error)
    press(app, "View system")
    assert app.subheader[0].value == "System"
