"""Alerts on Home and, in short, in the Batch Monitor."""

import re
from collections.abc import Callable

import pytest

from core.domain.alerts import AlertRule, AlertSeverity, RaisedAlert
from tests.unit.ui.conftest import Pages, said
from tests.unit.ui.test_system import announce_worker

pytestmark = pytest.mark.usefixtures("warm_server")

MONITOR = "pages/Batch_Monitor.py"


def raise_alert(pages: Pages, *alerts: RaisedAlert) -> None:
    evaluation = pages.alerts.begin(0, has_webhook=False)
    assert evaluation is not None
    assert pages.alerts.save(evaluation.id, alerts)


def make_alert(rule: AlertRule = AlertRule.FAILURE_RATE, subject: str = "") -> RaisedAlert:
    return RaisedAlert(
        rule=rule,
        subject=subject,
        severity=AlertSeverity.CRITICAL,
        message="20.0% of 100 conversations failed. That is *much*.",
        advice="Look at the failures.",
    )


def press(app: object, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()  # type: ignore[attr-defined]


def test_an_alert_is_acknowledged_by_a_click_and_undone_by_another(pages: Pages, submit: Callable[[int], str]) -> None:
    submit(4)
    announce_worker(pages, silent_seconds=1)
    raise_alert(pages, make_alert())
    app = pages.open()
    assert ["**20.0% of 100 conversations failed.** That is *much*. Look" in said(error) for error in app.error] == [True]
    assert re.search(r" \*First seen \d+ s ago\.\*$", app.error[0].value)

    press(app, "Acknowledge")

    assert not app.exception
    assert not app.error
    assert any("No alerts" in caption.value for caption in app.caption)
    assert "Acknowledged in the last 7 days (1)" in [expander.label for expander in app.expander]
    assert any("by you" in caption.value and "still lasts" in caption.value for caption in app.caption)
    press(app, "Undo")
    assert len(app.error) == 1


def test_an_alert_that_passed_before_the_click_is_said_to_have(pages: Pages, submit: Callable[[int], str]) -> None:
    submit(4)
    announce_worker(pages, silent_seconds=1)
    raise_alert(pages, make_alert())
    app = pages.open()
    raise_alert(pages)

    press(app, "Acknowledge")

    assert not app.exception
    assert not app.error
    assert ["passed meanwhile" in toast.value for toast in app.toast] == [True]


def test_an_alert_leads_to_the_failures_with_its_pattern(pages: Pages, submit: Callable[[int], str]) -> None:
    submit(4)
    raise_alert(pages, make_alert(AlertRule.NEW_PATTERN, "mid_word"))
    app = pages.open()

    press(app, "View failures")

    assert app.query_params["pattern"] == "mid_word"


def test_the_monitor_says_alerts_in_short(pages: Pages, submit: Callable[[int], str]) -> None:
    batch_id = submit(4)
    raise_alert(pages, make_alert(), make_alert(AlertRule.NEW_PATTERN, "a"), make_alert(AlertRule.NEW_PATTERN, "b"))

    for query in ({}, {"batch": batch_id}):
        app = pages.open(MONITOR, **query)

        assert not app.exception
        assert 2 == sum("20.0% of 100 conversations failed, first seen" in said(text) for text in app.markdown)
        assert not any("much" in said(text) for text in app.markdown)
        assert any("and 1 more alert on Home" in caption.value for caption in app.caption)


def test_the_monitor_says_nothing_where_there_is_none(pages: Pages, submit: Callable[[int], str]) -> None:
    submit(4)

    app = pages.open(MONITOR)

    assert not app.error
    assert not app.warning
    assert not any(button.label == "View failures" for button in app.button)


def test_the_system_page_says_whether_a_webhook_is_set(pages: Pages) -> None:
    assert any("webhook not set" in caption.value for caption in pages.open("pages/System.py").caption)

    pages.alerts.begin(0, has_webhook=True)

    assert any("webhook set" in caption.value for caption in pages.open("pages/System.py").caption)
