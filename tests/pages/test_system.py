"""The System page: what is up, what is down, and what to do; and what Home says of it."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from core.domain.diagnosis.health import ClaudeHealth, DatabaseHealth, QueueHealth, RoomPart, StorageUse
from core.domain.diagnosis.notices import WaitingReplies
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

    assert [] == [said(element) for element in (*app.error, *app.warning)]
    assert any("Bright Run is starting" in caption.value for caption in app.caption)


def test_home_says_that_no_worker_is_alive_and_how_much_waits(pages: Pages) -> None:
    submit(pages.stores, make_selection(1, 1, 4))

    app = pages.open()
    assert any("No worker is alive" in said(error) and "4 conversations wait" in said(error) for error in app.error)
    press(app, "View system")
    assert app.subheader[0].value == "System"


def let_hosts_wait(pages: Pages, *silent_minutes: int) -> tuple[WaitingReplies, ...]:
    now = datetime.now(UTC)
    spools = tuple(
        WaitingReplies(
            id=uuid4(),
            host=f"host-{number}",
            files=number,
            oldest_at=now - timedelta(hours=5),
            heard_at=now - timedelta(minutes=minutes),
        )
        for number, minutes in enumerate(silent_minutes, start=1)
    )
    pages.probe.answer_database = lambda: DatabaseHealth(database="18.6", migrations=(), spools=spools)
    return spools


def test_hosts_on_which_replies_wait_are_listed_and_only_silent_ones_can_be_dismissed(pages: Pages) -> None:
    let_hosts_wait(pages, 0, 20)

    app = pages.open(PAGE)

    (table,) = [each.value for each in app.dataframe if "files" in each.value]
    assert [("host-1", ["heard"], 1), ("host-2", ["silent"], 2)] == list(
        zip(table["host"], table["health"], table["files"], strict=True)
    )
    assert ["5 h 00 min ago"] * 2 == table["oldest"].tolist()
    assert [False, True] == [isinstance(label, str) for label in table["dismiss"]]


def test_a_silent_host_is_dismissed_after_a_question_that_says_what_is_lost(pages: Pages) -> None:
    _, silent = let_hosts_wait(pages, 0, 20)
    app = pages.open(PAGE)

    app.session_state["spool_pressed"] = silent
    app.run()
    assert any("2 files of paid replies" in each.value and "they are lost" in each.value for each in app.markdown)
    assert pages.probe.dismissed == []
    press(app, "Keep it")
    assert pages.probe.dismissed == []
    assert not any("they are lost" in each.value for each in app.markdown)

    app.session_state["spool_pressed"] = silent
    press(app.run(), "Dismiss")
    assert [silent.id] == pages.probe.dismissed
    assert not any("they are lost" in each.value for each in app.markdown)


def test_no_host_is_listed_where_nothing_waits(pages: Pages) -> None:
    app = pages.open(PAGE)

    assert not any("waiting on disk" in each.value for each in app.markdown)


def test_what_takes_room_is_listed_the_largest_first(pages: Pages) -> None:
    since = datetime(2026, 10, 29, tzinfo=UTC)
    sizes = {part: 1_000_000 * number for number, part in enumerate(RoomPart)}
    pages.probe.answer_storage = lambda: StorageUse(bytes=1, files=1, parts=sizes, replies_since=since)

    app = pages.open(PAGE)

    (table,) = [each.value for each in app.dataframe if "bytes" in each.value]
    assert table["bytes"].tolist() == sorted(sizes.values(), reverse=True)
    assert len(set(table["name"])) == len(RoomPart)
    assert any("55.0 MB in all" in each.value and "since 29 Oct 2026" in each.value for each in app.caption)
