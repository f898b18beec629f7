"""Failed Generations and Conversations over stores in memory: what is there, what is not, what cannot be read."""

import asyncio
from collections.abc import Callable
from datetime import date
from uuid import UUID

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.domain.batch import BatchId
from core.domain.results import FailureFilters
from core.errors import DatabaseUnavailable
from core.ui.conversation_chart import describe_journey, draw_journey
from core.ui.facet_chart import MOST_BARS, choose_bars
from core.ui.link_state import find_moments
from core.ui.pager import describe_place
from tests.integration.test_store_contract import accept, fail, parse
from tests.unit.ui.conftest import Pages, said

pytestmark = pytest.mark.usefixtures("warm_server")

FAILURES, CONVERSATIONS = "pages/Failed_Generations.py", "pages/Conversations.py"


@pytest.fixture(autouse=True)
def no_cache() -> None:
    """All AppTests are one session to Streamlit's caches."""
    st.cache_resource.clear()


def work(pages: Pages, batch_id: str, *, failing: int) -> None:
    """Record the items of a batch, the first ones as failures."""

    async def record() -> None:
        items = (await pages.database.lease(BatchId(UUID(batch_id)), "w", 50, 30)).items
        for number, item in enumerate(items):
            await pages.database.record([fail(item) if number < failing else accept(item)])

    asyncio.run(record())


@pytest.fixture
def made(pages: Pages, submit: Callable[[int], str]) -> str:
    """A batch of one failure and two conversations."""
    batch_id = submit(3)
    work(pages, batch_id, failing=1)
    return batch_id


def captions(app: AppTest) -> list[str]:
    return [caption.value for caption in app.caption]


@pytest.mark.parametrize(
    ("page", "words"), [(FAILURES, "Nothing has failed"), (CONVERSATIONS, "There are no conversations")]
)
def test_an_empty_database_says_so(pages: Pages, page: str, words: str) -> None:
    app = pages.open(page)

    assert not app.exception
    assert any(words in said(message) for message in (*app.info, *app.success))


@pytest.mark.parametrize("page", [FAILURES, CONVERSATIONS])
def test_a_database_that_is_away_is_said(pages: Pages, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def be_away(*_: object) -> None:
        raise DatabaseUnavailable("The Supabase API does not answer. Run `brightrun doctor`.")

    for service in (pages.services.failures, pages.services.conversations):
        monkeypatch.setattr(type(service.store), "count", be_away)

    app = pages.open(page)

    assert not app.exception
    assert "brightrun doctor" in said(app.error[0])


def test_failures_of_a_linked_batch_are_listed(pages: Pages, made: str) -> None:
    app = pages.open(FAILURES, batch=made)

    assert not app.exception
    assert "1\N{EN DASH}1 of 1 failure" in captions(app)
    assert ["lone_backslash"] == list(app.dataframe[0].value["pattern"])


def test_a_damaged_link_shows_the_newest_page(pages: Pages, made: str) -> None:
    app = pages.open(FAILURES, after="nonsense")

    assert not app.exception
    assert "does not exist" in said(app.warning[0])
    assert "1\N{EN DASH}1 of 1 failure" in captions(app)


@pytest.mark.parametrize(
    ("page", "link"),
    [
        (FAILURES, {"batch": "foo", "dates": "yesterday", "turn": "x", "prompt": "..", "structured": "maybe"}),
        (FAILURES, {"dates": "9999-12-31", "hour": "9999-12-31T23", "turn": "0"}),
        (CONVERSATIONS, {"batch": "foo", "review": "zz", "quality": "nan", "conversation": "zzz"}),
    ],
)
def test_what_cannot_be_read_of_a_link_is_named_and_taken_out(
    pages: Pages, made: str, page: str, link: dict[str, str]
) -> None:
    app = pages.open(page, **link, model="none such")

    assert not app.exception
    assert all(f"{name} \N{LEFT DOUBLE QUOTATION MARK}" in said(app.warning[0]) for name in link)
    assert {"model": "none such"} == app.query_params


@pytest.mark.parametrize("page", [FAILURES, CONVERSATIONS])
def test_what_no_database_takes_is_not_asked_of_it(pages: Pages, made: str, page: str) -> None:
    app = pages.open(page, text="a\0b", model="\0", persona="\0")

    assert not app.exception
    assert not app.error
    assert {} == app.query_params


def test_an_hour_and_days_are_both_filters(pages: Pages, made: str) -> None:
    moment = pages.services.failures.list_page(FailureFilters()).rows[0].created_at
    hour, day = f"{moment:%Y-%m-%dT%H}", f"{moment:%Y-%m-%d}"

    assert "1\N{EN DASH}1 of 1 failure" in captions(pages.open(FAILURES, hour=hour, dates=day))
    assert "No failed generation fits" in said(pages.open(FAILURES, hour=hour, dates="2020-01-01").info[0])


def test_a_linked_report_shows_the_reply_as_text(pages: Pages, made: str) -> None:
    failure = pages.services.failures.list_page(FailureFilters()).rows[0]

    app = pages.open(FAILURES, failure=str(failure.id))

    assert not app.exception
    assert any("cut here" in code.value for code in app.code)
    assert any('{"turns": []}' in code.value for code in app.code)


def test_a_conversation_is_read_and_approved(pages: Pages, made: str) -> None:
    row = pages.services.conversations.list_page().rows[0]
    app = pages.open(CONVERSATIONS, conversation=str(row.id))
    assert not app.exception
    assert 4 == len(app.chat_message)

    next(button for button in app.button if button.label == "Approve").click().run()

    assert "approved" == pages.services.conversations.get(row.id).review_status


def test_the_chosen_bar_is_drawn_whatever_its_size() -> None:
    counts = {f"pattern_{number}": 100 - number for number in range(10)}

    shown = choose_bars(counts, "pattern_9")

    assert "pattern_9" in shown
    assert len(shown) == MOST_BARS


def test_days_begin_by_the_readers_clock() -> None:
    begin, end = find_moments((date(2026, 11, 22), date(2026, 11, 22)), "Europe/Berlin")

    assert ("2026-11-21T23:00:00+00:00", "2026-11-22T23:00:00+00:00") == (begin.isoformat(), end.isoformat())


def test_the_place_of_a_page_is_told() -> None:
    assert describe_place(25, 25, 1234, "failure") == "26\N{EN DASH}50 of 1,234 failures"
    assert describe_place(0, 0, 0, "failure") == "0 failures"


def test_the_journey_has_a_mark_for_each_turn_and_words_for_those_who_do_not_see_it() -> None:
    turns = parse().turns

    figure = draw_journey(turns)

    assert [1, 2, 3, 4] == list(figure.data[0].x)
    assert describe_journey(turns).startswith("Intensity over turns: 1 worry 0.50, 2 worry 0.50")
