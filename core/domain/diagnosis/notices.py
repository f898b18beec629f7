"""Problems that workers noticed and somebody should know of."""

from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from core.domain.record import Record

PlainLine = Annotated[str, StringConstraints(max_length=100, pattern=r"^[ -~]*$")]
"""Printable ASCII: what is read back from Redis may have been written by anybody."""


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


class Notices(Record):
    """Everything that was noticed lately."""

    refused: RefusedJobs | None = None
    stuck: tuple[HostWithStuckResults, ...] = ()
