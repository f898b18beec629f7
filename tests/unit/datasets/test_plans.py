"""What a top-up asks for."""

from collections import Counter
from typing import cast
from uuid import UUID

from core.domain.batches.batch import MOST_ITEMS, Selection, SkipExisting
from core.domain.datasets.plans import CellProgress, describe_left, make_plan, plan_top_ups
from core.domain.datasets.versions import compare_members, describe_exclusions
from core.domain.scaffolding.records import ArcId, ConversationCategory, PersonaId, TopicId


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


def make_choice(limit: int | None) -> Selection:
    ids = tuple(UUID(int=number) for number in range(1, 5))
    return Selection(
        category=ConversationCategory.EDGE,
        persona_ids=cast("tuple[PersonaId, ...]", ids[:2]),
        arc_ids=cast("tuple[ArcId, ...]", ids[:3]),
        topic_ids=cast("tuple[TopicId, ...]", ids),
        limit=limit,
    )


def test_a_plan_without_a_limit_is_one_part() -> None:
    (part,) = make_plan(make_choice(None), 3)

    assert (2, 3, 4, 3) == (len(part.persona_ids), len(part.arc_ids), len(part.topic_ids), part.per_combination)


def test_a_limited_plan_takes_as_many_combinations_spread_evenly() -> None:
    parts = make_plan(make_choice(10))

    combinations = [(*part.persona_ids, *part.arc_ids, topic) for part in parts for topic in part.topic_ids]
    assert 10 == len(set(combinations)) == len(combinations)
    assert {5} == set(Counter(persona for persona, _, _ in combinations).values())
    assert all(count in {3, 4} for count in Counter(arc for _, arc, _ in combinations).values())


def test_versions_differ_by_what_was_added_removed_and_edited() -> None:
    one, two, three, four = (UUID(int=number) for number in range(4))

    change = compare_members({one: "a", two: "b", three: "c"}, {one: "a", two: "x", four: "d"})

    assert ((four,), (three,), (two,), 1) == (change.added, change.removed, change.edited, change.unchanged)


def test_exclusions_are_told_by_reason() -> None:
    assert "none" == describe_exclusions({})
    assert "1,200 not reviewed, 1 duplicate" == describe_exclusions({"not_reviewed": 1200, "duplicate": 1})


def test_a_batch_holds_no_more_than_it_may_and_the_rest_is_counted() -> None:
    (top_up,) = plan_top_ups([make_cell(1, 1, 1, 70_000), make_cell(1, 1, 2, 80_000)], SkipExisting.REAL)

    assert (MOST_ITEMS, 50_000) == (len(top_up.picks), top_up.left)
    assert "50,000 more need another top-up" in str(describe_left([top_up]))
    assert describe_left(plan_top_ups([make_cell(1, 1, 1, 2)], SkipExisting.REAL)) is None
