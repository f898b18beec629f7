"""The glossary: one word for one thing, in every text that people read."""

from pathlib import Path

import pytest

from tests.unit.ui.visible_words import FORBIDDEN, find_forbidden, list_files

ROOT = Path(__file__).parents[3]
STORED = "Paused by itself:"
"""The wording of batches of earlier versions, which is replaced when it is shown."""


def test_no_text_that_people_read_has_a_word_with_a_better_one() -> None:
    files = list(list_files(ROOT))

    found = [each for path in files for each in find_forbidden(str(path.relative_to(ROOT)), path.read_text())]

    assert len(files) > 100
    assert [each for each in found if each.text != STORED] == []


@pytest.mark.parametrize(
    "source",
    [
        'st.caption("Paused by itself: the budget is reached.")',
        'st.metric("Success rate, 7 days", value)',
        'st.button("Try again")',
        'text = f"{count:,} of those judged"',
        'raise InvalidRequest("So many conversations come first.")',
        'labels = {View.KINDS: "Kinds of failures"}',
        'st.progress(share, text=f"{share:.1%} done")',
        'note = "4% of all"',
    ],
)
def test_a_planted_word_is_found(source: str) -> None:
    assert [each.place for each in find_forbidden("core/ui/planted.py", source)] == ["core/ui/planted.py:1"]


def test_docstrings_are_help_in_commands_alone() -> None:
    source = 'def retry() -> None:\n    """Try the failed items again."""\n    return None'

    assert list(find_forbidden("core/ui/planted.py", source)) == []
    assert len(list(find_forbidden("core/cli/planted.py", 'def retry() -> None:\n    """Try again."""'))) == 1


def test_every_forbidden_word_has_a_better_one() -> None:
    assert all(FORBIDDEN.values())
