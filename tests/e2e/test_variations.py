"""Three conversations of one combination, told different values of an axis that the analyst has edited."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import cells, click_table, expect_status, press_generate, settle, wait_until_idle

pytestmark = pytest.mark.extended

MOODS = ("cheerful as never before", "silent as a stone")
COMBINATION = "category=core&personas=anxious_planner&arcs=fear_to_confidence&topics=all&limit=1&per_combination=3"


def test_conversations_of_a_combination_differ_by_an_edited_axis(page: Page, url: str) -> None:
    page.goto(f"{url}/Scaffolding?kind=Variations&open=mood_of_the_day")
    values = page.get_by_role("textbox", name="Values")
    expect(values).to_have_value(re.compile("tired"))
    values.fill("\n".join(MOODS))
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Mood of the day is saved")).to_be_visible()
    expect(cells(page, "yours")).to_have_count(1)

    page.goto(f"{url}/Bulk_Generator?{COMBINATION}")
    press_generate(page, "Generate 3 conversations")
    expect_status(page, "completed")
    monitor = page.url

    said: list[str] = []
    moods: list[str] = []
    for row in range(3):
        page.goto(monitor)
        expect(cells(page, "variation 3 ·")).to_have_count(1)
        settle(page)
        click_table(page, row, 300, table=page.locator(".st-key-rows_items_table").get_by_test_id("stDataFrame"))
        page.wait_for_url(re.compile("/Conversations"))
        wait_until_idle(page)
        said.append(page.get_by_test_id("stChatMessage").nth(1).inner_text())
        moods += [mood for mood in MOODS if page.get_by_text(f"Mood of the day: {mood}").count()]

    assert len(set(said)) == 3
    assert sorted(moods) == sorted(MOODS)
