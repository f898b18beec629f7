"""What Failed Generations and Conversations draw."""

from datetime import date

from core.ui.charts.facet_chart import MOST_BARS, choose_bars
from core.ui.conversations.journey_chart import describe_journey, draw_journey
from core.ui.shell.link_state import find_moments
from core.ui.shell.pager import describe_place
from tests.support.results import parse


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
