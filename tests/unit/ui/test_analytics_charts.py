"""The figures of Failure Analytics by themselves, and their marks."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from core.domain.diagnosis.diagnosis import Bucket, MatrixCell, TimeRow, TokenRow
from core.domain.diagnosis.intervals import measure_rate
from core.domain.diagnosis.outcomes import BatchOutcome
from core.ui.analytics.charts import describe_timeline, describe_tokens, draw_timeline, draw_tokens
from core.ui.analytics.links import mark_time
from core.ui.charts.heat_map import describe_heatmap, draw_heatmap, make_rate_cells
from core.ui.charts.rate_chart import FEW_COLOR, LabeledRate, describe_rates, draw_rates
from core.ui.shell.failure_filters import describe_rare
from tests.support.heat_maps import list_cells


def test_marks_of_time_are_days_and_hours() -> None:
    start = datetime(2026, 11, 22, 14, tzinfo=UTC)

    assert {"hour": "2026-11-22T14"} == mark_time(start, Bucket.HOUR)
    assert {"dates": "2026-11-22..2026-11-22"} == mark_time(start, Bucket.DAY)


def test_rates_have_whiskers_numbers_and_words_and_few_items_are_grey() -> None:
    rows = [
        LabeledRate(label="Shame <b>", rate=measure_rate(31, 111)),
        LabeledRate(label="Rare", rate=measure_rate(1, 2)),
    ]

    figure = draw_rates(rows)

    bars, numbers = figure.data
    assert FEW_COLOR == bars.marker.color[1] != bars.marker.color[0]
    assert "28 % (20-37 %) · 31 of 111" == numbers.text[0].strip()
    assert pytest.approx(100 * (rows[0].rate.high or 0)) == bars.x[0] + bars.error_x.array[0]
    assert "Shame &lt;b&gt;" == figure.layout.yaxis.ticktext[0]
    assert "1 of 2 failed, 50 % (9.5-91 %), not enough data" in describe_rates("By arc", rows)


def test_cells_of_a_heat_map_keep_their_order_and_thin_ones_have_no_colour() -> None:
    cells = [
        MatrixCell(row=f"Arc {n}", column="Marcus", row_key=str(n), column_key="m", rate=measure_rate(n, 4 + n))
        for n in range(3)
    ]

    drawn = make_rate_cells(cells, turned=True)
    shown = list_cells(draw_heatmap(drawn, highest=0.5))

    assert [True, False, False] == [cell["is_thin"] for cell in shown]
    assert [0, 1, 2] == [cell["column"] for cell in shown]  # In their order: a click tells a cell's number.
    assert ["0 %", "20 %", "33 %"] == [cell["text"] for cell in shown]
    assert [FEW_COLOR, "black", "black"] == [cell["ink"] for cell in shown]
    assert "white" == list_cells(draw_heatmap(drawn, highest=0.3))[2]["ink"]
    assert "Arc 2, Marcus: 2 of 6 failed" in describe_heatmap("Arcs", drawn)


def test_the_time_line_marks_batches_on_the_readers_clock() -> None:
    start = datetime(2026, 11, 22, 14, tzinfo=UTC)
    closed = timedelta(minutes=7)
    rows = [
        TimeRow(start=start + timedelta(hours=n), at=start + timedelta(hours=n) + closed, rate=measure_rate(n, 10))
        for n in range(3)
    ]
    batch = BatchOutcome(slot=0, id=uuid4(), name="<i>Mine</i>", created_at=start)

    figure = draw_timeline(rows, Bucket.HOUR, [batch], "Europe/Berlin")

    _, _, rates, batches = figure.data
    assert (0.0, 10.0, 20.0) == rates.y
    assert [row.at.replace(tzinfo=None) for row in rows] == list(rates.x)
    assert 15 == batches.x[0].hour
    assert "&lt;i&gt;Mine&lt;/i&gt;" == batches.customdata[0]
    assert "22 Nov 2026, 14:00-14:59" == rates.customdata[0][0]
    assert "2026-11-22 16:00 2 of 10 failed" in describe_timeline(rows)


def test_tokens_are_drawn_against_the_limit() -> None:
    rows = [
        TokenRow(share_from=0.0, share_to=0.05, accepted=80, failed=7),
        TokenRow(share_from=1.0, share_to=1.0, accepted=0, failed=2),
    ]

    accepted, failed = draw_tokens(rows).data

    assert ((80, 0), (7, 2), (0, 20)) == (accepted.y, failed.y, failed.x)
    assert "0-5 %: 80 accepted, 7 failed; all: 0 accepted, 2 failed" in describe_tokens(rows)


def test_rare_filters_are_said_in_words() -> None:
    link = {
        "fingerprint": "truncation|end_turn|backslash",
        "turn": "4",
        "tokens": "20",
        "prompt": "8600..8700",
        "hour": "2026-11-22T14",
        "type": "truncation",
        "structured": "off",
    }

    words = describe_rare(link)

    assert "type" not in words
    assert ("Turn 4", "All of max output tokens used", "Structured output off") == (
        words["turn"],
        words["tokens"],
        words["structured"],
    )
    assert "Hour: 2026-11-22, 14:00" == words["hour"]
    assert words["fingerprint"].startswith("Failure signature: Text ends at a lone backslash")
    assert "5-10 % of max output tokens used" == describe_rare({"tokens": "1"})["tokens"]
