"""Alerts on Home and, in short, in the Batch Monitor."""

import re
from collections.abc import Callable, Iterator

import psycopg
import pytest

from core.adapters.supabase.alerts import SupabaseAlertRecorder
from core.adapters.supabase.session import open_service
from core.config import Settings
from core.domain.diagnosis.alerts import AlertRule, AlertSeverity, RaisedAlert
from tests.factories import make_selection
from tests.support.pages import Pages, announce_worker, list_labels, press, said
from tests.support.stores import list_batches, submit

pytestmark = pytest.mark.usefixtures("warm_server")

MONITOR = "pages/Batch_Monitor.py"
Raise = Callable[..., None]


@pytest.fixture
def recorder(seeded: Settings) -> Iterator[SupabaseAlertRecorder]:
    """The worker's side, and no alert of the installation, which all analysts would see."""
    with psycopg.connect(seeded.require_db_url()) as connection:
        connection.execute("delete from public.alerts")
    url, _ = seeded.require_supabase()
    with open_service(url, seeded.require_secret_key()) as client:
        yield SupabaseAlertRecorder(client=client)


@pytest.fixture
def raise_alerts(pages: Pages, recorder: SupabaseAlertRecorder) -> Raise:
    """Make these, and no others, the open alerts of the analyst, who has a batch and a living worker."""
    submit(pages.stores, make_selection(1, 1, 4))
    pages.probe.answer_queue = announce_worker(silent_seconds=1)

    def save(*alerts: RaisedAlert) -> None:
        evaluation = recorder.begin(0, has_webhook=False)
        assert evaluation is not None
        owner = pages.stores.analyst.user_id
        assert recorder.save(evaluation.id, [alert.model_copy(update={"created_by": owner}) for alert in alerts])

    return save


def make_alert(rule: AlertRule = AlertRule.FAILURE_RATE, subject: str = "") -> RaisedAlert:
    return RaisedAlert(
        rule=rule,
        subject=subject,
        severity=AlertSeverity.CRITICAL,
        message="20 % of 100 conversations failed. That is *much*.",
        advice="Look at the failures.",
    )


def test_an_alert_is_acknowledged_by_a_click_and_undone_by_another(pages: Pages, raise_alerts: Raise) -> None:
    raise_alerts(make_alert())
    app = pages.open()
    assert ["**20 % of 100 conversations failed.** That is *much*. Look" in said(error) for error in app.error] == [True]
    assert re.search(r" \*First seen \d+ s ago\.\*$", app.error[0].value)

    press(app, "Acknowledge")

    assert not app.error
    assert any("No alerts" in caption.value for caption in app.caption)
    assert "Acknowledged in the last 7 days (1)" in [expander.label for expander in app.expander]
    assert any("by you" in caption.value and "still open" in caption.value for caption in app.caption)
    press(app, "Undo")
    assert len(app.error) == 1


def test_an_alert_that_was_resolved_before_the_click_is_said_to_be(pages: Pages, raise_alerts: Raise) -> None:
    raise_alerts(make_alert())
    app = pages.open()
    raise_alerts()

    press(app, "Acknowledge")

    assert not app.error
    assert ["already resolved" in toast.value for toast in app.toast] == [True]


def test_an_alert_leads_to_the_failures_with_its_pattern(pages: Pages, raise_alerts: Raise) -> None:
    raise_alerts(make_alert(AlertRule.NEW_PATTERN, "mid_word"))

    app = press(pages.open(), "View failures")

    assert app.query_params["pattern"] == "mid_word"


def test_the_monitor_says_alerts_in_short_and_nothing_where_there_is_none(pages: Pages, raise_alerts: Raise) -> None:
    app = pages.open(MONITOR)
    assert (len(app.error), len(app.warning)) == (0, 0)
    assert "View failures" not in list_labels(app)

    raise_alerts(make_alert(), make_alert(AlertRule.NEW_PATTERN, "a"), make_alert(AlertRule.NEW_PATTERN, "b"))
    batch_id = list_batches(pages.stores)[0].id

    for query in ({}, {"batch": str(batch_id)}):
        app = pages.open(MONITOR, **query)

        assert not app.exception
        assert 2 == sum("20 % of 100 conversations failed, first seen" in said(text) for text in app.markdown)
        assert not any("much" in said(text) for text in app.markdown)
        assert any("and 1 more alert on Home" in caption.value for caption in app.caption)


def test_the_system_page_says_whether_a_webhook_is_set(pages: Pages, recorder: SupabaseAlertRecorder) -> None:
    for has_webhook, word in ((False, "webhook not set"), (True, "webhook set")):
        recorder.begin(0, has_webhook=has_webhook)
        app = pages.open("pages/System.py")
        assert any(word in caption.value for caption in app.caption), word
