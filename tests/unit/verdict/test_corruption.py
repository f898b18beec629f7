import pytest

from core.domain.verdict.corruption import find_corruption
from core.domain.verdict.verdict import FailurePattern

P = FailurePattern


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("First.\\n\\nSecond.", P.ESCAPED_TEXT),
        ("First.\\nnow second.", P.ESCAPED_TEXT),
        ('He said \\"yes.\\" Then he left.', P.ESCAPED_TEXT),
        ("Caf\\u00e9 money.", P.ESCAPED_TEXT),
        ("Rent\\t$900.", P.ESCAPED_TEXT),
        ("Two \\\\ strokes.", P.ESCAPED_TEXT),
        ("and\\/or.", P.ESCAPED_TEXT),
        ("I don\\'t know.", P.ESCAPED_TEXT),
        ("One more word.\\to go.", P.ESCAPED_TEXT),
        ("We are.\\not sure.", P.ESCAPED_TEXT),
        ("It costs $5.\\to go on is $10.", P.ESCAPED_TEXT),
        ("A smile \\U0001F600 and \\x27.", P.ESCAPED_TEXT),
        ("It\u2019s caf\ufffd.", P.GARBLED_TEXT),
        ("Ãœber money.", P.GARBLED_TEXT),
        ("It costs â‚¬5.", P.GARBLED_TEXT),
        ("At 20Â° it is fine ðŸ˜Š.", P.GARBLED_TEXT),
        ("Itâ€™s late.", P.GARBLED_TEXT),
        ("CafÃ© money.", P.GARBLED_TEXT),
        ("A bell \x07 rang.", P.GARBLED_TEXT),
        ("Dear {{persona_name}}, welcome.", P.UNFILLED_PLACEHOLDER),
        ("Dear {{ persona.name }}, welcome.", P.UNFILLED_PLACEHOLDER),
        ("Dear {{  client-name  }}, welcome.", P.UNFILLED_PLACEHOLDER),
        ("Dear {client_name}, welcome.", P.UNFILLED_PLACEHOLDER),
        ("Dear [CLIENT NAME], welcome.", P.UNFILLED_PLACEHOLDER),
    ],
)
def test_damaged_text(text: str, expected: FailurePattern) -> None:
    found = find_corruption(text)

    assert found is not None
    assert expected is found.pattern


@pytest.mark.parametrize(
    "text",
    [
        "First.\n\nSecond.\tThird.",
        'He said "yes." Then he left.',
        "Café, naïve, über, 日本, 🎉 and 'quotes' — all fine.",
        "It costs \\$5, which Markdown wants escaped.",
        "In LaTeX: $FV = PV \\times (1 + r)^n$, $a \\neq b$, $\\theta \\to \\rho$, $\\text{rate} \\rightarrow 0$.",
        "Write to [your landlord's name] and {keep a copy}.",
        "À bientôt, São Paulo. NÃO, pas Âge.",
        "The set \\(a \\to b\\) has {a, b} and \\frac{1}{2} of \\text{rate}.",
    ],
)
def test_undamaged_text(text: str) -> None:
    assert find_corruption(text) is None


def test_the_excerpt_shows_the_place() -> None:
    found = find_corruption("A" * 500 + " before.\\nAfter " + "B" * 500)

    assert found is not None
    assert "before.\\nAfter" in found.excerpt
    assert len(found.excerpt) < 80
