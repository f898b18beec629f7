"""A few failures prove nothing: the page says what comes nearest to a cause; one click chooses more of the same items."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core.bootstrap import open_local_services
from core.config import load_settings
from core.domain.batches.batch import BatchSettings, Selection
from core.domain.scaffolding.records import ConversationCategory
from tests.support.browser import settle
from tests.support.product import CUT_ARC, wait_for_end
from tests.support.running_stack import run_stack

pytestmark = pytest.mark.extended


@pytest.fixture(scope="module")
def url(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A stack with fifteen items, of which the three of one arc failed."""
    home: Path = tmp_path_factory.mktemp("thin") / "home"
    with run_stack(home, faults=f"cut_string@{CUT_ARC}=1") as address:
        with closing(open_local_services(load_settings(home=home))) as services:
            choices = services.scaffolding.list_choices()
            selection = Selection(
                category=ConversationCategory.CORE,
                persona_ids=tuple(persona.id for persona in choices.personas),
                arc_ids=tuple(arc.id for arc in choices.usable_arcs_of(ConversationCategory.CORE)),
                topic_ids=(choices.topics[0].id,),
            )
            settings = BatchSettings(model="claude-sonnet-5-5", max_tokens=24_576, concurrency=10)
            wait_for_end(services, services.batches.submit(selection, settings, name="Few").batch_id)
        yield address


def test_one_click_chooses_as_many_more_as_would_prove_it(page: Page, url: str) -> None:
    page.goto(f"{url}/Failure_Analytics")
    more = page.get_by_role("button", name=re.compile(r"Generate \d+ more of these"))
    expect(more).to_be_visible(timeout=90_000)
    expect(more).to_be_in_viewport(ratio=1)
    expect(page.get_by_text("No single cause stands out.")).to_be_visible()
    settle(page)
    wanted = int(re.findall(r"\d+", more.inner_text())[0])

    more.click()

    expect(page).to_have_url(re.compile("/Bulk_Generator"))
    expect(page.get_by_role("button", name=f"Generate {wanted} conversations")).to_be_enabled()
    expect(page.get_by_text(re.compile(r"Emotional arcs . 1 of 5 chosen"))).to_be_visible()
