"""A batch with each simulated fault: it ends in the right failure type, pattern and report, whole in the real database."""

import asyncio
from typing import NamedTuple

import pytest

from core.adapters.supabase.failures import SupabaseFailureStore, SupabaseReportStore
from core.adapters.supabase.pages import SupabaseBatchStore
from core.adapters.supabase.session import Analyst, open_service
from core.config import Settings
from core.domain.batches.batch import BatchId, BatchStatus
from core.domain.batches.estimate import estimate_batch
from core.domain.batches.results import FailureFilters
from core.embedded.simulator.faults import FaultKind
from core.services.failures import get_report
from tests.factories import make_selection, make_settings, upload_reports
from tests.support.batch_runs import run_against
from tests.support.simulator import running_simulator


class Expected(NamedTuple):
    """How a fault ends."""

    failure_type: str
    pattern: str | None
    stop_reason: str | None
    attempts: int = 1
    stops_batch: bool = False


EXPECTED = {
    FaultKind.MAX_TOKENS: Expected("truncation", "unexpected_stop_reason", "max_tokens"),
    FaultKind.CONTEXT_WINDOW: Expected("truncation", "unexpected_stop_reason", "model_context_window_exceeded"),
    FaultKind.CUT_STRING: Expected("truncation", "lone_backslash", "end_turn"),
    FaultKind.CUT_MID_WORD: Expected("truncation", "mid_word", "end_turn"),
    FaultKind.CUT_JSON: Expected("parse_error", None, "end_turn"),
    FaultKind.REFUSAL: Expected("refusal", None, "refusal"),
    FaultKind.PAUSE_TURN: Expected("truncation", "unexpected_stop_reason", "pause_turn"),
    FaultKind.TOOL_USE: Expected("truncation", "unexpected_stop_reason", "tool_use"),
    FaultKind.STOP_SEQUENCE: Expected("truncation", "unexpected_stop_reason", "stop_sequence"),
    FaultKind.EMPTY: Expected("validation_error", "empty", "end_turn"),
    FaultKind.MALFORMED: Expected("api_error", None, None),
    FaultKind.WRONG_ROLES: Expected("validation_error", None, "end_turn"),
    FaultKind.ESCAPED_TEXT: Expected("corruption", "escaped_text", "end_turn"),
    FaultKind.RATE_LIMIT: Expected("api_error", None, None, attempts=2),
    FaultKind.OVERLOADED: Expected("api_error", None, None, attempts=2),
    FaultKind.SERVER_ERROR: Expected("api_error", None, None, attempts=2),
    FaultKind.TIMEOUT: Expected("api_error", None, None, attempts=2),
    FaultKind.DISCONNECT: Expected("api_error", None, None, attempts=2),
    FaultKind.ERROR_AS_200: Expected("api_error", None, None, attempts=2),
    FaultKind.GATEWAY_PAGE: Expected("api_error", None, None, attempts=2),
    FaultKind.CONTENT_FILTER: Expected("refusal", None, None),
    FaultKind.BAD_KEY: Expected("api_error", None, None, stops_batch=True),
    FaultKind.NO_CREDIT: Expected("api_error", None, None, stops_batch=True),
    FaultKind.USAGE_LIMIT: Expected("api_error", None, None, stops_batch=True),
    FaultKind.LOGIN_PAGE: Expected("api_error", None, None, stops_batch=True),
}


def run_with_fault(settings: Settings, batch_id: BatchId, fault: FaultKind) -> None:
    with running_simulator(f"{fault}=1") as base_url:
        asyncio.run(run_against(settings, batch_id, base_url, timeout_seconds=1.0))


def test_every_fault_kind_has_its_expectation() -> None:
    assert set(FaultKind) == set(EXPECTED)


@pytest.mark.parametrize("fault", EXPECTED)
def test_fault_ends_in_the_right_failure_with_its_report(seeded: Settings, analyst: Analyst, fault: FaultKind) -> None:
    expected = EXPECTED[fault]
    batches = SupabaseBatchStore(analyst=analyst)
    estimate = estimate_batch(1, concurrency=1)
    items = 2 if expected.stops_batch else 1
    batch_id = batches.submit("B", make_selection(1, 1, items), make_settings(concurrency=1), estimate, None).batch_id

    run_with_fault(seeded, batch_id, fault)

    progress = batches.get(batch_id)
    assert progress is not None
    ends_as = BatchStatus.PAUSED if expected.stops_batch else BatchStatus.FAILED
    assert (progress.accepted, progress.failed, progress.status) == (0, 1, ends_as)
    assert progress.queued == items - 1
    assert progress.attempts == expected.attempts
    failures = SupabaseFailureStore(analyst=analyst)
    (row,) = failures.list_page(FailureFilters(batch_id=batch_id)).rows
    assert (row.failure_type, row.truncation_pattern, row.stop_reason) == expected[:3]
    assert row.truncation_details
    with open_service(seeded.require_supabase()[0], seeded.require_secret_key()) as client:
        upload_reports(SupabaseReportStore(client=client))
    assert failures.get(row.id).failure.raw_file_path is not None
    report = get_report(failures, row.id)
    assert report["error_report"]["stop_reason_analysis"]
    assert report["error_report"]["analysis"]["conclusion"]
    assert "<scenario" in report["request_context"]["prompt"]
    assert len(report["attempts"]) == expected.attempts
    if fault not in (FaultKind.TIMEOUT, FaultKind.DISCONNECT):
        assert report["raw_response"]["body"] is not None
        assert "request-id" in report["raw_response"]["headers"]
