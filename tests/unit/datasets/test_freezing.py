"""What gets into a version, and why the rest does not."""

from typing import Any
from uuid import UUID

import pytest

from core.domain.datasets.freezing import GATES, Candidate, VersionBuilder, VersionSoFar, find_problem
from core.domain.datasets.token_lengths import TokenMeasure
from core.domain.datasets.versions import (
    REPLACEABLE,
    CountedStatus,
    ExclusionReason,
    VersionRule,
    explain_exclusion,
    make_fingerprint,
    order_exclusions,
)
from core.domain.verdict.conversation import Role
from tests.support.datasets import TEXTS, make_candidate, make_turns

COMBINATION = (UUID(int=1), UUID(int=2), UUID(int=3))
APPROVED = VersionRule(counted=CountedStatus.APPROVED)


def make_builder(rule: VersionRule = APPROVED, wanted: int = 10) -> VersionBuilder:
    return VersionBuilder(rule, {COMBINATION: wanted})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"review_status": "rejected"}, ExclusionReason.REJECTED),
        ({"review_status": "pending_review"}, ExclusionReason.NOT_REVIEWED),
        ({"simulated": True}, ExclusionReason.SIMULATED),
        ({"turns": make_turns(TEXTS[0], "First the rate, because it dec")}, ExclusionReason.FAILED_VERDICT),
        ({"turns": make_turns(TEXTS[0])}, ExclusionReason.FAILED_VERDICT),
        ({"turns": make_turns()[1:]}, ExclusionReason.FAILED_VERDICT),
        ({"persona_id": UUID(int=7)}, ExclusionReason.BEYOND_PLAN),
    ],
)
def test_what_may_not_be_in_it_is_kept_out_with_the_reason(changes: dict[str, Any], reason: ExclusionReason) -> None:
    builder, candidate = make_builder(), make_candidate(**changes)

    assert builder.add(candidate) is None

    assert {candidate.id: reason} == builder.excluded
    assert {reason.value: 1} == builder.summarize()["exclusions"]


def test_the_first_of_equal_texts_counts_and_positions_have_no_holes() -> None:
    builder = make_builder()

    placed = [builder.add(make_candidate(turns=make_turns())) for _ in range(3)] + [builder.add(make_candidate())]

    assert [0, None, None, 1] == placed
    assert {"duplicate": 2} == builder.summarize()["exclusions"]


def test_as_many_as_the_plan_asks_for_and_no_more() -> None:
    builder = make_builder(wanted=2)

    assert [0, 1, None] == [builder.add(make_candidate()) for _ in range(3)]
    assert {"core": 2} == builder.summarize()["counts"]["category"]


def test_what_reviewers_did_and_each_cell_are_noted_with_the_version() -> None:
    builder = make_builder()
    for changes in ({"was_read": True}, {"was_read": True, "was_edited": True}, {}):
        builder.add(make_candidate(**changes))

    summary = builder.summarize()

    assert {"approved": 3, "approved_after_reading": 2, "edited": 1} == summary["reviews"]
    assert [3] == [count for arcs in summary["cells"].values() for count in arcs.values()]


def test_accepted_ones_count_unread_and_simulated_ones_where_asked_for() -> None:
    rule = VersionRule(counted=CountedStatus.ACCEPTED, include_simulated=True, longest_tokens=90)
    builder = make_builder(rule)

    assert 0 == builder.add(make_candidate(review_status="pending_review", simulated=True))
    long = make_candidate(turns=make_turns(TEXTS[0], "It is a long story. " * 20 + "It ends here."))
    assert builder.add(long) is None
    assert ExclusionReason.TOO_LONG is builder.excluded[long.id]


def test_lengths_are_counted_as_asked_for_and_noted_with_the_version() -> None:
    rule = VersionRule(counted=CountedStatus.APPROVED, longest_tokens=90)
    measure = TokenMeasure("words", lambda contents: sum(len(each.split()) for each in contents))
    builder = VersionBuilder(rule, {COMBINATION: 10}, measure)  # type: ignore[dict-item]

    assert 0 == builder.add(make_candidate(turns=make_turns(TEXTS[0], "It is a long story. " * 15 + "It ends here.")))
    assert builder.add(make_candidate(turns=make_turns(TEXTS[0], "It is a long story. " * 20 + "It ends here."))) is None

    assert ("words", 89) == (builder.summarize()["lengths"]["tokenizer"], builder.summarize()["lengths"]["longest"])
    assert make_builder().summarize()["lengths"] is None


def test_a_gate_more_is_an_entry_in_the_list() -> None:
    def check_model(candidate: Candidate, _: VersionSoFar) -> ExclusionReason | None:
        return ExclusionReason.TOO_LONG if candidate.model == "verbose" else None

    builder = VersionBuilder(APPROVED, {COMBINATION: 10}, gates=(*GATES, check_model))  # type: ignore[dict-item]

    assert [None, 0] == [builder.add(make_candidate(model="verbose")), builder.add(make_candidate())]


def test_of_what_is_kept_out_copies_and_what_is_cut_are_replaceable() -> None:
    builder = make_builder(VersionRule(counted=CountedStatus.ACCEPTED, include_simulated=True))
    rejected = make_candidate(turns=make_turns(), review_status="rejected")
    copy, cut = (
        make_candidate(turns=make_turns()),
        make_candidate(turns=make_turns(TEXTS[0], "First the rate, because it dec")),
    )
    for each in (rejected, make_candidate(turns=make_turns()), copy, cut, make_candidate(simulated=True)):
        builder.add(each)

    replaceable = {each: reason for each, reason in builder.excluded.items() if reason in REPLACEABLE}
    assert {copy.id: ExclusionReason.DUPLICATE, cut.id: ExclusionReason.FAILED_VERDICT} == replaceable
    assert ExclusionReason.REJECTED == builder.excluded[rejected.id]


def test_turns_that_do_not_alternate_are_not_whole() -> None:
    turns = make_turns()
    twice = (turns[0], turns[1].model_copy(update={"role": Role.USER}), *turns[2:])

    assert find_problem(turns) is None
    assert "in turn" in str(find_problem(twice))


def test_a_fingerprint_tells_of_order_ids_and_texts() -> None:
    one, two = (UUID(int=1), "a"), (UUID(int=2), "b")

    assert make_fingerprint([one, two]) == make_fingerprint([one, two])
    assert 4 == len({make_fingerprint(each) for each in ([one, two], [two, one], [one], [one, (UUID(int=2), "c")])})


def test_the_rarest_reason_comes_first_and_each_has_words_of_its_own() -> None:
    unread, cut = [UUID(int=number) for number in range(3)], UUID(int=9)
    excluded = dict.fromkeys(unread, ExclusionReason.NOT_REVIEWED) | {cut: ExclusionReason.FAILED_VERDICT}

    assert [cut, *unread] == [each.id for each in order_exclusions(excluded)]
    assert len(ExclusionReason) == len({explain_exclusion(reason) for reason in ExclusionReason})
