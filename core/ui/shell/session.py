"""Who is at the page: the gate that every page passes first, and what an error looks like there.

Every page calls `require_services` itself (through `core.ui.shell.navigation.open_page`): on a cold server a deep link runs
`pages/X.py` without `Home.py`, so a gate in `Home.py` alone would leave a hole.
"""

import logging
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn, cast
from uuid import UUID, uuid4

import streamlit as st
import structlog

from core.bootstrap import PageServices, open_local_services, open_page_services
from core.config import PageSettings, load_page_settings
from core.errors import (
    BrightRunError,
    ConfigurationError,
    DatabaseRejected,
    DatabaseUnavailable,
    InvalidRequest,
    NotSignedIn,
    ServiceUnavailable,
)
from core.logs import configure_logging
from core.ui.shell.formats import escape_message
from core.ui.shell.loading import end_loading

SERVICES = "services"
"""Session state: the analyst's PageServices. It holds their token, so each session has its own. Tests set it."""
SETTINGS, READER = "settings", "reader"
SIGNED_IN_AT = "signed_in_at"
SHORTEST_SESSION_SECONDS = 10.0
"""A session that ends sooner was not really open: signing in again automatically would loop."""

logger = logging.getLogger(__name__)


def require_services() -> PageServices:
    """Return the signed-in analyst's services; without them draw a sign-in form, or what is wrong, and stop the page."""
    if not structlog.is_configured():
        configure_logging()
    services = st.session_state.get(SERVICES)
    if services is not None:
        return cast("PageServices", services)
    with report_errors():
        opened = _open_services(find_settings())
        st.session_state[SIGNED_IN_AT] = time.monotonic()
        st.session_state[SERVICES] = opened
        return opened


def is_signed_in() -> bool:
    """Return whether there is an analyst, without asking for one."""
    return st.session_state.get(SERVICES) is not None


def find_settings() -> PageSettings:
    """Return the settings as they were when the session began; raises ConfigurationError."""
    settings = st.session_state.get(SETTINGS)
    if settings is None:
        settings = load_page_settings()
        st.session_state[SETTINGS] = settings
    return cast("PageSettings", settings)


def find_reader() -> UUID:
    """Return what tells this session from other readers."""
    return cast("UUID", st.session_state.setdefault(READER, uuid4()))


def sign_out() -> None:
    """Forget the analyst and everything they chose; the next run asks who is there."""
    for key in list(st.session_state.keys()):
        del st.session_state[key]


@contextmanager
def report_errors() -> Generator[None]:
    """Show an error as a message that says what to do, and stop the page or fragment there; never a traceback."""
    try:
        with _end_loading_on_error():
            yield
    except NotSignedIn as error:
        _sign_in_again(error)
    except InvalidRequest as error:
        st.error(escape_message(str(error)), icon=":material/error:")
        st.stop()
    except ConfigurationError as error:
        logger.error("settings_wrong: %s", error)  # noqa: TRY400 - the message is all there is to know
        _draw_problem(_name_problem(error), str(error))
    except BrightRunError as error:
        _draw_problem(_name_problem(error), str(error))
    except Exception:
        logger.exception("page_failed")
        _draw_problem("Something went wrong on this page", "The error is in the log of the pages. Reload the page.")


@contextmanager
def _end_loading_on_error() -> Generator[None]:
    try:
        yield
    except Exception:
        end_loading()
        raise


def _open_services(settings: PageSettings) -> PageServices:
    """Sign in: automatically on this machine, by form elsewhere. A session kept in a cookie would be looked for here."""
    settings.require_supabase()
    settings.require_redis()
    if settings.embedded:
        return _open_shared_services(str(settings.supabase_url), str(settings.email), settings)
    return _ask_for_password(settings)


@st.cache_resource(show_spinner=False)
def _open_shared_services(url: str, email: str, _settings: PageSettings) -> PageServices:  # noqa: ARG001 - the cache's key
    """Sign in once for all tabs: on this machine everybody is the same analyst, and a sign-in takes longer than a page."""
    return open_local_services(_settings)


def open_early() -> None:
    """On this machine sign in before the first page asks for it; errors are shown there."""
    try:
        settings = load_page_settings()
        if settings.embedded:
            _open_services(settings)
    except BrightRunError as error:
        logger.warning("not_opened_early: %s", error)


def _ask_for_password(settings: PageSettings) -> PageServices:
    _, middle, _ = st.columns([1, 1, 1])
    with middle:
        st.space("large")
        with st.form("sign_in", enter_to_submit=True):
            st.subheader("Sign in to Bright Run", anchor=False)
            email = st.text_input("E-mail", type="email", autocomplete="username")
            password = st.text_input("Password", type="password", autocomplete="current-password")
            submitted = st.form_submit_button("Sign in", type="primary", width="stretch")
        if not submitted:
            st.stop()
        if not email or not password:
            st.error("Enter your e-mail address and password.", icon=":material/error:")
            st.stop()
        try:
            services = open_page_services(settings, email.strip(), password)
        except NotSignedIn as error:
            st.error(escape_message(str(error)), icon=":material/error:")
            st.stop()
    st.session_state[SIGNED_IN_AT] = time.monotonic()
    st.session_state[SERVICES] = services
    st.rerun()


def _sign_in_again(error: NotSignedIn) -> NoReturn:
    since = st.session_state.get(SIGNED_IN_AT)
    had_session = SERVICES in st.session_state
    _open_shared_services.clear()
    if had_session:
        del st.session_state[SERVICES]
    if had_session and since is not None and time.monotonic() - since > SHORTEST_SESSION_SECONDS:
        st.rerun()
    _draw_problem("You are not signed in", str(error))


def _name_problem(error: BrightRunError) -> str:
    match error:
        case ConfigurationError():
            return "Bright Run is not set up yet"
        case DatabaseUnavailable():
            return "The database does not answer"
        case ServiceUnavailable():
            return "A part of Bright Run does not answer"
        case DatabaseRejected():
            return "The database refused"
        case _:
            return "That did not work"


def _draw_problem(title: str, message: str) -> NoReturn:
    st.error(f"**{title}.** {escape_message(message)}", icon=":material/error:")
    st.button("Retry", icon=":material/refresh:", key="retry_after_problem")
    st.stop()
