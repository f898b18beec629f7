"""Failed Generations and Conversations: what is there, what is not, what cannot be read."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import pytest
from streamlit.testing.v1 import AppTest

from core.config import Settings
from core.domain.batches.results import FailureFilters
from core.errors import DatabaseUnavailable
from tests.factories import make_selection
from tests.fakes.away import Away
from tests.support.pages import Pages, list_labels, open_pages, press, read_texts, said
from tests.support.results import accept, fail
from tests.support.stores import lease, list_batches, record, submit

pytestmark = pytest.mark.usefixtures("warm_server")

FAILURES, CONVERSATIONS = "pages/Failed_Generations.py", "pages/Conversations.py"
ONE_OF_ONE = "1\N{EN DASH}1 of 1 failure"


@pytest.fixture(scope="module")
def made(seeded: Settings) -> Iterator[Pages]:
    """The pages of an analyst with a batch of one failure and two conversations; whose review alone is changed."""
    with open_pages(seeded) as pages:
        first, *others = lease(pages.stores, submit(pages.stores, make_selection(1, 1, 3)))
        record(pages.stores, fail(first), *(accept(item) for item in others))
        yield pages


@pytest.fixture(scope="module")
def failure_id(made: Pages) -> UUID:
    return made.services.failures.list_page(FailureFilters()).rows[0].id


def captions(app: AppTest) -> list[str]:
    return [caption.value for caption in app.caption]


def test_the_failures_of_a_batch_can_be_retried_from_the_list_where_all_of_them_are_shown(made: Pages) -> None:
    batch_id = list_batches(made.stores)[0].id
    assert "Retry these" not in list_labels(made.open(FAILURES))
    assert "Retry these" not in list_labels(made.open(FAILURES, batch=str(batch_id), type="truncation"))

    app = press(made.open(FAILURES, batch=str(batch_id)), "Retry these")

    assert str(batch_id) in app.query_params["batch"]
    assert "Retry 1 item" in list_labels(app)


@pytest.mark.parametrize(
    ("page", "words"), [(FAILURES, "Nothing has failed"), (CONVERSATIONS, "There are no conversations")]
)
def test_an_empty_database_and_one_that_is_away_are_said(pages: Pages, page: str, words: str) -> None:
    app = pages.open(page)
    assert not app.exception
    assert words in read_texts(app)

    services, away = pages.services, Away(DatabaseUnavailable("The Supabase API does not answer. Run `brightrun doctor`."))
    pages.services = replace(
        services,
        failures=away,
        conversations=away,
    )
    app = pages.open(page)
    assert not app.exception
    assert "brightrun doctor" in said(app.error[0])


def test_failures_of_a_linked_batch_are_listed_and_a_damaged_link_shows_the_newest_page(made: Pages) -> None:
    batch_id = list_batches(made.stores)[0].id
    app = made.open(FAILURES, batch=str(batch_id))
    assert not app.exception
    assert ONE_OF_ONE in captions(app)
    assert ["Cut at a quotation"] == list(app.dataframe[0].value["pattern"])

    app = made.open(FAILURES, after="nonsense")
    assert not app.exception
    assert "does not exist" in said(app.warning[0])
    assert ONE_OF_ONE in captions(app)


@pytest.mark.parametrize(
    ("page", "link"),
    [
        (FAILURES, {"batch": "foo", "dates": "yesterday", "turn": "x", "prompt": "..", "structured": "maybe"}),
        (FAILURES, {"dates": "9999-12-31", "hour": "9999-12-31T23", "turn": "0"}),
        (CONVERSATIONS, {"batch": "foo", "review": "zz", "quality": "nan", "conversation": "zzz"}),
    ],
)
def test_what_cannot_be_read_of_a_link_is_named_and_taken_out(made: Pages, page: str, link: dict[str, str]) -> None:
    app = made.open(page, **link, model="none such")

    assert not app.exception
    assert all(f"{name} \N{LEFT DOUBLE QUOTATION MARK}" in said(app.warning[0]) for name in link)
    assert {"model": "none such"} == app.query_params


@pytest.mark.parametrize("page", [FAILURES, CONVERSATIONS])
def test_what_no_database_takes_is_not_asked_of_it(made: Pages, page: str) -> None:
    app = made.open(page, text="a\0b", model="\0", persona="\0")

    assert not app.exception
    assert not app.error
    assert {} == app.query_params


def test_an_hour_and_days_are_both_filters(made: Pages) -> None:
    moment = made.services.failures.list_page(FailureFilters()).rows[0].created_at
    hour, day = f"{moment:%Y-%m-%dT%H}", f"{moment:%Y-%m-%d}"

    assert ONE_OF_ONE in captions(made.open(FAILURES, hour=hour, dates=day))
    assert "No failed generation fits" in said(made.open(FAILURES, hour=hour, dates="2020-01-01").info[0])


def test_a_linked_report_shows_the_reply_as_text(made: Pages, failure_id: UUID) -> None:
    app = made.open(FAILURES, failure=str(failure_id))

    assert not app.exception
    assert any("cut here" in code.value for code in app.code)
    assert any('{"turns": []}' in code.value for code in app.code)


def test_a_conversation_is_read_and_approved(made: Pages) -> None:
    row = made.services.conversations.list_page().rows[0]
    app = made.open(CONVERSATIONS, conversation=str(row.id))
    assert not app.exception
    assert 4 == len(app.chat_message)

    press(app, "Approve")

    assert "approved" == made.services.conversations.get(row.id).review_status
