"""No line of a log holds a secret, whichever value, exception or library it comes from."""

import io
import logging
import sys

import pytest
import structlog

from core.logs import configure_logging, render_safely
from tests.support.secrets import SECRET, TEXTS_WITH_SECRETS


def look_up(text: str) -> None:
    raise KeyError(text)


def raise_quoting(text: str) -> None:
    try:
        look_up(text)
    except KeyError as error:
        raise ConnectionError(f"refused: {text}") from error


@pytest.mark.parametrize("text", TEXTS_WITH_SECRETS)
def test_event_of_ours_holds_no_secret(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    log = structlog.get_logger()

    log.warning(text, value=text, values={"a": [text]})
    try:
        raise_quoting(text)
    except ConnectionError:
        log.exception("call_failed")

    written = capsys.readouterr().err
    assert SECRET not in written
    assert "ConnectionError: refused" in written
    assert "in raise_quoting" in written


@pytest.mark.parametrize("text", TEXTS_WITH_SECRETS)
def test_coloured_event_holds_no_secret(text: str) -> None:
    render = render_safely(structlog.dev.ConsoleRenderer(colors=True))

    written = render(None, "error", {"event": text, "level": "error", "value": text, "exception": f"Traceback\n{text}"})

    assert SECRET not in str(written)


@pytest.mark.parametrize("text", TEXTS_WITH_SECRETS)
def test_record_of_a_library_holds_no_secret(text: str) -> None:
    configure_logging()
    written = io.StringIO()
    library, handler = logging.getLogger("test_logs"), logging.StreamHandler(written)
    library.addHandler(handler)

    library.warning("refused: %s", text)
    try:
        raise_quoting(text)
    except ConnectionError:
        library.exception("job %s failed", text)
    finally:
        library.removeHandler(handler)

    assert SECRET not in written.getvalue()
    assert "in raise_quoting" in written.getvalue()
    assert len(written.getvalue().splitlines()) > 5


def test_exception_that_ends_the_process_is_written_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    with pytest.raises(ConnectionError) as caught:
        raise_quoting(TEXTS_WITH_SECRETS[0])

    sys.excepthook(caught.type, caught.value, caught.tb)

    written = capsys.readouterr().err
    assert SECRET not in written
    assert "in raise_quoting" in written
    assert "KeyError" in written
