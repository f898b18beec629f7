"""Home: what runs, what came out, where to go."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from core.domain.unreadable import UnreadableRow
from tests.unit.ui.conftest import Pages, said

pytestmark = pytest.mark.usefixtures("warm_server")


def test_a_fresh_database_invites_to_the_first_batch(pages: Pages) -> None:
    app = pages.open()

    assert not app.exception
    assert not app.dataframe
    next(button for button in app.button if button.label == "Generate conversations").click().run()
    assert app.subheader[0].value == "Bulk Conversation Generator"


def test_it_sums_up_and_lists_the_newest_batches(pages: Pages, submit: Callable[[int], str]) -> None:
    submit(4)
    submit(5)

    app = pages.open()

    assert app.dataframe[0].value["planned"].tolist() == [5, 4]
    assert next(metric.value for metric in app.metric if metric.label == "Batches running") == "2"


def test_a_simulated_claude_is_marked_on_every_page(pages: Pages) -> None:
    for page in (None, "pages/Bulk_Generator.py", "pages/Batch_Monitor.py"):
        app = pages.open(page)

        assert any("Claude is simulated" in text.value for text in app.markdown), page


def test_rows_that_could_not_be_read_are_told_on_the_page_as_text(pages: Pages) -> None:
    row = UnreadableRow(what="persona", key="![x](http://e)", problem="demographics.age: Input should be a valid string")
    pages.services = replace(pages.services, list_unreadable=lambda: (row,))

    for page in (None, "pages/Bulk_Generator.py", "pages/Scaffolding.py"):
        app = pages.open(page)

        (warning,) = (each for each in app.warning if "could not be read" in each.value)
        assert said(warning).startswith("1 persona could not be read: ![x](http://e): demographics.age")
        assert "![x](" not in warning.value
