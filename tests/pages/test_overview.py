"""Home: what runs, what came out, where to go; and what every page says."""

from dataclasses import replace

import pytest

from core.domain.unreadable import UnreadableRow
from tests.factories import make_selection
from tests.support.pages import Pages, press, said
from tests.support.stores import submit

pytestmark = pytest.mark.usefixtures("warm_server")


def test_a_fresh_database_invites_to_the_first_batch(pages: Pages) -> None:
    app = pages.open()

    assert not app.exception
    assert not app.dataframe
    press(app, "Generate conversations")
    assert app.subheader[0].value == "Bulk Generator"


def test_it_sums_up_and_lists_the_newest_batches(pages: Pages) -> None:
    for items in (4, 5):
        submit(pages.stores, make_selection(1, 1, items))

    app = pages.open()

    assert app.dataframe[0].value["planned"].tolist() == [5, 4]
    assert next(metric.value for metric in app.metric if metric.label == "Batches running") == "2"


def test_every_page_marks_a_simulated_claude_and_tells_rows_that_could_not_be_read_as_text(pages: Pages) -> None:
    row = UnreadableRow(what="persona", key="![x](http://e)", problem="demographics.age: Input should be a valid string")
    pages.services = replace(pages.services, list_unreadable=lambda: (row,))

    for page in (None, "pages/Bulk_Generator.py", "pages/Batch_Monitor.py", "pages/Scaffolding.py"):
        app = pages.open(page)

        assert any("Claude is simulated" in text.value for text in app.markdown), page
        (warning,) = (each for each in app.warning if "could not be read" in each.value)
        assert said(warning).startswith("1 persona could not be read: ![x](http://e): demographics.age")
        assert "![x](" not in warning.value
