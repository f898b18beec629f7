import pytest

from core.domain.findings import Evidence, StepKind, describe_finding, format_p, format_rate
from core.domain.intervals import difference_interval, measure_rate
from core.domain.suspects import Standing, Suspect, SuspectName


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
        standing=Standing.NAMED,
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
    evidence = make_evidence("lone_backslash", "end_turn", shares=(0.04, 0.09))

    finding = describe_finding(make_suspect(), evidence, 36)

    assert finding.sentence == (
        "31 of 36 failures come from template T: 28 % (21-37 %) against 0 % (0-1.3 %) elsewhere; p < 1e-20. "
        "All end at an opening quotation mark, 4-9 % of max_tokens used, stop_reason end_turn. "
        "The token limit is not the cause."
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

    assert "The token limit is the cause." in finding.sentence
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
    assert "token limit" not in describe_finding(make_suspect(), evidence, 31).sentence


@pytest.mark.parametrize(
    ("simulated", "said"), [(31, " These replies are simulated."), (30, " Some of these replies are simulated."), (0, "")]
)
def test_simulated_replies_are_said_to_be_simulated(simulated: int, said: str) -> None:
    evidence = make_evidence("mid_word", "end_turn", shares=(0.1, 0.1)).model_copy(update={"simulated": simulated})

    sentence = describe_finding(make_suspect(), evidence, 31).sentence

    assert sentence.endswith(f"The token limit is not the cause.{said}")


def test_figures_are_written_as_people_read_them() -> None:
    assert ["p = 0.5", "p = 0.012", "p = 3e-7", "p < 1e-20"] == [format_p(p) for p in (0.5, 0.0123, 3.2e-7, 1e-30)]
    assert format_rate(measure_rate(0, 300)) == "0 % (0-1.3 %)"
    assert format_rate(measure_rate(0, 0)) == "no items"
