"""What leaves as CSV is text in a spreadsheet, whatever it begins with."""

import csv
import io

import pytest

from core.services.spreadsheet import write_cells


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode())))


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1+cmd|' /C calc'!A0",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "  =1",
        '"=1',
        "'=1",
        "\u200b=1",
        "\ufeff=1",
        "\N{NO-BREAK SPACE}=1",
        "\N{FULLWIDTH EQUALS SIGN}1",
        "\N{FULLWIDTH PLUS SIGN}1",
        "\N{FULLWIDTH HYPHEN-MINUS}1",
        "\N{FULLWIDTH COMMERCIAL AT}1",
        "\0=1",
    ],
)
def test_a_cell_that_begins_like_a_formula_begins_with_an_apostrophe(text: str) -> None:
    ((header,), (cell,)) = read(write_cells([text], [[text]]))

    assert cell == header
    assert cell.startswith("'")


@pytest.mark.parametrize(("text", "safe"), [("a;=1", "a;'=1"), ("a\n =1", "a\n' =1"), ("a\t@b", "a\t'@b")])
def test_a_formula_behind_what_may_separate_cells_is_text_too(text: str, safe: str) -> None:
    assert read(write_cells(["h"], [[text]]))[1] == [safe]


def test_numbers_and_harmless_texts_stay_as_they_are() -> None:
    rows = read(write_cells(["a", "b"], [[-1.5, "x-y @z"], [True, None], ["1;2", "5 = 5"]]))

    assert rows[1:] == [["-1.5", "x-y @z"], ["True", ""], ["1;2", "5 = 5"]]
