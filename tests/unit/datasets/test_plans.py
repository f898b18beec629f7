"""What a top-up asks for."""

from collections import Counter
from uuid import UUID

from core.domain.batches.batch import SkipExisting
from core.domain.datasets.plans import CellProgress, plan_top_ups
from core.domain.scaffolding.records import ConversationCategory


def make_cell(persona: int, arc: int, topic: int, to_generate: int, category: str = "core") -> CellProgress:
    counts = dict.fromkeys(("accepted", "approved", "rejected", "failed", "open"), 0)
    return CellProgress.model_validate(
        counts
        | {
            "persona_id": UUID(int=persona),
            "emotional_arc_id": UUID(int=arc),
            "training_topic_id": UUID(int=topic),
            "category": category,
            **{name: name for name in ("persona", "persona_key", "arc", "arc_key", "topic")},
            "wanted": max(to_generate, 1),
            "to_generate": to_generate,
        }
    )


def test_a_batch_for_each_category_takes_exactly_what_is_missing() -> None:
    cells = [make_cell(1, 1, 1, 2), make_cell(1, 2, 1, 0), make_cell(2, 1, 3, 1), make_cell(1, 9, 1, 1, "edge")]

    core, edge = plan_top_ups(cells, SkipExisting.REAL)

    selection = core.selection
    assert (ConversationCategory.CORE, ConversationCategory.EDGE) == (selection.category, edge.selection.category)
    named = Counter(
        (
            selection.persona_ids[position // (len(selection.arc_ids) * len(selection.topic_ids))].int,
            selection.arc_ids[position // len(selection.topic_ids) % len(selection.arc_ids)].int,
            selection.topic_ids[position % len(selection.topic_ids)].int,
        )
        for position in core.picks
    )
    assert {(1, 1, 1): 2, (2, 1, 3): 1} == named
    assert 1 == len(edge.picks)


def test_every_combination_comes_once_before_any_comes_twice() -> None:
    (top_up,) = plan_top_ups([make_cell(p, a, 1, 3) for p in range(3) for a in range(2)], SkipExisting.ANY)

    assert [6, 6, 6] == [len(set(top_up.picks[start : start + 6])) for start in (0, 6, 12)]


def test_a_full_plan_needs_no_batch() -> None:
    assert () == plan_top_ups([make_cell(1, 1, 1, 0)], SkipExisting.REAL)
