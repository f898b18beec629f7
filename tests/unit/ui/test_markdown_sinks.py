"""No page hands a text that somebody wrote to Streamlit's markdown as it is."""

from pathlib import Path

import pytest

from tests.unit.ui.markdown_sinks import SinkFinder

ROOT = Path(__file__).parents[3]
FEWEST_SINKS = 300
"""There were 431; a finder that sees far fewer has gone blind."""


def find_in(folder: Path, code: str) -> list[str]:
    (folder / "core" / "ui").mkdir(parents=True)
    (folder / "Home.py").write_text("")
    (folder / "core" / "ui" / "example.py").write_text(code)
    return list(SinkFinder(folder).find())


def test_every_text_that_reaches_markdown_is_ours_or_escaped() -> None:
    finder = SinkFinder(ROOT)

    assert list(finder.find()) == []
    assert finder.count() > FEWEST_SINKS


@pytest.mark.parametrize(
    "code",
    [
        "st.caption(topic.category)",
        "st.caption(format_words(topic.category))",
        "st.button(f'Open {batch.name}')",
        "st.metric('Topic', 1, delta_description=topic.name)",
        "st.checkbox('A', help=persona.name)",
        "st.pills('Topics', names)",
        "place.error(str(error))",
        "def draw(label: str):\n    st.tabs([label])\ndraw(topic.name)",
        "def describe(topic):\n    return f'{topic.name}: {topic.complexity_level}'\nst.markdown(describe(topic))",
        "for label, text in (('a', 'b'), ('c', topic.name)):\n    st.markdown(text)",
    ],
)
def test_a_text_of_somebody_is_found_wherever_it_comes_from(tmp_path: Path, code: str) -> None:
    assert find_in(tmp_path, code)


@pytest.mark.parametrize(
    "code",
    [
        "st.caption(escape_markdown(format_words(topic.category)))",
        "st.caption(f'{batch.planned:,} of {len(items)}')",
        "for label, count in (('a', 1), ('b', number(2))):\n    st.markdown(label)",
        "def draw(label: str):\n    st.tabs([label])\ndraw('Names')",
        "st.pills('Topics', names, format_func=escape_markdown)",
    ],
)
def test_our_own_words_numbers_and_escaped_texts_are_let_through(tmp_path: Path, code: str) -> None:
    assert find_in(tmp_path, code) == []
