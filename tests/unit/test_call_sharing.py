"""How one worker divides its calls among batches, and how an item that kills workers runs alone."""

from uuid import uuid4

from core.domain.batches.batch import BatchId
from core.domain.batches.call_sharing import share_calls
from core.services.call_slots import CallSlots

FIRST, SECOND, THIRD = (BatchId(uuid4()) for _ in range(3))
ANALYST, COLLEAGUE = uuid4(), uuid4()


def test_each_batch_gets_what_it_wants_where_there_is_room() -> None:
    owners = {FIRST: ANALYST, SECOND: COLLEAGUE}

    assert {FIRST: 150, SECOND: 2} == share_calls({FIRST: 150, SECOND: 2}, owners, 200)


def test_a_small_batch_is_served_whole_beside_a_large_one() -> None:
    owners = {FIRST: ANALYST, SECOND: COLLEAGUE}

    assert {FIRST: 8, SECOND: 2} == share_calls({FIRST: 200, SECOND: 2}, owners, 10)


def test_two_analysts_get_equal_shares_however_many_batches_each_has() -> None:
    owners = {FIRST: ANALYST, SECOND: ANALYST, THIRD: COLLEAGUE}

    assert {FIRST: 25, SECOND: 25, THIRD: 50} == share_calls(dict.fromkeys(owners, 200), owners, 100)


def test_no_more_is_given_out_than_there_is_and_nobody_starves() -> None:
    owners = {BatchId(uuid4()): uuid4() for _ in range(7)}

    shares = share_calls(dict.fromkeys(owners, 9), owners, 20)

    assert 20 == sum(shares.values())
    assert {2, 3} == set(shares.values())


def test_calls_in_flight_count_against_a_share() -> None:
    slots = CallSlots(capacity=10)
    slots.join(FIRST, ANALYST)
    slots.join(SECOND, COLLEAGUE)
    slots.note(FIRST, wanted=50, calling=9)
    slots.note(SECOND, wanted=50, calling=0)

    assert (-4, 5) == (slots.count_free(FIRST), slots.count_free(SECOND))
    slots.leave(SECOND)
    assert 1 == slots.count_free(FIRST)


def test_a_suspect_waits_until_nothing_else_runs_and_keeps_the_others_waiting() -> None:
    slots = CallSlots(capacity=10)
    slots.join(FIRST, ANALYST)
    slots.join(SECOND, COLLEAGUE)
    slots.note(FIRST, wanted=5, calling=0)
    slots.note(SECOND, wanted=5, calling=1)

    assert not slots.begin_alone(FIRST), "a call of another batch is still in flight"
    assert 0 == slots.count_free(SECOND), "and it starts no more"
    slots.note(SECOND, wanted=5, calling=0)
    assert slots.begin_alone(FIRST)
    assert not slots.begin_alone(SECOND), "one suspect at a time"
    slots.end_alone(FIRST)
    assert 5 == slots.count_free(SECOND)
