import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from core.domain.diagnosis.error_report import (
    FailedGeneration,
    FailureMaterial,
    analyse_stop_reason,
    build_report,
    conclude,
    report_path,
)
from core.domain.verdict.reply import StopReason
from core.domain.verdict.verdict import FailurePattern, FailureType

FAILURE_ID = UUID("5a4a6042-5bb7-4da6-b2e2-119b6f97be6f")


def make_row(**changes: Any) -> FailedGeneration:
    row = {
        "id": str(FAILURE_ID),
        "failure_type": "truncation",
        "truncation_pattern": "lone_backslash",
        "stop_reason": "end_turn",
        "input_tokens": 0,
        "output_tokens": 1000,
        "max_tokens": 24_576,
        "model": "m",
        "prompt": "p",
        "prompt_length": 1,
        "created_at": "2026-11-22T10:11:12.345+00:00",
        "attempt_count": 1,
        "simulated": False,
    }
    return FailedGeneration.model_validate(row | changes)


def test_path_holds_year_month_id_and_time_and_is_always_the_same() -> None:
    moment = datetime(2026, 3, 2, 10, 11, 12, 345_678, tzinfo=UTC)

    assert f"2026/03/failed-{FAILURE_ID}-2026-03-02T10-11-12-345Z.json" == report_path(FAILURE_ID, moment)


def test_cut_far_below_the_limit_is_not_blamed_on_the_limit() -> None:
    analysis = build_report(FailureMaterial(failure=make_row()))["error_report"]["analysis"]

    assert (0, 1000, 23_576) == (analysis["input_tokens"], analysis["output_tokens"], analysis["tokens_remaining"])
    assert "far below the limit (1000 of 24576 tokens); the token limit is not the cause" in analysis["conclusion"]


def test_a_cut_is_summed_up_with_its_place_and_how_sure_it_is() -> None:
    cut = make_row(truncation_details="Turn 2 (assistant) stops at: It isn't \\", confidence="high")
    refused = make_row(failure_type="refusal", truncation_details="Claude declined", confidence="high")

    reports = [build_report(FailureMaterial(failure=row))["error_report"] for row in (cut, refused)]

    assert "⚠️ Truncated: Turn 2 (assistant) stops at: It isn't \\ (high confidence)" == reports[0]["truncation_summary"]
    assert reports[1]["truncation_summary"] is None


def test_report_holds_json_values_only_and_calls_the_batch_by_its_id() -> None:
    batch_id = "00000000-0000-4000-8000-000000000001"

    report = build_report(FailureMaterial(failure=make_row(run_id=batch_id, persona_id=batch_id, cost_usd=0.25)))

    assert report == json.loads(json.dumps(report))
    assert (batch_id, "2026-11-22T10:11:12.345000+00:00") == (
        report["error_report"]["batch_id"],
        report["error_report"]["timestamp"],
    )


def test_unknown_tokens_stay_unknown() -> None:
    analysis = build_report(FailureMaterial(failure=make_row(output_tokens=None)))["error_report"]["analysis"]

    assert analysis["tokens_remaining"] is None


@pytest.mark.parametrize("stop_reason", [None, *StopReason, "something_new"])
@pytest.mark.parametrize("failure_type", list(FailureType))
def test_every_stop_reason_and_failure_type_has_an_analysis(stop_reason: str | None, failure_type: FailureType) -> None:
    assert len(analyse_stop_reason(stop_reason, failure_type)) > 30
    assert len(conclude(make_row(stop_reason=stop_reason, failure_type=failure_type))) > 30


def test_each_kind_of_corruption_has_its_own_conclusion() -> None:
    kinds = (
        FailurePattern.ESCAPED_TEXT,
        FailurePattern.GARBLED_TEXT,
        FailurePattern.UNFILLED_PLACEHOLDER,
        FailurePattern.CHAT_MARKUP,
    )

    conclusions = {conclude(make_row(failure_type=FailureType.CORRUPTION, truncation_pattern=kind)) for kind in kinds}

    assert len(conclusions) == len(kinds)
