import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.domain.diagnosis.findings import (
    Evidence,
    StepKind,
    describe_finding,
    format_failure_rate,
    format_p,
)
from core.domain.diagnosis.intervals import difference_interval, measure_rate
from core.domain.diagnosis.outcomes import ACCEPTED, FailureSignature, OutcomeCells, Outcomes, TokenCount
from core.domain.diagnosis.sample_size import estimate_more_items
from core.domain.diagnosis.suspects import Suspect, SuspectName, SuspectStatus
from core.domain.percentages import format_percent, format_percent_range
from core.services.diagnostics import collect_evidence


def make_suspect(
    failed: int = 31, judged: int = 110, rest_failed: int = 0, rest: int = 300, field: str = "template"
) -> Suspect:
    difference = difference_interval(failed, judged, rest_failed, rest)
    return Suspect(
        names=(SuspectName(field=field, value="T", label=f"{field} T"),),
        rate=measure_rate(failed, judged),
        rest=measure_rate(rest_failed, rest),
        lift=None,
        difference=failed / judged - rest_failed / rest,
        difference_low=difference.low,
        difference_high=difference.high,
        p_value=1e-25,
        p_corrected=1e-23,
        status=SuspectStatus.NAMED,
    )


def make_evidence(
    pattern: str, stop_reason: str, failure_type: str = "truncation", *, shares: tuple[float, float]
) -> Evidence:
    return Evidence(
        failures=31,
        failure_types={failure_type: 31},
        patterns={pattern: 31},
        stop_reasons={stop_reason: 31},
        share_low=shares[0],
        share_high=shares[1],
        request_ids=("req_1", "req_2"),
    )


def test_sentence_says_what_and_how_sure_and_what_they_share() -> None:
    evidence = make_evidence("lone_backslash", "end_turn", shares=(0.04, 0.09)).model_copy(update={"far_below_limit": 31})

    finding = describe_finding(make_suspect(), evidence, 36)

    assert finding.headline == (
        "31 of 36 failures come from template T: 28 % fail here, 0 % elsewhere, almost certainly not chance."
    )
    assert finding.explanation == (
        "All have the pattern “Cut at a quotation”, all stopped far below the limit, stop reason “Finished normally”. "
        "The token limit is not the cause."
    )
    assert finding.figures == (
        "28 % (21-37 %) here, 0 % (0-1.3 %) elsewhere (95 % intervals); p < 1e-20 by Fisher's exact test, "
        "p < 1e-20 after Holm's correction. 4-9 % of max output tokens used."
    )
    assert [step.kind for step in finding.next_steps] == [
        StepKind.CHECK_ESCAPING,
        StepKind.COMPARE_STRUCTURED_OUTPUT,
        StepKind.CHANGE_PROMPT,
        StepKind.REPORT_TO_PROVIDER,
    ]
    assert "req_1, req_2" in finding.next_steps[-1].text


def test_limit_is_blamed_where_every_reply_reached_it() -> None:
    evidence = make_evidence("unexpected_stop_reason", "max_tokens", shares=(1.0, 1.0))

    finding = describe_finding(make_suspect(), evidence, 31)

    assert "The token limit is the cause." in finding.explanation
    assert [StepKind.RAISE_MAX_TOKENS, StepKind.CHANGE_EFFORT] == [step.kind for step in finding.next_steps]


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence(failures=2, failure_types={"api_error": 2}, patterns={"none": 2}, stop_reasons={"none": 2}),
        make_evidence("mid_word", "end_turn", shares=(0.4, 0.99)),
        make_evidence("none", "refusal", "refusal", shares=(0.01, 0.02)),
    ],
)
def test_limit_is_not_judged_where_the_data_does_not_show_it(evidence: Evidence) -> None:
    assert "token limit" not in describe_finding(make_suspect(), evidence, 31).explanation


@pytest.mark.parametrize(
    ("simulated", "said"), [(31, " These replies are simulated."), (30, " Some of these replies are simulated."), (0, "")]
)
def test_simulated_replies_are_said_to_be_simulated(simulated: int, said: str) -> None:
    evidence = make_evidence("mid_word", "end_turn", shares=(0.1, 0.1)).model_copy(update={"simulated": simulated})

    sentence = describe_finding(make_suspect(), evidence, 31).explanation

    assert sentence.endswith(f"The token limit is not the cause.{said}")


def test_figures_are_written_as_people_read_them() -> None:
    assert ["p = 0.5", "p = 0.012", "p = 3e-7", "p < 1e-20"] == [format_p(p) for p in (0.5, 0.0123, 3.2e-7, 1e-30)]
    assert format_failure_rate(measure_rate(0, 300)) == "0 % (0-1.3 %)"
    assert format_failure_rate(measure_rate(0, 0)) == "no items"


@given(st.floats(min_value=1e-20, max_value=1e-3, exclude_max=True))
@example(9.6e-4)
@example(9.51e-8)
@example(1e-20)
def test_a_small_p_value_has_one_digit_from_1_to_9(p_value: float) -> None:
    found = re.fullmatch(r"p = ([1-9])e-([1-9]\d?)", format_p(p_value))

    assert found is not None
    assert float(f"{found[1]}e-{found[2]}") == pytest.approx(p_value, rel=0.5)


def test_a_digit_that_is_rounded_up_to_ten_carries_over() -> None:
    assert ["p = 1e-3", "p = 1e-7", "p = 9e-4"] == [format_p(p) for p in (9.6e-4, 9.51e-8, 9.4e-4)]


def test_shares_are_written_as_what_they_are() -> None:
    shares = (0.0, 0.00001, 0.05, 0.5, 0.994, 0.9951, 0.99999, 1.0, 1.0001, 1.02, 5.0)

    assert ["0 %", "0.1 %", "5 %", "50 %", "99 %", "99.9 %", "99.9 %", "100 %", "100.1 %", "102 %", "500 %"] == [
        format_percent(share) for share in shares
    ]
    assert format_percent_range(0.19, 0.374) == "19-37 %"


def test_replies_without_a_count_are_said_to_be_left_out() -> None:
    counted = make_evidence("mid_word", "end_turn", shares=(0.12, 5.0))
    partly = counted.model_copy(update={"all_counted": False})

    assert describe_finding(make_suspect(), counted, 31).figures.endswith(" 12-500 % of max output tokens used.")
    assert "of max output tokens used (of those with a count)." in describe_finding(make_suspect(), partly, 31).figures


@pytest.mark.parametrize(
    ("far_below", "highest", "said"),
    [
        (31, 0.1, ", all stopped far below the limit, "),
        (28, 1.0, ", most stopped far below the limit, "),
        (3, 0.9, ", all stopped below the limit, "),
        (3, 1.0, None),
    ],
)
def test_the_distance_to_the_limit_is_said_in_words(far_below: int, highest: float, said: str | None) -> None:
    evidence = make_evidence("mid_word", "end_turn", shares=(0.02, highest)).model_copy(
        update={"far_below_limit": far_below}
    )

    explanation = describe_finding(make_suspect(), evidence, 31).explanation

    assert (said in explanation) if said else ("limit" not in explanation)


def test_limit_is_not_cleared_by_replies_that_say_neither_count_nor_stop_reason() -> None:
    said, silent = (
        make_evidence("mid_word", stop_reason, shares=(0.1, 0.2)).model_copy(update={"all_counted": False})
        for stop_reason in ("end_turn", "none")
    )

    assert "The token limit is not the cause." in describe_finding(make_suspect(), said, 31).explanation
    assert "token limit" not in describe_finding(make_suspect(), silent, 31).explanation


@pytest.mark.parametrize(
    ("items", "shares", "counted", "expected"),
    [
        ((4, 4), (1_000, 9_000), 8, True),
        ((4, 4), (1_000, None), 4, False),  # a whole cell has none
        ((4, 4), (1_000, 9_000), 7, False),  # one in some cell has none
        ((1, 4), (1_000, None), 1, False),
    ],
)
def test_evidence_knows_whether_every_failure_was_counted(
    items: tuple[int, ...], shares: tuple[int | None, ...], counted: int, *, expected: bool
) -> None:
    cells = OutcomeCells(
        combination=(1, 2, 1), slot=(0, 0, 0), kind=(1, 1, ACCEPTED), items=(*items, 90), simulated=(0, 0, 0),
        share_low=(*shares, None), share_high=(*shares, None),
    )  # fmt: skip
    tokens = (TokenCount(share_bin=2, accepted=90, failed=counted),)
    outcomes = Outcomes(kinds=(FailureSignature(id=1, failure_type="truncation"),), cells=cells, tokens=tokens)

    assert expected == collect_evidence(outcomes, [0, 1]).all_counted


def test_failures_elsewhere_without_a_count_do_not_matter() -> None:
    cells = OutcomeCells(
        combination=(1, 2),
        slot=(0, 0),
        kind=(1, 1),
        items=(4, 3),
        simulated=(0, 0),
        share_low=(1_000, None),
        share_high=(1_000, None),
    )
    tokens = (TokenCount(share_bin=2, accepted=0, failed=4),)
    outcomes = Outcomes(kinds=(FailureSignature(id=1, failure_type="truncation"),), cells=cells, tokens=tokens)

    assert collect_evidence(outcomes, [0]).all_counted
    assert not collect_evidence(outcomes, [1]).all_counted


def test_more_items_of_a_suspect_settle_what_few_leave_open() -> None:
    few, rest = measure_rate(3, 18), measure_rate(0, 72)

    more = estimate_more_items(few, rest, comparisons=5, alpha=0.04)

    assert more is not None
    assert 10 <= more <= 60
    assert more % 10 == 0


def test_items_that_fail_as_often_as_the_rest_are_never_settled() -> None:
    assert estimate_more_items(measure_rate(3, 30), measure_rate(10, 100), comparisons=5, alpha=0.04) is None
    assert estimate_more_items(measure_rate(0, 30), measure_rate(10, 100), comparisons=5, alpha=0.04) is None
