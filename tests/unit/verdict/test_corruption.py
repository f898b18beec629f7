import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.verdict.corruption import find_corruption
from core.domain.verdict.prose import blank_code
from core.domain.verdict.verdict import Confidence, FailurePattern

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
        ("Liebe {{kundin}}, willkommen.", P.UNFILLED_PLACEHOLDER),
        ("亲爱的{{客户姓名}}，您好。", P.UNFILLED_PLACEHOLDER),
        ("The rate is $r^2$ for {client_name}.", P.UNFILLED_PLACEHOLDER),
        ("Dear {CLIENT_NAME}, welcome.", P.UNFILLED_PLACEHOLDER),
        ("Dear {client.name}, welcome.", P.UNFILLED_PLACEHOLDER),
        ("Dear {{ client name }}, welcome.", P.UNFILLED_PLACEHOLDER),
        ("Dear {{name | upper}}, welcome.", P.UNFILLED_PLACEHOLDER),
        ("It&rsquo;s the R&amp;D budget.", P.ESCAPED_TEXT),
        ("Das kostet 5 &euro;.", P.ESCAPED_TEXT),
        ("It&#8217;s late.", P.ESCAPED_TEXT),
        ("It&#x27;s late.", P.ESCAPED_TEXT),
        ("Drei Schu00fcsse.", P.ESCAPED_TEXT),
        ("It doesnu2019t matter.", P.ESCAPED_TEXT),
        ("u041fu0440u0438u0432u0435u0442", P.ESCAPED_TEXT),
        ("That is all.<|endoftext|>", P.CHAT_MARKUP),
        ("That is all.<end_of_turn>", P.CHAT_MARKUP),
        ("[INST] And then? [/INST] That is all.", P.CHAT_MARKUP),
        ("<<SYS>>Be kind.<</SYS>> Hello.", P.CHAT_MARKUP),
        ("That is all.<｜end▁of▁sentence｜>", P.CHAT_MARKUP),
        ("That is all.</s>", P.CHAT_MARKUP),
        ("<s>That is all.", P.CHAT_MARKUP),
        ("That is all.<|END_OF_TURN_TOKEN|>", P.CHAT_MARKUP),
        ("[TOOL_CALLS] That is all.", P.CHAT_MARKUP),
        ("[AVAILABLE_TOOLS][][/AVAILABLE_TOOLS] That is all.", P.CHAT_MARKUP),
        ("That is all.<0x0A><unk>", P.CHAT_MARKUP),
        ("That is all.\n[|Human|] And bonds?", P.CHAT_MARKUP),
        ("[THINK]They ask about bonds. It depends.", P.CHAT_MARKUP),
        ("<reasoning>They ask about bonds. It depends.", P.CHAT_MARKUP),
        ("That is all. USER: And bonds? ASSISTANT: Bonds, too.", P.CHAT_MARKUP),
        ("That is all.### Human: And bonds?", P.CHAT_MARKUP),
        ("That is all.\n[USER]: And bonds?", P.CHAT_MARKUP),
        ("That is all.\nassistant\nBonds, too.", P.CHAT_MARKUP),
        ("<think>They ask about bonds. I should say that it depends.", P.CHAT_MARKUP),
        ("That is all.\n### Human: And bonds?", P.CHAT_MARKUP),
        ("That is all.\n\nUser: And bonds?", P.CHAT_MARKUP),
        ("That is all.\n\n**Assistant:** Bonds, too.", P.CHAT_MARKUP),
        ("Das ist alles.\n\nNutzer: Und Anleihen?", P.CHAT_MARKUP),
        ("就这些。\n\n用户：那债券呢？", P.CHAT_MARKUP),
        ("Это всё.\n\nПользователь: А облигации?", P.CHAT_MARKUP),
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
        "It grows as Pe^{rt}, or as P(1 + r)^{n} with x_{start} in the year.",
        "Half of it is \\frac{cost}{years}, and \\sqrt{rate} the rest.",
        "We write $\\frac{income}{spending}$ and \\(A = Pe^{rate}\\) and \\[\\sum_{i}^{n} {rate}\\] for it.",
        "\\begin{aligned} a &= {rate} \\\\ b &= {cost} \\end{aligned}",
        "It is M = P \\times \\frac{r}{n}, with \\rho and \\tau, and a \\neq b \\to c.",
        "The call GET /users/{user_id}/cards/{card} returns it.",
        "[THINK]They ask about bonds.[/THINK]Bonds come later.",
        "These speak here:\nuser\nassistant",
        "It has these lines.\nroot\nuser\nadmin\nThose are all.",
        "The set {RED} is small, and ║Да║ is drawn.",
        "A sequence {x_n} and a set {n}.",
        "Use `{{name}}` and `{user_name}` and `&amp;` and `\\n` in it.",
        '```\nprint(f"{name}\\n")\n<|im_end|>\n```\nThat prints it.',
        "The action uses ${{ github.sha }} there.",
        "Look in C:\\new\\table for the file.",
        "AT&T; and R&D;",
        "<p>Fish &amp; chips</p>",
        "A <s>bad</s> good idea.",
        "<think>They ask about bonds.</think>Bonds come later.",
        "User: Hi.\nAssistant: Hello.",
        "Here is a dialogue:\n\nUser: Hi.\nAssistant: Hello.",
        "Menu: two items.\nUser: one item.",
        "I spoke to the human: he was kind.",
        "Press <Enter>, then <Ctrl>.",
    ],
)
def test_undamaged_text(text: str) -> None:
    assert find_corruption(text) is None


def test_the_excerpt_shows_the_place() -> None:
    found = find_corruption("A" * 500 + " before.\\nAfter " + "B" * 500)

    assert found is not None
    assert "before.\\nAfter" in found.excerpt
    assert len(found.excerpt) < 80


@pytest.mark.parametrize(
    "text",
    [
        "In a template, {{name}} stands for the name.",
        "Write {user_name} as a placeholder for the user.",
        'Python prints it.\nprint(f"Hello, {user_name}")',
        "In HTML, &lt; stands for the sign.",
        "Write \\n for a new line.",
        "Use '{name} is {years}'.format(name=a, years=b) there.",
        'It ends a line.\nputs("one\\n")',
        "The token <|im_end|> ends a turn.",
        "Kind regards,\n[User's Name]",
    ],
)
def test_confidence_is_low_where_a_text_is_about_such_signs(text: str) -> None:
    found = find_corruption(text)

    assert found is not None
    assert found.confidence is Confidence.LOW


def test_text_that_was_escaped_as_a_whole_is_sure_whatever_it_is_about() -> None:
    found = find_corruption('The template (\\"yes\\") is late.\\n\\nNow the variable rate;')

    assert found is not None
    assert (found.pattern, found.confidence) == (P.ESCAPED_TEXT, Confidence.HIGH)


@pytest.mark.parametrize(
    "unit",
    [
        *("$", "$a^", "$$", "\\(", "\\[", "\\begin{a}", "`", "```", "~~~", "{", "{{a", "{a_", "[", "a:\\", "\\n"),
        *("&amp", "&", "<", "<think>", "<a ", "<|a", "\nUser", "\n#", "\n**", "x" * 50 + ": "),
        *("?? ", "=E2", "u00e", "Ã", "â€", "é’", "中"),
    ],
)
@pytest.mark.parametrize("end", ["", "x", "{name}", "\nUser: x"])
def test_a_very_long_text_takes_no_longer_than_its_length(unit: str, end: str) -> None:
    """No timing: a pattern that backtracks would not come back from 200,000 characters within the test's time limit."""
    find_corruption(unit * (200_000 // len(unit)) + end)


@given(st.text(alphabet="ab \n$`~\\(){}[]^_begin:", max_size=200))
def test_blanking_code_moves_nothing(text: str) -> None:
    prose = blank_code(text)

    assert len(prose) == len(text)
    assert all(shown in (" ", given) for shown, given in zip(prose, text, strict=True))
