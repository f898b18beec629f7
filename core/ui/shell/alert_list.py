"""Alerts: all of them on Home, with what can be done; in short in the Batch Monitor."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, assert_never
from uuid import UUID

import streamlit as st

from core.bootstrap import PageServices
from core.domain.diagnosis.alerts import Alert, AlertBoard, AlertSeverity, AlertTarget, StoredAlert
from core.domain.diagnosis.health import Health, PartState
from core.domain.diagnosis.part_alerts import find_part_alerts
from core.errors import DatabaseRejected, InvalidRequest, ServiceUnavailable
from core.ui.shell.formats import escape_markdown, escape_message, format_age, format_count
from core.ui.shell.links import open_analytics, open_failures, open_system
from core.ui.shell.session import report_errors
from core.ui.shell.status import find_severity_look

REFRESH_SECONDS = 15
STALE_AFTER = timedelta(minutes=5)
MOST_IN_SHORT = 2


def draw_alerts(services: PageServices) -> None:
    """Draw every alert, refreshed even if nothing runs."""

    @st.fragment(run_every=REFRESH_SECONDS)
    def draw() -> None:
        with report_errors():
            board = _read_board(services)
            health, now = services.health.check(), datetime.now(UTC)
            part_alerts = find_part_alerts(health, open_items=board.open_items, now=now)
            with st.container():  # What comes and goes here leaves what follows in its place.
                for alert in _sort_by_severity((*part_alerts, *board.open)):
                    _draw_alert(services, alert, now)
            if not part_alerts and not board.open:
                _draw_all_clear(health, board, now)
            if board.acknowledged:
                _draw_acknowledged(services, board.acknowledged, now)

    draw()


def draw_alerts_in_short(services: PageServices) -> None:
    """Draw a line for each of the first alerts that nobody has acknowledged, and nothing where there is none."""

    @st.fragment(run_every=REFRESH_SECONDS)
    def draw() -> None:
        with report_errors():
            alerts = _read_board(services).open
            if alerts:
                with st.container(gap="xxsmall"):
                    _draw_in_short(alerts, datetime.now(UTC))

    draw()


def draw_alerting(services: PageServices) -> None:
    """Say when a worker last evaluated alerts, and whether a webhook is set."""
    board = _read_board(services)
    checked = "not yet" if board.evaluated_at is None else format_age(board.evaluated_at, datetime.now(UTC))
    st.caption(f"Alerts last evaluated: {checked} · webhook {'set' if board.has_webhook else 'not set'}")


def _read_board(services: PageServices) -> AlertBoard:
    """Alerts are secondary on every page: without them the rest is still shown."""
    try:
        return services.alerts.read()
    except (ServiceUnavailable, DatabaseRejected) as error:
        st.caption(f":material/help: Stored alerts cannot be read now. {escape_message(str(error))}")
        return AlertBoard()


def _draw_in_short(alerts: Sequence[StoredAlert], now: datetime) -> None:
    for alert in alerts[:MOST_IN_SHORT]:
        look = find_severity_look(alert.severity)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(alert.severity.value, icon=look.icon, color=look.color)
            text = f"{alert.headline}, {_describe_beginning(alert, now)}"
            st.markdown(escape_markdown(text), width="content")
            _draw_target(alert, "tertiary")
    if len(alerts) > MOST_IN_SHORT:
        st.caption(f"and {format_count(len(alerts) - MOST_IN_SHORT, 'more alert')} on Home")


def _describe_beginning(alert: StoredAlert, now: datetime) -> str:
    """Say since when; the figures of an alert are current."""
    return f"first seen {format_age(alert.created_at, now)}"


def _sort_by_severity(alerts: Sequence[Alert]) -> list[Alert]:
    return sorted(alerts, key=lambda alert: list(AlertSeverity).index(alert.severity))


def _draw_alert(services: PageServices, alert: Alert, now: datetime) -> None:
    details = alert.message.removeprefix(alert.headline).removeprefix(".")
    text = f"**{escape_message(alert.headline)}.** {escape_message(f'{details} {alert.advice}')}"
    if isinstance(alert, StoredAlert):
        text += f" *{_describe_beginning(alert, now).capitalize()}.*"
    said, buttons = st.columns([4, 1], gap="small", vertical_alignment="center")
    icon = find_severity_look(alert.severity).icon
    match alert.severity:
        case AlertSeverity.CRITICAL:
            said.error(text, icon=icon)
        case AlertSeverity.WARNING:
            said.warning(text, icon=icon)
        case _:
            assert_never(alert.severity)
    with buttons.container(horizontal=True, horizontal_alignment="right", gap="small"):
        if isinstance(alert, StoredAlert):
            _draw_target(alert, "secondary")
            st.button(
                "Acknowledge",
                key=f"acknowledge_{alert.id}",
                on_click=_mark,
                args=(services, alert.id),
                kwargs={"is_seen": True},
                help="Hides this alert while it lasts, unless it gets worse.",
            )
        elif st.button("View system", key=f"view_part_{alert.headline}"):
            open_system()


def _draw_target(alert: StoredAlert, kind: Literal["secondary", "tertiary"]) -> None:
    """Draw the button that leads to where to look."""
    match alert.target:
        case AlertTarget.ANALYTICS:
            if st.button("Find out why", key=f"view_{alert.id}", type=kind):
                open_analytics()
        case AlertTarget.FAILURES:
            if st.button("View failures", key=f"view_{alert.id}", type=kind):
                open_failures(pattern=alert.pattern)
        case AlertTarget.SYSTEM:
            if st.button("View system", key=f"view_{alert.id}", type=kind):
                open_system()
        case _:
            assert_never(alert.target)


def _draw_all_clear(health: Health, board: AlertBoard, now: datetime) -> None:
    """Say that all is well, and when that was checked."""
    if any(part.state not in (PartState.UP, PartState.UNKNOWN) for part in health.parts):
        return
    if health.queue is not None and health.queue.is_starting(now):
        st.caption(":material/hourglass_top: Bright Run is starting: no worker has announced itself yet.")
        return
    parts = "every part answers and a worker is alive"
    if board.evaluated_at is None:
        st.caption(f":material/check_circle: No alerts: {parts}. A worker will soon check failure rates for the first time.")
    elif now - board.evaluated_at > STALE_AFTER:
        checked = format_age(board.evaluated_at, now)
        st.caption(f":material/help: No alerts, but failure rates were last checked {checked}: {parts}.")
    else:
        checked = format_age(board.evaluated_at, now)
        st.caption(f":material/check_circle: No alerts: {parts}. Failure rates and storage checked {checked}.")


def _draw_acknowledged(services: PageServices, alerts: Sequence[StoredAlert], now: datetime) -> None:
    with st.expander(f"Acknowledged in the last 7 days ({len(alerts)})", icon=":material/done_all:", key="acknowledged"):
        for alert in alerts:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                look = find_severity_look(alert.severity)
                st.badge(alert.severity.value, icon=look.icon, color=look.color)
                st.markdown(escape_markdown(alert.headline), width="content")
                st.caption(_describe_acknowledgement(alert, now), width="content")
                st.space("stretch")
                _draw_target(alert, "tertiary")
                if alert.resolved_at is None:
                    st.button(
                        "Undo",
                        key=f"reopen_{alert.id}",
                        icon=":material/undo:",
                        type="tertiary",
                        on_click=_mark,
                        args=(services, alert.id),
                        kwargs={"is_seen": False},
                    )


def _describe_acknowledgement(alert: StoredAlert, now: datetime) -> str:
    who = "you" if alert.acknowledged_by_reader else "another analyst"
    when = "" if alert.acknowledged_at is None else f", {format_age(alert.acknowledged_at, now)}"
    state = "still open" if alert.resolved_at is None else f"resolved {format_age(alert.resolved_at, now)}"
    return f"by {who}{when}; {state}"


def _mark(services: PageServices, alert_id: UUID, *, is_seen: bool) -> None:
    with report_errors():
        try:
            services.alerts.acknowledge(alert_id, is_seen=is_seen)
        except InvalidRequest as error:  # It is already resolved; the redrawn list shows it.
            st.toast(escape_markdown(str(error)), icon=":material/info:")
