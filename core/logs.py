"""Logs: one line an event, `key=value`, UTC, no secrets and no conversation text."""

import logging
import sys
import traceback
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from core.domain.secret_forms import hide_secrets


def configure_logging(level: int = logging.INFO) -> None:
    """Set the logs of this process up, ours and those of the libraries; colours only on a terminal.

    Without it a traceback is drawn with the values of all variables.
    """
    renderer = (
        structlog.dev.ConsoleRenderer()
        if sys.stderr.isatty()
        else structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"])
    )
    # httpx notes the address of every request, and an address may be a secret.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.setLogRecordFactory(_SafeRecord)
    sys.excepthook = _write_uncaught
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            render_safely(renderer),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # Looked up for each line: tests redirect it and close the earlier stream.
        logger_factory=lambda *_args: structlog.PrintLogger(sys.stderr),
    )


def render_safely(renderer: Processor) -> Processor:
    """Return a renderer of the same lines without secrets, whichever value or exception they stand in."""

    def render(logger: WrappedLogger, method: str, event: EventDict) -> str:
        return hide_secrets(str(renderer(logger, method, event)))

    return render


def _write_uncaught(kind: type[BaseException], error: BaseException, stack: TracebackType | None) -> None:
    """Write what ends the process as Python does, and into the same log."""
    sys.stderr.write(hide_secrets("".join(traceback.format_exception(kind, error, stack))))


class _SafeRecord(logging.LogRecord):
    """A record of the standard library, as RQ, Streamlit and Supabase's client write them, without secrets."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the library's arguments
        super().__init__(*args, **kwargs)
        if self.exc_info:
            # What stands here is what a formatter writes, in place of making it itself.
            self.exc_text = hide_secrets(logging.Formatter().formatException(self.exc_info))

    def getMessage(self) -> str:  # noqa: N802 - the library's name
        return hide_secrets(super().getMessage())
