"""The upload of a data set."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from core.domain.batches.results import FailureFilters
from core.domain.verdict.limits import MEGABYTE
from core.ui.analytics.import_upload import MOST_MEGABYTES
from tests.factories import TURNS, make_old_data_set
from tests.support.pages import Pages, list_labels, said
from tests.support.stores import list_batches

pytestmark = pytest.mark.usefixtures("warm_server")

ANALYTICS, MONITOR = "pages/Failure_Analytics.py", "pages/Batch_Monitor.py"
FAILURES = "pages/Failed_Generations.py"


def press_key(app: AppTest, key: str) -> None:
    app.button(key=key).click().run()
    assert not app.exception


def upload(pages: Pages, *files: tuple[str, bytes]) -> AppTest:
    app = pages.open(ANALYTICS)
    press_key(app, "import_open")
    app.get("file_uploader")[0].set_value([(name, content, "application/json") for name, content in files]).run()
    press_key(app, "import_run")
    return app


def test_an_upload_ends_at_what_was_flagged_and_is_offered_to_no_retry(pages: Pages) -> None:
    content = make_old_data_set()
    app = upload(pages, ("old *data*.jsonl", content))

    assert ["144", "120", "24"] == [metric.value for metric in app.metric]
    assert any("Imported: old *data*.jsonl" in said(caption) for caption in app.caption)
    (batch,) = list_batches(pages.stores)
    assert 24 == pages.services.failures.count(FailureFilters(batch_id=batch.id)).total

    failure = pages.services.failures.list_page(FailureFilters(batch_id=batch.id)).rows[0]
    report = pages.open(FAILURES, failure=str(failure.id))
    assert not report.exception
    assert any("cut here" in code.value for code in report.code)
    assert any("its prompt is not known" in said(caption) for caption in report.caption)

    monitor = pages.open(MONITOR, batch=str(batch.id))
    assert not monitor.exception
    assert "View failures" in list_labels(monitor)
    assert not {"Retry failed", "View conversations", "Generate more"} & set(list_labels(monitor))

    again = upload(pages, ("b.jsonl", content))
    assert any("Imported: old *data*.jsonl" in said(info) for info in again.info)
    assert "144" not in [metric.value for metric in again.metric]


def test_records_that_cannot_be_read_are_listed_and_a_file_that_holds_none_is_refused(pages: Pages) -> None:
    good = json.dumps({"messages": [{"role": "user", "content": TURNS[0]}, {"role": "assistant", "content": TURNS[1]}]})

    app = upload(pages, ("notes.json", b"[1, 2]"))
    assert "nothing was imported" in said(app.error[0])
    assert () == list_batches(pages.stores)

    app = upload(pages, ("mixed.jsonl", f"{good}\n{{broken\n{good}".encode()))
    assert "1 record could not be read" in said(app.warning[0])
    assert ["line 2"] == list(app.dataframe[-1].value["place"])


def test_more_than_the_page_holds_in_memory_is_dropped_with_a_word(pages: Pages) -> None:
    half = bytes(MOST_MEGABYTES * MEGABYTE // 2)
    app = pages.open(ANALYTICS)
    press_key(app, "import_open")

    app.get("file_uploader")[0].set_value(
        [(name, half, "application/json") for name in ("a.json", "b.json", "c.json")]
    ).run()

    assert not app.exception
    assert "more than 100 MB together" in said(app.error[0])
    assert [] == app.get("file_uploader")[0].value
    assert app.button(key="import_run").disabled
