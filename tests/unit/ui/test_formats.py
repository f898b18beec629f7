"""Values as readers see them."""

from datetime import UTC, datetime

import pytest

from core.domain.amounts import format_duration, format_money
from core.domain.batches.batch import BatchStatus
from core.domain.diagnosis.plain_names import name_failure_type
from core.ui.charts.figures import FAILURE_COLOR, describe_counts, draw_counts
from core.ui.shell.formats import (
    escape_markdown,
    escape_message,
    format_count,
    format_share,
    format_throughput,
    format_time,
    format_words,
)
from core.ui.shell.status import find_status_look


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (1800, "30 min"),
        (3599, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (-3, "0 s"),
    ],
)
def test_durations(seconds: float, expected: str) -> None:
    assert format_duration(seconds) == expected


@pytest.mark.parametrize(("usd", "expected"), [(0, "$0.00"), (0.0123, "$0.0123"), (40.5, "$40.50"), (1234.5, "$1,234.50")])
def test_money(usd: float, expected: str) -> None:
    assert format_money(usd) == expected


def test_counts_shares_rates_and_words() -> None:
    assert (format_count(1, "batch", "batches"), format_count(1200, "conversation")) == ("1 batch", "1,200 conversations")
    assert (format_share(None), format_share(0.204)) == ("\N{EN DASH}", "20 %")
    assert (format_throughput(None), format_throughput(3)) == ("\N{EN DASH}", "3.0 / min")
    assert format_words("cash_flow") == "Cash flow"


def test_times_are_the_readers_own_or_say_utc() -> None:
    moment = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)

    assert format_time(moment, "Europe/Berlin") == "23 Nov 2026, 00:30"
    assert format_time(moment, None) == "22 Nov 2026, 23:30 UTC"
    assert format_time(moment, "Nowhere/Atlantis") == "22 Nov 2026, 23:30 UTC"


def test_markdown_is_shown_as_it_is() -> None:
    assert escape_markdown("**a** [b](c)\n# $x$ :red[d]") == r"\*\*a\*\* \[b\](c) \# \$x\$ \:red\[d\]"
    assert [escape_markdown(text) for text in ("- a", "12. b", "a-b 1.5")] == [r"\- a", r"12\. b", "a-b 1.5"]


@pytest.mark.parametrize("text", ["---", "-", "+", "=", "1.", "2)", "- a", "+ a", "--"])
def test_a_text_never_becomes_a_block_of_markdown(text: str) -> None:
    assert escape_markdown(text)[0] in "\\:" or escape_markdown(text)[1] == "\\"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("see https://a.example/b", r"see https:color[\:]{}//a.example/b"),
        ("HTTP://a.example", r"HTTP:color[\:]{}//a.example"),
        ("www.a.example", r"www:color[\.]{}a.example"),
        ("me@a.example", r"me:color[\@]{}a.example"),
        (":smile:", r":color[\:]{}smile\:"),
        (":material/home:", r":color[\:]{}material/home\:"),
        ("a -> b <- c", r"a :color[\-]{}\> b :color[\<]{}- c"),
        ("--limit >= 3", r":color[\-]{}-limit :color[\>]{}= 3"),
        ("&copy;", r"\&copy;"),
    ],
)
def test_what_is_rewritten_after_the_escapes_is_kept_apart(text: str, escaped: str) -> None:
    assert escape_markdown(text) == escaped


def test_characters_that_would_turn_the_page_around_are_shown_as_unreadable() -> None:
    assert escape_markdown("a\u202eb\u2066c\x1bd") == "a\ufffdb\ufffdc\ufffdd"


def test_names_in_charts_are_text_and_short() -> None:
    hostile = '<a href="https://a.example">x</a>' + 100 * "y"

    figure = draw_counts({hostile: 2, hostile + "z": 1}, FAILURE_COLOR, name_failure_type)

    assert len(set(figure.data[0].y)) == 2
    for shown in (*figure.data[0].customdata, *figure.layout.yaxis.ticktext):
        assert shown.startswith("&lt;a href")
        assert len(shown) < 60


def test_of_a_message_only_our_own_commands_are_code() -> None:
    text = "Start one: `python worker.py`, or `brightrun prune --older-than-days 30`. It said `*x*` and `brightrun <b>`."

    assert escape_message(text) == (
        r"Start one\: `python worker.py`, or `brightrun prune --older-than-days 30`. "
        r"It said \`\*x\*\` and \`brightrun \<b\>\`."
    )


def test_every_status_has_an_icon_of_its_own() -> None:
    assert len({find_status_look(status).icon for status in BatchStatus}) == len(BatchStatus)


def test_a_chart_has_its_largest_bar_first_and_says_itself_in_words() -> None:
    counts = {"refusal": 1, "truncation": 12}

    figure = draw_counts(counts, FAILURE_COLOR, name_failure_type)

    assert list(figure.data[0].y) == ["Cut off", "Declined"]
    assert list(figure.data[0].customdata) == ["Cut off (truncation)", "Declined (refusal)"]
    assert describe_counts("Failures", counts, name_failure_type) == "Failures: Declined 1, Cut off 12"
