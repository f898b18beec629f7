"""Heat maps: titles that fit, cells that say what they are."""

from typing import Any
from uuid import uuid4

from core.domain.batches.overview import Coverage, CoverageCell, CoveredArc, CoveredPersona
from core.domain.scaffolding.records import ArcId, ConversationCategory, PersonaId
from core.ui.charts.heat_map import COVERAGE_SCALE, HeatCell, draw_heatmap, make_coverage_cells


def draw_titles(*columns: str, is_wide: bool = False) -> list[list[str]]:
    cells = [HeatCell(row="Row", column=column, value=1, text="1", note="") for column in columns]
    figure: Any = draw_heatmap(cells, is_wide=is_wide)
    return [title.split("<br>") for title in figure.layout.xaxis.ticktext]


def test_titles_break_at_the_arrow_at_underscores_and_between_words() -> None:
    arc, pattern = draw_titles("Couple Conflict → Alignment", "unexpected_stop_reason", *"abcd")[:2]

    assert ["Couple", "Conflict\N{NO-BREAK SPACE}→", "Alignment"] == arc
    assert ["unexpected_", "stop_reason"] == pattern
    assert ["Couple Conflict\N{NO-BREAK SPACE}→", "Alignment"] == draw_titles("Couple Conflict → Alignment", is_wide=True)[0]


def test_a_title_is_as_wide_as_its_column_allows_whatever_it_is() -> None:
    long = "a very long name of an arc that nobody would give → and one more that is as long as the first"

    for lines in draw_titles("W" * 200, long, *"abcdef"):
        assert len(lines) <= 4
        assert max(map(len, lines)) <= 12


def test_names_are_text_and_no_tags() -> None:
    assert [["&lt;b&gt;x&lt;/b&gt;"]] == draw_titles("<b>x</b>")


def test_coverage_says_topics_in_rows_of_personas() -> None:
    marcus, jennifer = (CoveredPersona(id=PersonaId(uuid4()), name=name) for name in ("Marcus", "Jennifer"))
    arc = CoveredArc(id=ArcId(uuid4()), name="Fear → Confidence", conversation_category=ConversationCategory.CORE)
    cell = CoverageCell(persona_id=jennifer.id, emotional_arc_id=arc.id, topics=13, conversations=40)
    coverage = Coverage(topics=20, personas=(marcus, jennifer), arcs=(arc,), cells=(cell,))

    cells = make_coverage_cells(coverage)
    figure: Any = draw_heatmap(cells, highest=coverage.topics, scale=COVERAGE_SCALE)
    bars, texts = figure.data

    assert ["Marcus, Fear → Confidence: 0 of 20 topics", "Jennifer, Fear → Confidence: 13 of 20 topics"] == [
        each.note for each in cells
    ]
    assert ("0", "13") == texts.text
    assert ("black", "white") == texts.textfont.color
    assert bars.marker.color[0] != bars.marker.color[1]
