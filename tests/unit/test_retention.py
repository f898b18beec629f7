"""Old bodies are forgotten in small steps, and nobody asks for them all the time."""

from dataclasses import dataclass, field
from uuid import UUID

import pytest

from core.errors import DatabaseUnavailable
from core.services.retention import LOOK_EVERY_SECONDS, MOST_ROWS, RetentionService


@dataclass
class House:
    """Has some old bodies; None: does not answer."""

    old: int | None
    asked: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    now: float = 0.0

    def drop_old_replies(self, keep_days: int, most: int) -> int:
        self.asked.append((keep_days, most))
        if self.old is None:
            raise DatabaseUnavailable("away")
        dropped = min(self.old, most)
        self.old -= dropped
        return dropped

    def note_spool(self, spool_id: UUID, host: str, files: int, oldest_seconds: float) -> None:
        raise AssertionError

    def read_clock(self) -> float:
        return self.now


def test_steps_follow_each_other_while_there_is_something_and_then_rest_for_an_hour() -> None:
    house = House(old=2 * MOST_ROWS + 1)
    retention = RetentionService(house=house, keep_days=30, clock=house.read_clock)

    assert [MOST_ROWS, MOST_ROWS, 1, 0, 0] == [retention.drop_old_replies() for _ in range(5)]
    assert house.asked == [(30, MOST_ROWS)] * 3
    house.now = LOOK_EVERY_SECONDS
    assert retention.drop_old_replies() == 0
    assert len(house.asked) == 4


def test_a_step_that_fails_is_not_tried_in_every_round() -> None:
    house = House(old=None)
    retention = RetentionService(house=house, keep_days=0, clock=house.read_clock)

    with pytest.raises(DatabaseUnavailable):
        retention.drop_old_replies()

    assert retention.drop_old_replies() == 0
    assert house.asked == [(0, MOST_ROWS)]


def test_what_is_kept_for_ever_is_not_asked_for() -> None:
    house = House(old=1)

    assert RetentionService(house=house, keep_days=None).drop_old_replies() == 0
    assert house.asked == []
