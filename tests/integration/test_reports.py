"""RAW error reports in the real bucket."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from core.adapters.supabase.failures import SupabaseFailureStore, SupabaseReportStore
from core.adapters.supabase.session import Analyst, open_service
from core.config import Settings
from core.domain.batches.results import FailureFilters
from core.errors import DatabaseRejected, NotFound
from core.ports.results import FailureStore
from core.services.failures import get_report
from core.services.reports import ReportService
from tests.factories import upload_reports
from tests.support.stack import sign_up
from tests.support.stores import Stores, fail_some, list_failures


@dataclass(frozen=True)
class Owner:
    analyst: Analyst
    failure_id: UUID
    reports: SupabaseReportStore

    @property
    def failures(self) -> FailureStore:
        return SupabaseFailureStore(analyst=self.analyst)


@pytest.fixture
def owner(stores: Stores, seeded: Settings) -> Iterator[Owner]:
    """An analyst with one failed generation whose report is not written yet."""
    url, _ = seeded.require_supabase()
    (failure,) = list_failures(stores, fail_some(stores, {}))
    with open_service(url, seeded.require_secret_key()) as client:
        yield Owner(stores.analyst, failure.id, SupabaseReportStore(client=client))


def test_report_is_uploaded_under_year_and_month_and_comes_back_whole(owner: Owner) -> None:
    upload_reports(owner.reports)

    path = owner.failures.get(owner.failure_id).failure.raw_file_path
    now = datetime.now(UTC)
    assert path.startswith(f"{now:%Y/%m}/failed-{owner.failure_id}-{now:%Y-%m-%d}T")
    assert path.endswith(".json")
    report = get_report(owner.failures, owner.failure_id)
    assert {
        "error_report",
        "request_context",
        "raw_response",
        "extracted_content",
        "scaffolding_context",
        "attempts",
    } == set(report)
    assert report["error_report"]["analysis"]["tokens_remaining"] == 24_576 - 2000
    assert "the token limit is not the cause" in report["error_report"]["analysis"]["conclusion"]
    assert report["scaffolding_context"]["arc_key"]
    assert '{"id": "msg_1"}' == report["attempts"][0]["response_body"]
    assert {"id": "msg_1"} == report["raw_response"]["body"]


def test_report_is_there_before_it_is_uploaded(owner: Owner) -> None:
    assert owner.failures.get(owner.failure_id).failure.raw_file_path is None

    assert get_report(owner.failures, owner.failure_id)["error_report"]["failure_type"] == "truncation"


def test_upload_that_fails_is_tried_again(owner: Owner) -> None:
    class FullBucket(SupabaseReportStore):
        def upload(self, failure_id: UUID, path: str, report: bytes) -> None:
            raise DatabaseRejected("the bucket is full")

    assert ReportService(store=FullBucket(client=owner.reports.client)).upload_missing() == 0
    assert owner.failure_id in owner.reports.list_missing(1000)

    upload_reports(owner.reports)

    assert owner.failure_id not in owner.reports.list_missing(1000)


def test_uploading_twice_leaves_one_file(owner: Owner) -> None:
    for text in ("first", "second"):
        owner.reports.upload(owner.failure_id, f"2026/11/failed-{owner.failure_id}-x.json", json.dumps({"t": text}).encode())

    assert {"t": "second"} == get_report(owner.failures, owner.failure_id)


def test_stranger_cannot_download_the_report(owner: Owner, seeded: Settings) -> None:
    upload_reports(owner.reports)
    path = owner.failures.get(owner.failure_id).failure.raw_file_path

    with sign_up(seeded) as stranger:
        assert SupabaseFailureStore(analyst=stranger).download(path) is None
        with pytest.raises(NotFound):
            SupabaseFailureStore(analyst=stranger).get(owner.failure_id)


def test_old_failures_are_deleted_with_their_files(owner: Owner) -> None:
    upload_reports(owner.reports)
    path = owner.failures.get(owner.failure_id).failure.raw_file_path

    assert owner.reports.delete_older_than(datetime.now(UTC) - timedelta(days=1)) == 0
    assert owner.reports.delete_older_than(datetime.now(UTC) + timedelta(seconds=1)) >= 1

    assert owner.failures.list_page(FailureFilters()).rows == ()
    with pytest.raises(Exception, match="not found"):
        owner.reports.client.storage.from_("failed-generation-files").download(path)
