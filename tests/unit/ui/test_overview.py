"""Home: what runs, what came out, where to go."""

from collections.abc import Callable

import pytest

from tests.unit.ui.conftest import Pages

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
