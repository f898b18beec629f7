"""Heat maps: titles that fit, cells that say what they are."""

import json
from typing import Any
from uuid import uuid4

from core.domain.batches.overview import Coverage, CoverageCell, CoveredArc, CoveredPersona
from core.domain.scaffolding.records import ArcId, ConversationCategory, PersonaId
from core.ui.charts.heat_map import COVERAGE_SCALE, HeatCell, draw_heatmap, make_coverage_cells, wrap_titles
from tests.support.heat_maps import list_cells, read_parameter


def test_titles_break_at_the_arrow_at_underscores_and_between_words_and_their_last_lines_are_level() -> None:
    arc, pattern = wrap_titles(["Couple Conflict → Alignment", "unexpected_stop_reason"], 12)

    assert ["Couple", "Conflict\N{NO-BREAK SPACE}→", "Alignment"] == arc
    assert ["", "unexpected_", "stop_reason"] == pattern
    assert [["Couple Conflict\N{NO-BREAK SPACE}→", "Alignment"]] == wrap_titles(["Couple Conflict → Alignment"], 30)


def test_a_title_is_as_wide_as_its_column_allows_whatever_it_is() -> None:
    long = "a very long name of an arc that nobody would give → and one more that is as long as the first"

    for lines in wrap_titles(["W" * 200, long], 12):
        assert len(lines) <= 4
        assert max(map(len, lines)) <= 12


def test_titles_of_narrow_columns_slant() -> None:
    def draw_axis(columns: int) -> dict[str, Any]:
        cells = [HeatCell(row="Row", column=f"Grief → Healing {n}", value=1, text="1", note="") for n in range(columns)]
        spec = draw_heatmap(cells)
        assert (columns == 20) == (["Grief → Healing 1"] in read_parameter(spec, "columns"))
        return spec["encoding"]["x"]["axis"]

    assert 0 == draw_axis(4)["labelAngle"]
    assert draw_axis(20)["labelAngle"] < 0


def test_names_are_data_and_no_expression() -> None:
    hostile = '"] + eval("1") + ["'
    spec = draw_heatmap([HeatCell(row=hostile, column=hostile, value=1, text=hostile, note=hostile)])

    data = {"params": spec.pop("params")}
    assert "eval" in json.dumps(data)
    assert "eval" not in json.dumps(spec)


def test_coverage_says_topics_in_rows_of_personas() -> None:
    marcus, jennifer = (
        CoveredPersona(id=PersonaId(uuid4()), key=name.lower(), name=name) for name in ("Marcus", "Jennifer")
    )
    arc = CoveredArc(
        id=ArcId(uuid4()), key="fear", name="Fear → Confidence", conversation_category=ConversationCategory.CORE
    )
    cell = CoverageCell(persona_id=jennifer.id, emotional_arc_id=arc.id, topics=13, conversations=40)
    coverage = Coverage(topics=20, personas=(marcus, jennifer), arcs=(arc,), cells=(cell,))

    cells = make_coverage_cells(coverage)
    shown = list_cells(draw_heatmap(cells, highest=coverage.topics, scale=COVERAGE_SCALE))

    assert ["Marcus, Fear → Confidence: 0 of 20 topics", "Jennifer, Fear → Confidence: 13 of 20 topics"] == [
        each.note for each in cells
    ]
    assert [(0, "0", "black"), (13, "13", "white")] == [(cell["value"], cell["text"], cell["ink"]) for cell in shown]
