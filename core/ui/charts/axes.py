"""What charts have in common: a frame that does not move, and axes with room for their labels. No Streamlit here.

Left to itself, Plotly draws each chart a second time when it has seen how much room its labels take.
"""

from collections.abc import Iterable, Sequence
from unicodedata import east_asian_width

from core.domain.diagnosis.plain_names import add_code

FONT_PIXELS = 10.5
"""Of labels in Streamlit's theme."""
LINE_PIXELS = 14
RATE_LABELS = ("100 %",)
"""The longest label of an axis of rates."""
LONGEST_LABEL = 34
GAP_PIXELS = 6
"""Between a bar and its number, which has its room at the right of the plot: it is whole in any window."""
_GAP_PIXELS = 9
"""Between labels and frame."""
_NARROW, _WIDE = frozenset("fijlrtI.,:;'|!()[]- "), frozenset("mwMW@%—…→")
_NARROW_EM, _USUAL_EM, _CAPITAL_EM, _WIDE_EM, _FULL_EM = 0.36, 0.56, 0.66, 0.9, 1.0


def make_frame(
    height: float,
    *,
    left: Iterable[str] = (),
    numbers: Sequence[str] = (),
    right: float = 8,
    top: float = 4,
    bottom: float = 4,
    bottom_lines: int = 0,
) -> dict[str, object]:
    """Return the layout that all charts begin with, without dragging.

    There is room for labels at the left, numbers at the right and lines of labels below; the others are pixels.
    """
    at_right = estimate_room(numbers) + GAP_PIXELS if numbers else right
    below = bottom_lines * LINE_PIXELS + (_GAP_PIXELS if bottom_lines else 0)
    return {
        "height": height,
        "margin": {
            "l": estimate_room(tuple(left)),
            "r": at_right,
            "t": top,
            "b": bottom + below,
        },
        "showlegend": False,
        "dragmode": False,
        "hoverlabel": {"align": "left"},
    }


def make_axis(**settings: object) -> dict[str, object]:
    """Return an axis that neither zooms nor makes room for its labels."""
    return {"fixedrange": True, "automargin": False, **settings}


def make_label_axis(labels: Sequence[str]) -> dict[str, object]:
    """Return an upright axis that has these labels at 0, 1, 2 and so on, downwards."""
    return make_axis(
        tickvals=list(range(len(labels))),
        ticktext=[escape_label(label) for label in labels],
        range=[max(len(labels), 1) - 0.5, -0.5],
        showgrid=False,
        zeroline=False,
    )


def make_category_axis(names: Sequence[str], **settings: object) -> dict[str, object]:
    """Return an axis of values of the database, which stay apart where their labels, shortened, are the same."""
    return make_axis(
        type="category", tickvals=list(range(len(names))), ticktext=[label_value(name) for name in names], **settings
    )


def estimate_room(labels: Sequence[str]) -> float:
    """Return how many pixels the longest label takes beside an axis: rather too many than too few."""
    longest = max((sum(map(_estimate_em, label)) for label in labels), default=0.0)
    return round(longest * FONT_PIXELS) + _GAP_PIXELS if longest else 4


def shorten_label(label: str) -> str:
    """Return a label that leaves a chart some room."""
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"


def label_value(text: str) -> str:
    """Return a value of the database as a chart names it: short enough, and read as text alone."""
    return escape_label(shorten_label(text))


def label_code(name: str, code: str | None) -> str:
    """Return a plain name with its code, as a chart's tooltip shows it; a code without a plain name is shortened."""
    return label_value(name) if code is None or name == code else escape_label(add_code(name, code))


def escape_label(text: str) -> str:
    """Return text that Plotly shows as it is: it reads tags of HTML in labels and notes, links among them."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _estimate_em(character: str) -> float:
    """The width of a character as a share of the font size; unlisted letters count as capitals."""
    if character in _NARROW:
        return _NARROW_EM
    if character in _WIDE:
        return _WIDE_EM
    if east_asian_width(character) in "WF":
        return _FULL_EM
    return _USUAL_EM if character.isascii() and not character.isupper() else _CAPITAL_EM
