"""Pages over the real stack: one analyst for each test, or one for all tests of a file that only read."""

from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.runtime.pages_manager import PagesManager

from core.config import Settings
from tests.support.pages import Pages, open_pages


@pytest.fixture
def warm_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let AppTest behave like a server on which Home.py has run before; by itself every run of it is a cold start.

    AppTest clears the flag just before it makes its manager, so no earlier moment will do (docs/architecture.md, "Tests");
    the manager sets it wherever a folder `pages` stands beside the script. `AppTest.from_file` and `switch_page`, the public
    way and the one that tests go here, offer no argument for it; a script in another folder would find none of the pages,
    since `st.Page` and `st.switch_page` look for them beside it.
    """
    begin = PagesManager.__init__

    def begin_warm(manager: PagesManager, *arguments: Any, **options: Any) -> None:
        begin(manager, *arguments, **options)
        PagesManager.uses_pages_directory = False

    monkeypatch.setattr(PagesManager, "__init__", begin_warm)


@pytest.fixture
def pages(seeded: Settings) -> Iterator[Pages]:
    with open_pages(seeded) as opened:
        yield opened
