"""What takes how much room."""

from collections.abc import Mapping

import streamlit as st

from core.domain.diagnosis.health import RoomPart, StorageUse
from core.ui.shell.tables import draw_table

BYTES_OF_MEGABYTE = 1e6
NAMES: Mapping[RoomPart, str] = {
    RoomPart.ACCEPTED_REPLIES: "Accepted replies, as they came",
    RoomPart.OTHER_REPLIES: "Other replies, as they came",
    RoomPart.FREE: "Free for the next replies",
    RoomPart.CONVERSATIONS: "Conversations",
    RoomPart.FAILURES: "Failed generations",
    RoomPart.REPORTS: "Error reports, in the storage",
    RoomPart.OUTCOMES: "Outcomes",
    RoomPart.BATCHES: "Batches, items and calls",
    RoomPart.IMPORTS: "Imports",
    RoomPart.INDEXES: "Indexes",
    RoomPart.REST: "Everything else",
}


def draw_room(storage: StorageUse | None) -> None:
    """Draw what takes room, the largest first."""
    st.markdown("**Room**")
    if storage is None or not storage.parts:
        st.caption("Not known while the database or its storage does not answer.")
        return
    parts = sorted(storage.parts.items(), key=lambda part: -part[1])
    draw_table(
        [{"name": NAMES[part], "bytes": size} for part, size in parts],
        {
            "name": st.column_config.TextColumn("What", width=210),
            "bytes": st.column_config.NumberColumn("Size", format="bytes", width=90),
        },
        key="room",
        alt="; ".join(f"{NAMES[part]}: {format_megabytes(size)}" for part, size in parts),
    )
    kept = "none is kept as it came"
    if storage.replies_since is not None:
        kept = f"kept as they came since {storage.replies_since:%d %b %Y}"
    st.caption(
        f"{format_megabytes(sum(storage.parts.values()))} in all, of every analyst. Accepted replies: {kept} "
        "(the worker's BRIGHTRUN_KEEP_REPLIES_DAYS); how much of the replies they are is estimated."
    )


def format_megabytes(size: int) -> str:
    """Return bytes as `12.3 MB`."""
    return f"{size / BYTES_OF_MEGABYTE:,.1f} MB"
