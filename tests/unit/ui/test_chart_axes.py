"""Room for labels, estimated without a browser."""

from typing import cast

import pytest

from core.ui.charts.axes import estimate_room, make_frame


@pytest.mark.parametrize(
    ("label", "pixels"),
    [
        ("unexpected_stop_reason", 110.8),
        ("long_unclosed_string", 95.6),
        ("max_tokens", 54.0),
        ("Jennifer Martinez", 76.9),
        ("end_turn", 40.7),
        ("100%", 24.7),
        ("5k", 11.2),
    ],
)
def test_a_label_has_the_room_that_the_browser_takes_for_it_and_little_more(label: str, pixels: float) -> None:
    """The pixels are what Chromium measured."""
    assert pixels < estimate_room([label]) < 1.3 * pixels + 9


def test_the_longest_label_counts_and_unknown_letters_are_wide() -> None:
    assert estimate_room(["a", "abc"]) == estimate_room(["abc"]) > estimate_room(["a"])
    assert estimate_room(["財務計画"]) >= 4 * 10.5
    assert estimate_room(["ÄÖ"]) > estimate_room(["ao"])


def test_lines_below_have_room_and_no_labels_need_none() -> None:
    bare, labeled = (
        cast("dict[str, float]", frame["margin"])
        for frame in (make_frame(100), make_frame(100, left=["refusal"], bottom_lines=2))
    )

    assert max(bare["l"], bare["b"]) < 9
    assert labeled["l"] > 30
    assert labeled["b"] > 28
