"""The System page: health of each part, workers, queue, Claude's limits, versions, settings. It shows no secret."""

from datetime import UTC, datetime

import streamlit as st

from core.bootstrap import PageServices
from core.config import describe_settings
from core.domain.batches.rate_limits import read_rate_limits
from core.domain.diagnosis.health import ClaudeHealth, Health, PartHealth, PartState, QueueHealth, WorkerHealth
from core.domain.diagnosis.plain_names import name_call_end
from core.domain.percentages import format_percent
from core.services.health import read_versions
from core.ui.charts.figures import REPLY_COLOR, describe_counts, draw_counts
from core.ui.shell.alert_list import draw_alerting
from core.ui.shell.formats import NOTHING, escape_markdown, escape_message, format_age, format_count
from core.ui.shell.links import open_batch
from core.ui.shell.page import draw_figure, draw_header
from core.ui.shell.session import find_settings, report_errors
from core.ui.shell.status import find_part_look
from core.ui.shell.tables import RowButton, draw_table
from core.ui.system.room import draw_room
from core.ui.system.waiting import draw_waiting, draw_waiting_question

REFRESH_SECONDS = 5
LEAST_CARD_PIXELS = 200
ALIVE, SILENT = "alive", "silent"


def draw_system(services: PageServices) -> None:
    """Draw the page; what can change is read again automatically every few seconds."""
    with draw_header("System"):
        st.space("stretch")

    @st.fragment(run_every=REFRESH_SECONDS)
    def draw() -> None:
        with report_errors():
            _draw_health(services.health.check(), services.health.shipped_migrations)
            draw_alerting(services)

    draw()
    draw_waiting_question(services)
    _draw_settings()


def _draw_health(health: Health, shipped: tuple[str, ...]) -> None:
    with st.grid(len(health.parts), min_column_width=LEAST_CARD_PIXELS, gap="small"):
        for part in health.parts:
            with st.container(border=True, gap="xsmall", height="stretch"):
                _draw_part(part)
    with st.container():  # What comes and goes here leaves what follows in its place.
        for part in health.parts:
            if part.state in (PartState.DOWN, PartState.PROBLEM):
                _draw_problem(part)
    left, right = st.columns([3, 2], gap="small")
    with left:
        _draw_workers(health.queue, health.checked_at)
        draw_waiting(health.database.spools if health.database is not None else (), health.checked_at)
        _draw_claude(health.claude, health.queue)
    with right:
        draw_room(health.storage)
        _draw_versions(health, shipped)
    checked = format_age(health.checked_at, datetime.now(UTC))
    st.caption(f"Checked {checked}, again every {REFRESH_SECONDS} s.")


def _draw_part(part: PartHealth) -> None:
    look = find_part_look(part.state)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{part.part}**", width="content")
        st.badge(escape_markdown(part.state.value), icon=look.icon, color=look.color)
    st.caption(escape_markdown(part.found if part.state is not PartState.DOWN else "see below"))


def _draw_problem(part: PartHealth) -> None:
    found, advice = part.found.removesuffix("."), part.advice or ""
    text = f"**{part.part}:** {escape_message(f'{found}. {advice}')}"
    if part.state is PartState.DOWN:
        st.error(text, icon=":material/error:")
    else:
        st.warning(text, icon=":material/warning:")


def _draw_workers(queue: QueueHealth | None, now: datetime) -> None:
    st.markdown("**Workers and queue**")
    if queue is None:
        st.caption("Not known while Redis does not answer.")
        return
    if queue.workers:
        _draw_worker_table(queue.workers, now)
    reconciled = NOTHING if queue.reconciled_at is None else format_age(queue.reconciled_at, now)
    st.caption(
        f"Queue: {format_count(queue.waiting_jobs, 'job')} waiting, {queue.started_jobs:,} running, {queue.failed_jobs:,} "
        f"failed · Reconciler last looked: {reconciled}"
    )


def _draw_worker_table(workers: tuple[WorkerHealth, ...], now: datetime) -> None:
    def open_chosen(row: int) -> None:
        batch_id = workers[row].batch_id
        if batch_id is not None:
            open_batch(batch_id)

    column = st.column_config
    draw_table(
        [
            {
                "name": worker.name,
                "health": [ALIVE if worker.is_alive(now) else SILENT],
                "state": worker.state,
                "heartbeat": _measure_silence(worker, now),
                "done": worker.successful_jobs,
                "failed": worker.failed_jobs,
                "open": None if worker.batch_id is None else ":material/open_in_full: Batch",
            }
            for worker in workers
        ],
        {
            "name": column.TextColumn("Worker", width=170),
            "health": column.MultiselectColumn("Health", options=[ALIVE, SILENT], color=["green", "red"], width=80),
            "state": column.TextColumn("State", width=80),
            "heartbeat": column.NumberColumn("Last heartbeat", format="%d s ago", width=110),
            "done": column.NumberColumn("Jobs done", width=80),
            "failed": column.NumberColumn("Jobs failed", width=85),
        },
        key="workers",
        buttons={"open": RowButton(open_chosen, width=110, title="Works on")},
        alt="; ".join(_describe_worker(worker, now) for worker in workers),
    )


def _measure_silence(worker: WorkerHealth, now: datetime) -> float | None:
    """Return the seconds since a worker was heard; its clock may be a little ahead."""
    return None if worker.last_heartbeat_at is None else max((now - worker.last_heartbeat_at).total_seconds(), 0.0)


def _describe_worker(worker: WorkerHealth, now: datetime) -> str:
    heard = "never heard" if worker.last_heartbeat_at is None else f"heard {format_age(worker.last_heartbeat_at, now)}"
    return f"Worker {worker.name}: {worker.state}, {heard}"


def _draw_claude(claude: ClaudeHealth | None, queue: QueueHealth | None) -> None:
    st.markdown("**Claude**")
    if claude is None or claude.seen_at is None:
        st.caption("No call yet, so no limits are known." if claude else "Not known while the database does not answer.")
        return
    limits = read_rate_limits(claude.headers)
    if limits:
        draw_table(
            [
                {"kind": limit.kind, "left": 100 * limit.share_left, "remaining": limit.remaining, "limit": limit.limit}
                for limit in limits
            ],
            {
                "kind": st.column_config.TextColumn("Rate limit", width=150),
                "left": st.column_config.ProgressColumn("Left", min_value=0, max_value=100, format="%.0f %%", width=170),
                "remaining": st.column_config.NumberColumn("Remaining", format="localized", width=120),
                "limit": st.column_config.NumberColumn("Limit", format="localized", width=120),
            },
            key="rate_limits",
            alt="; ".join(f"{limit.kind}: {format_percent(limit.share_left)} left" for limit in limits),
        )
    made_up = " (simulated)" if claude.simulated else ""
    seen = format_age(claude.seen_at, datetime.now(UTC))
    st.caption(f"From the last reply, {seen}, {escape_markdown(claude.model or '')}{made_up}.")
    for model, pace in [] if queue is None else sorted(queue.paces.items()):
        changed = format_age(pace.changed_at, datetime.now(UTC))
        st.caption(
            f":material/speed: {escape_markdown(model)}: {format_count(pace.limit, 'parallel call')} "
            f"({escape_markdown(pace.reason)}, {changed})"
        )
    if claude.stop_reasons:
        st.markdown("**Calls of the last hour by stop reason**")
        draw_figure(
            draw_counts(claude.stop_reasons, REPLY_COLOR, name_call_end),
            key="stop_reasons",
            alt=describe_counts("Calls of the last hour by stop reason", claude.stop_reasons, name_call_end),
        )


def _draw_versions(health: Health, shipped: tuple[str, ...]) -> None:
    st.markdown("**Versions**")
    versions = dict(read_versions())
    if health.database is not None:
        versions["postgresql"] = health.database.database.split()[0]
    draw_table(
        [{"name": name, "version": number} for name, number in versions.items()],
        {
            "name": st.column_config.TextColumn("Part", width=150),
            "version": st.column_config.TextColumn("Version", width=150),
        },
        key="versions",
        alt=", ".join(f"{name} {number}" for name, number in versions.items()),
    )
    if health.database is not None:
        applied = set(health.database.migrations)
        there = sum(migration in applied for migration in shipped)
        newest = escape_markdown(max(applied, default=NOTHING))
        st.caption(f"Migrations: {there} of this version's {len(shipped)} are applied; the newest is {newest}.")


def _draw_settings() -> None:
    with st.expander("Settings in force", icon=":material/tune:"):
        settings = describe_settings(find_settings())
        draw_table(
            [{"name": setting.name, "value": setting.value, "source": setting.source.value} for setting in settings],
            {
                "name": st.column_config.TextColumn("Setting", width=280),
                "value": st.column_config.TextColumn("Value", width=420),
                "source": st.column_config.TextColumn("From", width=150),
            },
            key="settings_in_force",
            alt="; ".join(f"{setting.name}: {setting.value}" for setting in settings),
        )
        st.caption("Settings of the pages. Worker and command line have their own settings and keys (README, Settings).")
