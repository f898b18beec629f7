"""The Batch Monitor: one batch, the list, and links that lead nowhere."""

import asyncio
from collections.abc import Callable
from uuid import UUID

import pytest
from streamlit.testing.v1 import AppTest

from core.domain.batch import BatchAction, BatchId, BatchStatus
from core.errors import DatabaseUnavailable
from tests.unit.ui.conftest import Pages, said

pytestmark = pytest.mark.usefixtures("warm_server")

PAGE = "pages/Batch_Monitor.py"


def button(app: AppTest, label: str) -> object:
    return next(button for button in app.button if button.label == label)


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def metric(app: AppTest, label: str) -> str:
    return next(metric.value for metric in app.metric if metric.label == label)


def status(pages: Pages) -> BatchStatus:
    return pages.services.batches.list_recent()[0].status


def test_a_queued_batch_shows_its_counts_and_what_can_be_done(pages: Pages, submit: Callable[[int], str]) -> None:
    app = pages.open(PAGE, batch=submit(12))

    assert not app.exception
    assert [metric(app, label) for label in ("Accepted", "Failed", "Remaining", "Total")] == ["0", "0", "12", "12"]
    assert metric(app, "Spend, simulated") == "$0.00"  # No call yet, but Claude is simulated.
    assert (button(app, "Pause").disabled, button(app, "Resume").disabled, button(app, "Cancel").disabled) == (
        False,
        True,
        False,
    )


def test_the_name_of_a_batch_is_not_read_as_markdown(pages: Pages, submit: Callable[[int], str]) -> None:
    app = pages.open(PAGE, batch=submit(1))

    assert app.subheader[0].value == r"My \*batch\*"


def test_pause_and_resume(pages: Pages, submit: Callable[[int], str]) -> None:
    app = pages.open(PAGE, batch=submit(3))

    button(app, "Pause").click().run()
    assert status(pages) is BatchStatus.PAUSED
    assert button(app, "Pause").disabled
    button(app, "Resume").click().run()
    assert status(pages) is BatchStatus.QUEUED


def test_a_paused_batch_says_neither_that_it_runs_nor_what_is_left(pages: Pages, submit: Callable[[int], str]) -> None:
    batch_id = submit(3)
    asyncio.run(pages.database.lease(BatchId(UUID(batch_id)), "w", 1, 60))
    assert "started" in pages.open(PAGE, batch=batch_id).get("progress")[0].proto.text
    pages.services.batches.control(BatchId(UUID(batch_id)), BatchAction.PAUSE)

    text = pages.open(PAGE, batch=batch_id).get("progress")[0].proto.text

    assert text.endswith("· paused · 1 running call to finish first")
    assert "left" not in text


def test_cancel_asks_first(pages: Pages, submit: Callable[[int], str]) -> None:
    app = pages.open(PAGE, batch=submit(3))

    button(app, "Cancel").click().run()
    assert status(pages) is BatchStatus.QUEUED
    button(app, "Keep it running").click().run()
    assert status(pages) is BatchStatus.QUEUED

    button(app, "Cancel").click().run()
    button(app, "Cancel the batch").click().run()
    assert status(pages) is BatchStatus.CANCELLED
    assert "Cancel" not in labels(app)
    assert "Generate more" in labels(app)


def test_a_failed_batch_says_why_and_offers_another_try(pages: Pages, submit: Callable[[int], str]) -> None:
    batch_id = BatchId(submit(2))
    for key, batch in pages.database.batches.items():
        batch.status, batch.status_reason = BatchStatus.FAILED, "The key was refused. Set another."
        batch_id = key

    app = pages.open(PAGE, batch=str(batch_id))

    assert any("The key was refused" in said(error) for error in app.error)
    button(app, "Try again").click().run()
    assert any(heading.value == "Bulk Conversation Generator" for heading in app.subheader)


@pytest.mark.parametrize("link", ["nonsense", "12", "5f0c7a52-1d0e-4f0b-9d53-0d2c6a1b7e11", "<script>alert(1)</script>"])
def test_a_wrong_id_is_said_and_the_list_offered(pages: Pages, submit: Callable[[int], str], link: str) -> None:
    submit(1)

    app = pages.open(PAGE, batch=link)

    assert not app.exception
    assert len(app.warning) == 1
    assert app.dataframe[0].value["name"].tolist() == ["My *batch*"]


def test_without_a_batch_the_list_is_shown(pages: Pages, submit: Callable[[int], str]) -> None:
    submit(1)
    submit(2)

    app = pages.open(PAGE)

    assert app.dataframe[0].value["planned"].tolist() == [2, 1]


def test_a_fresh_database_invites_to_the_first_batch(pages: Pages) -> None:
    app = pages.open(PAGE)

    assert not app.error
    assert labels(app).count("Generate conversations") == 1


def test_a_database_that_is_down_is_said_with_a_way_on(
    pages: Pages, submit: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = submit(1)

    def fail(*_: object) -> None:
        raise DatabaseUnavailable("No answer from 127.0.0.1. Run `brightrun doctor`.")

    with monkeypatch.context() as patched:
        patched.setattr(pages.database, "get", fail)
        app = pages.open(PAGE, batch=batch_id)
        assert not app.exception
        assert "The database does not answer" in said(app.error[0])
    button(app, "Retry").click().run()

    assert not app.error
    assert metric(app, "Total") == "1"


def test_an_error_nobody_expected_shows_no_traceback(
    pages: Pages, submit: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = submit(1)

    def fail(*_: object) -> None:
        raise KeyError("a secret detail")

    monkeypatch.setattr(pages.database, "get", fail)
    app = pages.open(PAGE, batch=batch_id)

    assert not app.exception
    assert "a secret detail" not in said(app.error[0])


def test_the_list_is_filtered_by_its_link(pages: Pages, submit: Callable[[int], str]) -> None:
    submit(1)

    app = pages.open(PAGE, search="nothing like it")

    assert not app.dataframe
    assert any("No batch matches" in info.value for info in app.info)
    button(app, "Clear filters").click().run()
    assert app.dataframe[0].value["name"].tolist() == ["My *batch*"]


def test_items_are_listed_with_what_happened(pages: Pages, submit: Callable[[int], str]) -> None:
    app = pages.open(PAGE, batch=submit(3))

    items = app.dataframe[0].value
    assert items["number"].tolist() == [1, 2, 3]
    assert items["happened"].tolist() == ["waits"] * 3


def test_a_retry_of_a_failed_item_can_change_its_settings(pages: Pages, submit: Callable[[int], str]) -> None:
    batch_id = BatchId(UUID(submit(2)))
    for row in pages.database.items.values():
        row.status = "failed"
    pages.database.batches[batch_id].status = BatchStatus.FAILED

    app = pages.open(PAGE, batch=str(batch_id))
    button(app, "Retry failed").click().run()
    app.number_input(key="retry_max_tokens").set_value(4000).run()
    button(app, "Retry 2 items").click().run()

    retry = pages.services.batches.list_recent()[0]
    assert (retry.retry_of, retry.max_tokens, retry.planned) == (batch_id, 4000, 2)
    assert "My \\*batch\\*" in labels(app)


def test_a_batch_that_its_budget_holds_back_asks_for_another(pages: Pages, submit: Callable[[int], str]) -> None:
    batch_id = BatchId(UUID(submit(2)))
    batch = pages.database.batches[batch_id]
    batch.plan = batch.plan.model_copy(update={"settings": batch.plan.settings.model_copy(update={"budget_usd": 0.01})})
    batch.status, batch.status_reason = BatchStatus.PAUSED, "Paused by itself: the budget of $0.01 is reached."

    app = pages.open(PAGE, batch=str(batch_id))
    button(app, "Resume").click().run()
    assert status(pages) is BatchStatus.PAUSED
    app.number_input(key="new_budget_usd").set_value(7.5).run()
    button(app, "Resume the batch").click().run()

    assert status(pages) is BatchStatus.QUEUED
    assert pages.services.batches.get(batch_id).budget_usd == 7.5
