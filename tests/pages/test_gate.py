"""Who is let in: every page, cold or warm."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from streamlit.testing.v1 import AppTest

from core.config import PageSettings, Settings
from core.errors import NotSignedIn
from tests.fakes.away import Away
from tests.support.pages import ROOT, SECONDS, Pages, dump_page_settings, list_labels, open_pages, said
from tests.support.stack import sign_up

PAGE_FILES = sorted(f"pages/{path.name}" for path in (ROOT / "pages").glob("*.py"))


@pytest.fixture
def hosted() -> PageSettings:
    return PageSettings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        supabase_url="https://project.example.com",
        supabase_publishable_key="key",
        redis_url="redis://example.com",
        embedded=False,
    )


@pytest.fixture(scope="module")
def signed_in(seeded: Settings) -> Iterator[Pages]:
    """The pages of an analyst who has nothing. Tests only read."""
    with open_pages(seeded) as pages:
        yield pages


@pytest.fixture
def account(seeded: Settings) -> tuple[str, str]:
    """E-mail address and password of an analyst."""
    password = str(uuid4())
    with sign_up(seeded, password) as analyst:
        return analyst.email, password


def open_signed_out(settings: PageSettings, page: str | None) -> AppTest:
    app = AppTest.from_file(str(ROOT / "Home.py"), default_timeout=SECONDS)
    app.session_state["settings"] = settings
    if page is not None:
        app.switch_page(page)  # Before any run: what a deep link on a cold server does.
    return app.run()


@pytest.mark.parametrize("page", [None, *PAGE_FILES])
def test_a_cold_link_asks_who_is_there_and_shows_nothing_else(hosted: PageSettings, page: str | None) -> None:
    app = open_signed_out(hosted, page)

    assert not app.exception
    assert [box.label for box in app.text_input] == ["E-mail", "Password"]
    assert [heading.value for heading in app.subheader] == ["Sign in to Bright Run"]
    assert not app.dataframe
    assert not app.checkbox


@pytest.mark.parametrize("page", PAGE_FILES)
def test_a_cold_link_of_someone_signed_in_shows_the_page(signed_in: Pages, page: str) -> None:
    app = signed_in.begin()

    app.switch_page(page).run()

    assert not app.exception
    titles = {
        "Bulk Generator",
        "Batch Monitor",
        "Failed Generations",
        "Conversations",
        "Datasets",
        "Scaffolding",
        "System",
        "Failure Analytics",
    }
    assert app.subheader[0].value in titles


def sign_in(app: AppTest, email: str, password: str) -> AppTest:
    app.text_input[0].set_value(email)
    app.text_input[1].set_value(password)
    return app.button[0].click().run()


def test_a_wrong_password_is_said_and_the_right_one_opens_the_page(seeded: Settings, account: tuple[str, str]) -> None:
    local = {"embedded": False, "email": None, "password": None}
    settings = PageSettings.model_validate(dump_page_settings(seeded) | local)
    email, password = account
    app = open_signed_out(settings, None)

    sign_in(app, email, "wrong")
    assert "Sign-in was refused" in said(app.error[0])
    sign_in(app, email, password)

    assert not app.exception
    assert app.subheader[0].value == "Home"
    app.session_state["services"].close()


def test_on_this_machine_the_analyst_is_signed_in_without_a_form(seeded: Settings, account: tuple[str, str]) -> None:
    email, password = account
    local = {"embedded": True, "email": email, "password": password}

    app = open_signed_out(PageSettings.model_validate(dump_page_settings(seeded) | local), None)

    assert not app.text_input
    assert app.subheader[0].value == "Home"
    app.session_state["services"].close()


def test_a_session_that_ended_leads_back_to_the_form(hosted: PageSettings, signed_in: Pages) -> None:
    app = open_with_ended_session(replace(signed_in, settings=hosted))
    app.session_state["signed_in_at"] = -1000.0

    app.run()

    assert [box.label for box in app.text_input] == ["E-mail", "Password"]


def test_a_session_that_ends_at_once_does_not_go_round_in_circles(signed_in: Pages) -> None:
    app = open_with_ended_session(signed_in).run()

    assert "You are not signed in" in said(app.error[0])


def open_with_ended_session(pages: Pages) -> AppTest:
    ended = Away(NotSignedIn("The session has ended. Sign in again."))
    services = replace(pages.services, monitor=replace(pages.services.monitor, store=ended))
    return replace(pages, services=services).begin()


def test_sign_in_without_a_database_says_what_to_do(hosted: PageSettings) -> None:
    nobody_listens = hosted.model_copy(update={"supabase_url": "http://127.0.0.1:1"})
    app = sign_in(open_signed_out(nobody_listens, None), "ann@example.com", "right")

    assert "SUPABASE_URL" in said(app.error[0])
    assert "Retry" in list_labels(app)


def test_pages_are_thin() -> None:
    for page in PAGE_FILES:
        assert len((ROOT / page).read_text().splitlines()) <= 120
    assert Path(ROOT / "Home.py").read_text().count("\n") <= 120


@pytest.mark.parametrize("page", [None, *PAGE_FILES])
def test_with_the_secret_key_every_page_says_what_is_wrong_and_shows_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path, page: str | None
) -> None:
    monkeypatch.setenv("SUPABASE_URL", "https://project.example.com")
    monkeypatch.setenv("SUPABASE_PUBLISHABLE_KEY", "sb_secret_T0PS3CRET")
    monkeypatch.setenv("REDIS_URL", "https://eu1.example.com")
    app = AppTest.from_file(str(ROOT / "Home.py"), default_timeout=SECONDS)
    if page is not None:
        app.switch_page(page)

    app.run()

    assert not app.exception
    assert not app.text_input
    assert not app.dataframe
    (message,) = app.error
    assert "SUPABASE_PUBLISHABLE_KEY holds the secret key" in said(message)
    assert "REDIS_URL is a web address" in said(message)
    assert "settings_wrong: Settings are wrong: SUPABASE_PUBLISHABLE_KEY holds the secret key" in caplog.text
    assert "T0PS3CRET" not in message.value + caplog.text
