"""The upload of a data set over stores in memory."""

import json
import tomllib
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.domain.limits import MEGABYTE
from core.domain.results import FailureFilters
from core.ui.import_upload import MOST_MEGABYTES
from tests.factories import TURNS, make_old_data_set
from tests.unit.ui.conftest import Pages, said

pytestmark = pytest.mark.usefixtures("warm_server")

ANALYTICS, MONITOR = "pages/Failure_Analytics.py", "pages/Batch_Monitor.py"
FAILURES = "pages/Failed_Generations.py"


@pytest.fixture(autouse=True)
def no_cache() -> None:
    """All AppTests are one session to Streamlit's caches."""
    st.cache_resource.clear()


def press(app: AppTest, key: str) -> None:
    app.button(key=key).click().run()
    assert not app.exception


def upload(pages: Pages, *files: tuple[str, bytes]) -> AppTest:
    app = pages.open(ANALYTICS)
    press(app, "import_open")
    app.get("file_uploader")[0].set_value([(name, content, "application/json") for name, content in files]).run()
    press(app, "import_run")
    return app


def test_an_upload_ends_at_what_was_flagged(pages: Pages) -> None:
    app = upload(pages, ("old *data*.jsonl", make_old_data_set()))

    assert ["144", "120", "24"] == [metric.value for metric in app.metric]
    assert any("Imported: old *data*.jsonl" in said(caption) for caption in app.caption)
    (batch,) = pages.services.batches.list_recent(1)
    assert 24 == pages.services.failures.count(FailureFilters(batch_id=batch.id)).total


def test_the_same_upload_again_points_to_its_batch(pages: Pages) -> None:
    content = make_old_data_set()
    upload(pages, ("a.jsonl", content))

    app = upload(pages, ("b.jsonl", content))

    assert any("Imported: a.jsonl" in said(info) for info in app.info)
    assert not app.metric


def test_records_that_cannot_be_read_are_listed(pages: Pages) -> None:
    good = json.dumps({"messages": [{"role": "user", "content": TURNS[0]}, {"role": "assistant", "content": TURNS[1]}]})

    app = upload(pages, ("mixed.jsonl", f"{good}\n{{broken\n{good}".encode()))

    assert "1 record could not be read" in said(app.warning[0])
    assert ["line 2"] == list(app.dataframe[-1].value["place"])


def test_a_file_that_holds_none_is_refused_in_words(pages: Pages) -> None:
    app = upload(pages, ("notes.json", b"[1, 2]"))

    assert "nothing was imported" in said(app.error[0])
    assert () == pages.services.batches.list_recent(1)


def test_more_than_the_page_holds_in_memory_is_dropped_with_a_word(pages: Pages) -> None:
    half = bytes(MOST_MEGABYTES * MEGABYTE // 2)
    app = pages.open(ANALYTICS)
    press(app, "import_open")

    app.get("file_uploader")[0].set_value(
        [(name, half, "application/json") for name in ("a.json", "b.json", "c.json")]
    ).run()

    assert not app.exception
    assert "more than 100 MB together" in said(app.error[0])
    assert [] == app.get("file_uploader")[0].value
    assert app.button(key="import_run").disabled


def test_the_server_takes_no_larger_file_than_the_page_asks_for() -> None:
    with Path(".streamlit/config.toml").open("rb") as file:
        assert MOST_MEGABYTES == tomllib.load(file)["server"]["maxUploadSize"]


def test_the_report_of_an_imported_failure_says_what_is_not_known(pages: Pages) -> None:
    upload(pages, ("old.jsonl", make_old_data_set()))
    failure = pages.services.failures.list_page(FailureFilters()).rows[0]

    app = pages.open(FAILURES, failure=str(failure.id))

    assert not app.exception
    assert any("cut here" in code.value for code in app.code)
    assert any("the prompt that it was made with is not known" in said(caption) for caption in app.caption)


def test_the_monitor_offers_no_retry_of_an_imported_batch(pages: Pages) -> None:
    upload(pages, ("old.jsonl", make_old_data_set()))
    (batch,) = pages.services.batches.list_recent(1)

    app = pages.open(MONITOR, batch=str(batch.id))

    assert not app.exception
    labels = {button.label for button in app.button}
    assert "View failures" in labels
    assert not {"Retry failed", "View conversations", "Generate more"} & labels
