"""Failed generations as the page reads them: both directions, counts for charts, search by words, options; strangers."""

from uuid import uuid4

import pytest

from core.adapters.supabase.failures import SupabaseFailureStore
from core.config import Settings
from core.domain.batches.results import FailureFilters
from core.domain.paging import Direction
from core.errors import NotFound
from tests.support.stack import sign_up
from tests.support.stores import Stores, fail_some

SOME: tuple[dict[str, object], ...] = ({}, {"stop_reason": "max_tokens"}, {"stop_reason": None}, {}, {})


def test_pages_lead_to_older_and_back_to_newer_rows(stores: Stores) -> None:
    fail_some(stores, *SOME)
    failures = stores.failures

    first = failures.list_page(page_size=2)
    second = failures.list_page(page_size=2, cursor=first.next_cursor)
    third = failures.list_page(page_size=2, cursor=second.next_cursor)

    assert [0, 2, 4] == [page.newer for page in (first, second, third)]
    assert (None, None) == (first.previous_cursor, third.next_cursor)
    assert second == failures.list_page(page_size=2, cursor=third.previous_cursor, direction=Direction.NEWER)
    assert first == failures.list_page(page_size=2, cursor=second.previous_cursor, direction=Direction.NEWER)


def test_the_place_of_a_failure_is_among_the_filtered_ones(stores: Stores) -> None:
    fail_some(stores, *SOME)
    rows = stores.failures.list_page().rows
    ended = [row.id for row in rows if row.stop_reason == "end_turn"]
    failures = stores.failures

    place = failures.find_place(ended[1], FailureFilters(stop_reason="end_turn"))

    assert (ended[0], ended[2], 1, 3) == (place.newer_id, place.older_id, place.newer, place.total)
    last = failures.find_place(rows[4].id)
    assert (rows[3].id, None, 4, 5) == (last.newer_id, last.older_id, last.newer, last.total)


def test_a_page_that_is_gone_shows_the_first(stores: Stores) -> None:
    fail_some(stores, {}, {})
    failures = stores.failures
    first = failures.list_page()
    last_row = failures.list_page(page_size=1).next_cursor
    only_newer = failures.list_page(FailureFilters(), cursor=last_row)
    assert last_row is not None

    gone = last_row.model_copy(update={"created_at": last_row.created_at.replace(year=2020)})

    assert first == failures.list_page(cursor=gone)
    assert 1 == only_newer.newer


def test_each_chart_leaves_its_own_filter_out(stores: Stores) -> None:
    fail_some(stores, *SOME)

    counted = stores.failures.count(FailureFilters(stop_reason="max_tokens"))

    assert (1, {"truncation": 1}, {"lone_backslash": 1}) == (counted.total, counted.by_type, counted.by_pattern)
    assert {"end_turn": 3, "max_tokens": 1, "none": 1} == counted.by_stop_reason


@pytest.mark.parametrize(
    ("text", "found"), [("stops", 2), ("STOPS turn", 2), ("sto tur", 2), ("tops", 0), ("stops elsewhere", 0), ("\\", 0)]
)
def test_every_word_of_a_search_begins_a_word_of_the_text(stores: Stores, text: str, found: int) -> None:
    fail_some(stores, {}, {})

    assert found == stores.failures.count(FailureFilters(text=text)).total
    assert found == len(stores.failures.list_page(FailureFilters(text=text)).rows)


def test_rows_and_options_name_the_batch_and_rows_what_they_were_made_from(stores: Stores) -> None:
    batch_id = fail_some(stores, {})

    row = stores.failures.list_page().rows[0]
    assert all((row.persona, row.arc, row.topic))

    (option,) = stores.failures.list_options().batches

    assert (batch_id, "A batch") == (option.id, option.name)


def test_a_stranger_finds_no_words_of_others(stores: Stores, seeded: Settings) -> None:
    fail_some(stores, {})

    with sign_up(seeded) as stranger:
        store = SupabaseFailureStore(analyst=stranger)
        assert 0 == store.count(FailureFilters()).total
        assert () == store.list_page(FailureFilters(text="stops")).rows
        assert () == store.list_options().batches
        assert [] == stranger.client.rpc("find_failures_by_words", {"search": "stops"}).execute().data
        with pytest.raises(NotFound):
            store.get(uuid4())
