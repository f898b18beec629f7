"""The error tree. Expected outcomes are values; these are surprises, translated once at the adapter that met them.

    BrightRunError
    ├── ConfigurationError      a setting is missing or wrong
    ├── InvalidRequest          what was asked for cannot be done as asked
    │   ├── NotFound            no such batch, conversation or failure (or it is not yours)
    │   └── TemplateInvalid     a prompt template has an unknown or missing placeholder, or is not one
    ├── PlanUnreadable          a batch holds something that no worker can follow
    ├── NotSignedIn             no session, or it has ended
    ├── ServiceUnavailable      a part that should answer does not
    │   ├── DatabaseUnavailable
    │   ├── QueueUnavailable
    │   └── WebhookUnavailable
    ├── DatabaseRejected        the database answered with an error we did not expect
    └── StackError              the one-machine stack could not start or stop a part

Every message says what happened and what to do.
"""

from typing import Self
from uuid import UUID


class BrightRunError(Exception):
    """Base of every error that Bright Run raises itself."""


class ConfigurationError(BrightRunError):
    """A setting is missing or wrong."""


class InvalidRequest(BrightRunError):
    """What was asked for cannot be done as asked; nothing was written."""


class NotFound(InvalidRequest):
    """No such record, or it belongs to someone else."""

    @classmethod
    def of(cls, what: str, record_id: UUID) -> Self:
        """Return the error for a missing record; it does not say whether it belongs to somebody else."""
        return cls(f"There is no {what} {record_id}, or it is not yours. Look at the list of {what}s.")


class TemplateInvalid(InvalidRequest):
    """A prompt template has an unknown or missing placeholder, does not parse, does what it must not, or grows too large."""


class PlanUnreadable(BrightRunError):
    """A batch holds settings or scaffolding that no worker can follow; the message continues `Paused automatically: `."""


class NotSignedIn(BrightRunError):
    """There is no session, or it has ended."""


class ServiceUnavailable(BrightRunError):
    """A part does not answer; a later call may succeed."""


class DatabaseUnavailable(ServiceUnavailable):
    """The Supabase API or the database behind it does not answer."""


class QueueUnavailable(ServiceUnavailable):
    """Redis does not answer."""


class HubUnavailable(ServiceUnavailable):
    """The Hugging Face Hub does not answer, or answers with an error."""


class WebhookUnavailable(ServiceUnavailable):
    """The webhook of alerts did not take one."""


class DatabaseRejected(BrightRunError):
    """The database answered with an error that the code did not expect."""


class StackError(BrightRunError):
    """The one-machine stack could not start, stop or reach one of its parts."""
