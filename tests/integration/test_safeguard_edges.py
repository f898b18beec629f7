"""Where breaker, canary and budget begin to hold: at exactly their limit, and one item or one cent beyond it."""

import pytest

from core.domain.batches.batch import BatchId, BatchStatus
from tests.factories import make_selection
from tests.support.results import accept, fail
from tests.support.stores import Stores, lease, read, record, submit

CALL_USD = 0.45
"""What a call is expected to cost before the first, so that costs do not change what is expected."""


def close(stores: Stores, batch_id: BatchId, *, accepted: int = 0, failed: int = 0) -> None:
    """Close items one after the other, the accepted ones first."""
    for is_accepted in [True] * accepted + [False] * failed:
        (item,) = lease(stores, batch_id, wanted=1)
        record(stores, accept(item) if is_accepted else fail(item))


def test_thirty_percent_of_the_last_twenty_is_within_the_breaker_and_one_more_is_not(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 2, 12), concurrency=1)

    close(stores, batch_id, accepted=14, failed=6)
    assert BatchStatus.PROCESSING is read(stores, batch_id).status
    close(stores, batch_id, failed=1)

    paused = read(stores, batch_id)
    assert BatchStatus.PAUSED is paused.status
    assert "7 of the last 20 items failed (more than 30 %)" in (paused.status_reason or "")


def test_breaker_waits_for_twenty_closed_items(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 2, 12), concurrency=1)

    close(stores, batch_id, accepted=1, failed=18)
    assert BatchStatus.PROCESSING is read(stores, batch_id).status
    close(stores, batch_id, failed=1)

    assert BatchStatus.PAUSED is read(stores, batch_id).status


def test_breaker_forgets_what_is_older_than_the_last_twenty(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 3, 16), concurrency=1)
    close(stores, batch_id, accepted=14, failed=6)

    close(stores, batch_id, accepted=20)
    close(stores, batch_id, failed=6)

    assert BatchStatus.PROCESSING is read(stores, batch_id).status


@pytest.mark.parametrize(("failed", "status"), [(3, BatchStatus.PROCESSING), (4, BatchStatus.PAUSED)])
def test_thirty_percent_of_the_canary_may_fail(stores: Stores, failed: int, status: BatchStatus) -> None:
    batch_id = submit(stores, make_selection(1, 1, 12), canary_items=10, concurrency=10)
    items = lease(stores, batch_id)
    first, *others, last = items
    record(stores, accept(first), *(fail(item) for item in others[:failed]), *(accept(item) for item in others[failed:]))

    assert () == lease(stores, batch_id), "its last item is still open, whatever the others say"
    assert BatchStatus.PROCESSING is read(stores, batch_id).status
    record(stores, accept(last))

    rest = lease(stores, batch_id)
    assert (status, 2 if status is BatchStatus.PROCESSING else 0) == (read(stores, batch_id).status, len(rest))


def test_canary_of_more_items_than_the_batch_has_is_the_whole_batch(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 2), canary_items=5, concurrency=5)

    close(stores, batch_id, accepted=2)

    assert BatchStatus.COMPLETED is read(stores, batch_id).status


def test_budget_is_spent_to_the_last_cent_and_not_beyond(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 10), budget_usd=3 * CALL_USD, concurrency=10)

    items = lease(stores, batch_id)
    assert 3 == len(items), "three calls cost exactly the budget"
    record(stores, *(accept(item, cost_usd=str(CALL_USD)) for item in items))

    assert () == lease(stores, batch_id)
    paused = read(stores, batch_id)
    assert (BatchStatus.PAUSED, 3 * CALL_USD) == (paused.status, pytest.approx(paused.cost_usd))
    assert paused.needed_budget_usd == pytest.approx(4 * CALL_USD)


def test_budget_one_cent_short_of_a_call_does_not_make_it(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 10), budget_usd=3 * CALL_USD - 0.01, concurrency=10)

    items = lease(stores, batch_id)
    assert 2 == len(items)
    assert () == lease(stores, batch_id), "what is in flight is spent already"
    assert BatchStatus.PROCESSING is read(stores, batch_id).status
    record(stores, *(accept(item, cost_usd=str(CALL_USD)) for item in items))

    assert () == lease(stores, batch_id)
    paused = read(stores, batch_id)
    assert BatchStatus.PAUSED is paused.status
    assert paused.needed_budget_usd == pytest.approx(3 * CALL_USD)
