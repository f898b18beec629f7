"""Replies that wait on the disks of workers: where, how many, since when, and what to do about a host that is gone."""

from datetime import datetime

import streamlit as st

from core.bootstrap import PageServices
from core.domain.diagnosis.notices import WaitingReplies
from core.ui.shell.formats import escape_markdown, format_age, format_count
from core.ui.shell.page import draw_answers, leave_notice
from core.ui.shell.session import report_errors
from core.ui.shell.tables import RowButton, draw_table

PRESSED, QUESTION = "spool_pressed", "spool_question"
"""Session state: the folder whose button was pressed, and the one that is asked about."""
HEARD, SILENT = "heard", "silent"


def draw_waiting(spools: tuple[WaitingReplies, ...], now: datetime) -> None:
    """Draw the hosts on which replies wait, if there are any."""
    if not spools:
        return

    def ask(row: int) -> None:
        st.session_state[PRESSED] = spools[row]

    st.markdown("**Replies waiting on disk**")
    column = st.column_config
    draw_table(
        [
            {
                "host": spool.host,
                "health": [SILENT if spool.is_silent(now) else HEARD],
                "files": spool.files,
                "oldest": format_age(spool.oldest_at, now),
                "heard": format_age(spool.heard_at, now),
                "dismiss": ":material/delete: Dismiss" if spool.is_silent(now) else None,
            }
            for spool in spools
        ],
        {
            "host": column.TextColumn("Host", width=170),
            "health": column.MultiselectColumn("Health", options=[HEARD, SILENT], color=["green", "red"], width=80),
            "files": column.NumberColumn("Files", width=60),
            "oldest": column.TextColumn("Oldest", width=110),
            "heard": column.TextColumn("Last heard of", width=120),
        },
        key="waiting_replies",
        buttons={"dismiss": RowButton(ask, width=110, title="Gone for good")},
        alt="; ".join(_describe(spool, now) for spool in spools),
    )
    st.caption(
        "A file holds one reply or a group. A worker on the host, or one with its spool folder, records them automatically."
    )
    if PRESSED in st.session_state:
        st.session_state[QUESTION] = st.session_state.pop(PRESSED)
        st.rerun()  # A question is drawn by the page as a whole, not by what is refreshed.


def draw_waiting_question(services: PageServices) -> None:
    """Ask whether a host is to be dismissed, if its button was pressed."""
    if QUESTION in st.session_state:
        _confirm_dismissal(services, st.session_state[QUESTION])


def _forget() -> None:
    st.session_state.pop(QUESTION, None)


@st.dialog("Dismiss this host?", icon=":material/delete:", on_dismiss=_forget)
def _confirm_dismissal(services: PageServices, spool: WaitingReplies) -> None:
    files, host = format_count(spool.files, "file"), escape_markdown(spool.host)
    wait = "waits" if spool.files == 1 else "wait"
    st.markdown(
        f"**{files} of paid replies** {wait} on **{host}** since {spool.oldest_at:%d %B %Y, %H:%M} UTC. If its disk is "
        "gone, they are lost: other workers generate their conversations again, and these calls are paid for again. "
        "Dismissing deletes nothing there; it ends the alert and this entry. A host that comes back is listed again."
    )
    if not draw_answers("Dismiss", ":material/delete:", forget=_forget, stay="Keep it"):
        return
    with report_errors():
        is_dismissed = services.health.dismiss_spool(spool.id)
        _forget()
        leave_notice(f"{host} dismissed." if is_dismissed else f"{host} is not silent any more.")
        st.rerun()


def _describe(spool: WaitingReplies, now: datetime) -> str:
    heard = f"last heard of {format_age(spool.heard_at, now)}"
    return f"{spool.host}: {format_count(spool.files, 'file')}, the oldest {format_age(spool.oldest_at, now)}, {heard}"
