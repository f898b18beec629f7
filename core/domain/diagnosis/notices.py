"""Problems that workers noticed and somebody should know of."""

import re
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from core.domain.record import Record

PlainLine = Annotated[str, StringConstraints(max_length=100, pattern=r"^[ -~]*$")]
"""Printable ASCII: what is read back from Redis may have been written by anybody."""
HOST_SILENT_AFTER = timedelta(minutes=15)
"""A host on which replies wait says so every few seconds; the database has the same limit (`dismiss_spool`)."""


class RefusedJobs(Record):
    """Foreign jobs that were refused in the last day; `function` and `reason` are those of the last one."""

    count: int = Field(ge=1, le=1_000_000_000)
    function: PlainLine
    reason: PlainLine
    last_at: AwareDatetime


class HostWithStuckResults(Record):
    """A host on which results wait that could not be recorded."""

    host: PlainLine
    files: int = Field(ge=1, le=1_000_000)


class WaitingReplies(Record):
    """Files of paid replies in a folder on a worker's disk, as its reconciler last counted them."""

    id: UUID
    """The folder's own: a host may have several, or another name tomorrow."""
    host: PlainLine
    files: int = Field(ge=1)
    oldest_at: AwareDatetime
    heard_at: AwareDatetime

    def is_silent(self, now: datetime) -> bool:
        """Say whether nobody will record them, as far as is known."""
        return now - self.heard_at > HOST_SILENT_AFTER


class Notices(Record):
    """Everything that was noticed lately."""

    refused: RefusedJobs | None = None
    stuck: tuple[HostWithStuckResults, ...] = ()


def clean_host(host: str) -> str:
    """Return the name of a host as it is kept."""
    return re.sub(r"[^A-Za-z0-9_.-]", "?", host[:60])
