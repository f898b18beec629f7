"""The Batch Monitor: one batch, the list, and links that lead nowhere."""

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core.domain.batches.batch import BatchAction, BatchStatus
from core.errors import DatabaseUnavailable
from tests.factories import make_selection
from tests.fakes.away import Away
from tests.support.pages import Pages, announce_worker, find_button, list_labels, press, said
from tests.support.results import accept, fail
from tests.support.stores import lease, list_batches, read, record, submit

pytestmark = pytest.mark.usefixtures("warm_server")

PAGE = "pages/Batch_Monitor.py"
NAME = "My *batch*"


def make_batch(pages: Pages, items: int, **settings: object) -> str:
    return str(submit(pages.stores, make_selection(1, 1, items), name=NAME, **settings))


def metric(app: AppTest, label: str) -> str:
    return next(metric.value for metric in app.metric if metric.label == label)


def status(pages: Pages) -> BatchStatus:
    return list_batches(pages.stores)[0].status


def test_a_fresh_database_invites_to_the_first_batch(pages: Pages) -> None:
    app = pages.open(PAGE)

    assert not app.error
    assert list_labels(app).count("Generate conversations") == 1


def test_a_queued_batch_shows_counts_and_items_and_can_be_paused_resumed_and_cancelled(pages: Pages) -> None:
    app = pages.open(PAGE, batch=make_batch(pages, 12))

    assert not app.exception
    assert app.subheader[0].value == r"My \*batch\*"
    assert [metric(app, label) for label in ("Accepted", "Failed", "Remaining", "Total")] == ["0", "0", "12", "12"]
    assert metric(app, "Spend, simulated") == "$0.00"  # No call yet, but Claude is simulated.
    assert [find_button(app, label).disabled for label in ("Pause", "Resume", "Cancel")] == [False, True, False]
    assert app.dataframe[0].value["number"].tolist() == list(range(1, 13))
    assert app.dataframe[0].value["happened"].tolist() == ["waits"] * 12

    press(app, "Pause")
    assert status(pages) is BatchStatus.PAUSED
    assert find_button(app, "Pause").disabled
    press(app, "Resume")
    assert status(pages) is BatchStatus.QUEUED

    for answer, expected in (("Keep it running", BatchStatus.QUEUED), ("Cancel the batch", BatchStatus.CANCELLED)):
        press(app, "Cancel")
        assert status(pages) is BatchStatus.QUEUED, "it is asked about first"
        press(app, answer)
        assert status(pages) is expected
    assert "Cancel" not in list_labels(app)
    assert "Generate more" in list_labels(app)


def test_a_paused_batch_says_neither_that_it_runs_nor_what_is_left(pages: Pages) -> None:
    batch_id = submit(pages.stores, make_selection(1, 1, 3))
    lease(pages.stores, batch_id, 1)
    assert "started" in pages.open(PAGE, batch=str(batch_id)).get("progress")[0].proto.text
    pages.services.batches.control(batch_id, BatchAction.PAUSE)

    text = pages.open(PAGE, batch=str(batch_id)).get("progress")[0].proto.text

    assert text.endswith("· paused · 1 call still running")
    assert "left" not in text


def test_a_failed_batch_says_why_and_offers_another_try(pages: Pages) -> None:
    batch_id = submit(pages.stores, make_selection(1, 1, 2), error_handling="stop", concurrency=1)
    record(pages.stores, *(fail(item) for item in lease(pages.stores, batch_id, 1)))

    app = pages.open(PAGE, batch=str(batch_id))

    assert any("Stopped at the first failed item" in said(error) for error in app.error)
    press(app, "Generate again")
    assert any(heading.value == "Bulk Generator" for heading in app.subheader)


def test_without_a_batch_or_with_a_wrong_id_the_list_is_shown_and_filtered_by_its_link(pages: Pages) -> None:
    make_batch(pages, 1)
    make_batch(pages, 2)

    assert pages.open(PAGE).dataframe[0].value["planned"].tolist() == [2, 1]
    for link in ("nonsense", "12", "5f0c7a52-1d0e-4f0b-9d53-0d2c6a1b7e11", "<script>alert(1)</script>"):
        app = pages.open(PAGE, batch=link)
        assert not app.exception
        assert (link, len(app.warning)) == (link, 1)
        assert app.dataframe[0].value["name"].tolist() == [f"{NAME} (2)", NAME]

    app = pages.open(PAGE, search="nothing like it")
    assert not app.dataframe
    assert any("No batch matches" in info.value for info in app.info)
    press(app, "Clear filters")
    assert len(app.dataframe[0].value) == 2


@pytest.mark.parametrize("silent_seconds", [1, 300])
def test_without_a_worker_a_batch_says_so_in_place_of_the_time_left(pages: Pages, silent_seconds: float) -> None:
    is_held_up = silent_seconds > 1
    batch_id = submit(pages.stores, make_selection(1, 1, 6))
    record(pages.stores, *(accept(item) for item in lease(pages.stores, batch_id, 3)))
    pages.probe.answer_queue = announce_worker(silent_seconds=silent_seconds)

    app = pages.open(PAGE, batch=str(batch_id))

    progress = app.get("progress")[0].proto.text
    assert is_held_up == any("No worker is alive" in said(error) for error in app.error)
    assert (is_held_up, not is_held_up) == ("held up" in progress, " left" in progress)


def test_what_came_so_far_can_be_read_while_a_batch_runs(pages: Pages) -> None:
    batch_id = submit(pages.stores, make_selection(1, 1, 4))
    first, second = lease(pages.stores, batch_id, 2)
    record(pages.stores, accept(first), fail(second))

    assert {"Pause", "View conversations", "View failures"} <= set(list_labels(pages.open(PAGE, batch=str(batch_id))))


def test_what_a_retry_has_fixed_is_not_offered_again(pages: Pages) -> None:
    batch_id = submit(pages.stores, make_selection(1, 1, 2))
    record(pages.stores, *(fail(item) for item in lease(pages.stores, batch_id)))
    retry = pages.services.batches.retry_failed(batch_id).batch_id
    first, second = lease(pages.stores, retry)
    record(pages.stores, accept(first), fail(second))

    app = pages.open(PAGE, batch=str(batch_id))
    press(app, "Retry failed")

    assert "Retry 1 item" in list_labels(app)


def test_a_share_of_done_is_a_whole_number_and_full_only_at_the_end(pages: Pages) -> None:
    batch_id = submit(pages.stores, make_selection(3, 1, 10))
    record(pages.stores, *(accept(item) for item in lease(pages.stores, batch_id, 3)[:1]))

    assert pages.open(PAGE).dataframe[0].value["progress"].tolist() == [3]  # Of 30: 3.33 %.


def test_a_database_that_is_down_is_said_with_a_way_on(pages: Pages) -> None:
    pages.probe.answer_queue = announce_worker(silent_seconds=1)
    batch_id, services = make_batch(pages, 1), pages.services
    away = Away(DatabaseUnavailable("No answer from 127.0.0.1. Run `brightrun doctor`."))
    pages.services = replace(services, monitor=replace(services.monitor, store=away))
    app = pages.open(PAGE, batch=batch_id)
    assert not app.exception
    assert "The database does not answer" in said(app.error[0])

    app.session_state["services"] = services
    press(app, "Retry")

    assert not app.error
    assert metric(app, "Total") == "1"


def test_an_error_nobody_expected_shows_no_traceback(pages: Pages) -> None:
    broken = replace(pages.services.monitor, store=Away(KeyError("a secret detail")))
    pages.services = replace(pages.services, monitor=broken)

    app = pages.open(PAGE, batch="5f0c7a52-1d0e-4f0b-9d53-0d2c6a1b7e11")

    assert not app.exception
    assert "a secret detail" not in said(app.error[0])


def test_a_retry_of_failed_items_can_change_its_settings(pages: Pages) -> None:
    batch_id = submit(pages.stores, make_selection(1, 1, 3), name=NAME)
    first, *others = lease(pages.stores, batch_id)
    record(pages.stores, accept(first), *(fail(item) for item in others))

    app = press(pages.open(PAGE, batch=str(batch_id)), "Retry failed")
    app.number_input(key="retry_max_tokens").set_value(4000).run()
    press(app, "Retry 2 items")

    retry = list_batches(pages.stores)[0]
    assert (retry.retry_of, retry.max_tokens, retry.planned) == (batch_id, 4000, 2)
    assert "My \\*batch\\*" in list_labels(app)


def test_a_batch_that_its_budget_holds_back_asks_for_another(pages: Pages) -> None:
    batch_id = submit(pages.stores, make_selection(1, 1, 2), budget_usd=0.01)
    assert lease(pages.stores, batch_id) == ()

    app = press(pages.open(PAGE, batch=str(batch_id)), "Resume")
    assert status(pages) is BatchStatus.PAUSED
    app.number_input(key="new_budget_usd").set_value(7.5).run()
    press(app, "Resume the batch")

    assert status(pages) is BatchStatus.QUEUED
    assert read(pages.stores, batch_id).budget_usd == 7.5
