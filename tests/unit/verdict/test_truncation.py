from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.verdict.conversation import EmotionalContext, Role, Turn
from core.domain.verdict.truncation import (
    TruncationResult,
    detect_truncated_content,
    detect_truncated_turns,
    truncation_summary,
)
from core.domain.verdict.verdict import Confidence, FailurePattern

P = FailurePattern
ADVERSARIAL = st.text(alphabet=" \t\n\\\"'“”‘’()[]{}*_`~.,:;!?…—-#|>0159aAegi$é🎉\x00\u200b\ud800", max_size=300)


def pattern_of(text: str) -> FailurePattern | None:
    return detect_truncated_content(text).pattern


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("This ends with a backslash \\", P.LONE_BACKSLASH),
        ('This ends with \\"', P.ESCAPED_QUOTE),
        ("This is a complete sentence.", None),
        ("This ends mid-w", P.MID_WORD),
        ("List item,", P.TRAILING_COMMA),
        ("Property:", P.TRAILING_COLON),
    ],
)
def test_the_examples_of_the_specification(text: str, expected: FailurePattern | None) -> None:
    assert expected == pattern_of(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The policy was sold to you as \\", P.LONE_BACKSLASH),
        ("The policy was sold to you as \\\n\n", P.LONE_BACKSLASH),
        ("The policy was sold to you as \\\\", P.LONE_BACKSLASH),
        ('You could say \\"I need help, \\', P.LONE_BACKSLASH),
        ('You could simply say, \\"', P.ESCAPED_QUOTE),
        ("We looked at the fees and then we", P.MID_WORD),
        ("We looked at the café", P.MID_WORD),
        ("**Week one", P.MID_WORD),
        ("First the rent, then the card,  \n", P.TRAILING_COMMA),
        ('I would say "yes,"', P.TRAILING_COMMA),
        ("**Step one:**", P.TRAILING_COLON),
        ("Here is what I would do:\n", P.TRAILING_COLON),
        ("Three funds are cheap (", P.OPEN_PAREN),
        ("Three funds are cheap (I like this one. It has a low fee.", P.OPEN_PAREN),
        ("Ask for the plan [", P.OPEN_BRACKET),
        ("Ask for the plan [the long one. Not the short one.", P.OPEN_BRACKET),
        ("The object starts with {", P.OPEN_BRACE),
        ('She looked at him and said "', P.LONG_UNCLOSED_STRING),
        ("She looked at him and said “", P.LONG_UNCLOSED_STRING),
        ("She looked at him and said '", P.LONG_UNCLOSED_STRING),
        ('Tell them: "I dispute this charge. It is not mine.', P.LONG_UNCLOSED_STRING),
        ("Tell them: “I dispute this charge. It is not mine.", P.LONG_UNCLOSED_STRING),
        ('He says "no." You say "why not?', P.LONG_UNCLOSED_STRING),
        ("Start here. **Call the store card first.", P.OPEN_MARKUP),
        ("Start here. **", P.OPEN_MARKUP),
        ("Use this:\n\n```\n=PMT(rate)\ndone.", P.OPEN_MARKUP),
        ("It costs $1,200", P.NO_PUNCTUATION),
        ("The fee is 1%", P.NO_PUNCTUATION),
        ("I thought we had a plan —", P.NO_PUNCTUATION),
        ("I just..", P.NO_PUNCTUATION),
        ("Two steps:\n\n1. Call them.\n2.", P.NO_PUNCTUATION),
        ("Two steps:\n\n1. Call them.\n**2.", P.NO_PUNCTUATION),
        ("Several funds, e.g.", P.NO_PUNCTUATION),
        ("Several funds, i.e.", P.NO_PUNCTUATION),
        ("Several funds, e.", P.NO_PUNCTUATION),
        ("One-time vs.", P.NO_PUNCTUATION),
        ("The lawyer is Dr.", P.NO_PUNCTUATION),
        ("My brother lives in the U.", P.NO_PUNCTUATION),
        ("Use a 529 (a college account)", P.NO_PUNCTUATION),
        ("Keep the house.\n\n## What now?", P.NO_PUNCTUATION),
        ("| Fund | Fee |\n|---|---|", P.NO_PUNCTUATION),
        ("| Fund | Fee |\n|---|---|\n| Index |", P.NO_PUNCTUATION),
        ("All our parents'", P.NO_PUNCTUATION),
    ],
)
def test_text_that_was_cut(text: str, expected: FailurePattern) -> None:
    assert expected == pattern_of(text)


@pytest.mark.parametrize(
    "text",
    [
        # A cut behind the last item of an unpunctuated list, and one inside it, look the same as its end.
        "Bring three things:\n\n- The policy\n- Your pay stubs\n- One worry each",
        # A break for effect cannot be told from a break.
        "I thought we had talked about this—",
        # A name alone begins as many paragraphs as it ends letters.
        "Let me know how it goes.\n\nElena",
        # Chat without punctuation is rare in what Claude writes, and is how every cut looks.
        "i dont know what to do about the loan",
    ],
)
def test_some_endings_count_as_cut_on_purpose(text: str) -> None:
    assert detect_truncated_content(text).is_truncated


@pytest.mark.parametrize(
    "text",
    [
        "Call the bank. Then rest.",  # cut behind a sentence
        "I looked at the statement and the fee is 1.",  # cut inside "1.5%"
        "I just...",  # cut behind an ellipsis that goes on
    ],
)
def test_some_cuts_cannot_be_seen_in_the_text(text: str) -> None:
    assert not detect_truncated_content(text).is_truncated


@pytest.mark.parametrize(
    "text",
    [
        'She said "I\'m done." He said "So am I, and I have been for longer than you would ever care to know about."',
        'She asked for "the truth" and then, for the better part of an hour, did not want to hear any of it at all.',
        'It is a 6" pipe and a 27" screen, and together they cost less than the dinner that we had on our anniversary.',
        "The '90s were kind to you, weren't they? Your parents' house, the kids' fund: it's all from then.",
        'He wrote:\n\n"Dear Mom,\n\n"We love you.\n\n"Can we talk?"',
        "“I said “no” to him,” she wrote. “He did not hear it.”",
        "She said, \"It's called 'paying yourself first.'\"",
        '*"Pay yourself first."*',
        '"I just—" she began, and stopped. "—can\'t," she said at last.',
        'She said \\"I am ready.\\"',
        "That went well :) (I think.)",
        "The order is a) rent, b) food, c) the rest.",
        "With (1 + r)**10 you get 1.63.",
        "5 * 3 ** 2 is what the sheet computes.",
        "It went to zero.\\n\\n",
        "Nobody was as surprised as I.",
        "So we go with Plan A.",
        "They open at 9 a.m. and close at 5 p.m.",
    ],
)
def test_quotes_brackets_and_stars_are_counted_properly(text: str) -> None:
    assert pattern_of(text) is None


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u200b\ufeff", "\\n\\n"])
def test_blank_text_is_not_truncated_but_empty(text: str) -> None:
    expected = TruncationResult(is_truncated=False, pattern=None, details="Empty content", confidence=Confidence.LOW)

    assert expected == detect_truncated_content(text)


def test_turns_of_both_roles_are_judged_and_numbered_from_zero() -> None:
    found = detect_truncated_turns(turns_of("How do I", "Slowly.", "And then?", "Then you \\"))

    assert [(turn.turn_index, turn.role, turn.result.pattern) for turn in found] == [
        (0, Role.USER, P.MID_WORD),
        (3, Role.ASSISTANT, P.LONE_BACKSLASH),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("All is well.", "✓ Content appears complete"),
        ("Property:", "⚠️ Truncated: Ends with a colon (high confidence)"),
        ("List item,", "⚡ Truncated: Ends with a comma (medium confidence)"),
    ],
)
def test_summary(text: str, expected: str) -> None:
    assert expected == truncation_summary(detect_truncated_content(text))


@given(st.text() | ADVERSARIAL)
def test_any_text_gets_a_consistent_result(text: str) -> None:
    result = detect_truncated_content(text)

    assert result.is_truncated == (result.pattern is not None)


@given(ADVERSARIAL, st.text(alphabet=" \t\n\r\u200b", max_size=5), st.text(alphabet=" \t\n\r\u200b", max_size=5))
def test_blanks_around_a_text_change_nothing(text: str, before: str, after: str) -> None:
    assert detect_truncated_content(text) == detect_truncated_content(before + text + after)


@given(ADVERSARIAL.filter(lambda text: "```" not in text and "~~~" not in text))
def test_a_whole_sentence_in_a_new_paragraph_completes_any_text(text: str) -> None:
    assert pattern_of(text + "\n\nAnd that is how it ended.") is None


@given(st.text(alphabet="abc ,.", max_size=40), st.sampled_from([",", ":", " (", " [", " \\", ' "', " then w"]))
def test_a_text_that_goes_on_is_found(text: str, going_on: str) -> None:
    assert detect_truncated_content(f"Well{text}{going_on}").is_truncated


@pytest.mark.parametrize(
    "unit", ["(", '"', ' "a', "\\n", "\\", "**a ", "1", "1.", "a.", "| ", "\n \n", "best, ", "- ", "`", "```\n", "#", "😀"]
)
@pytest.mark.parametrize("end", ["", "x", "x|", ".", ")", "\n|x|"])
def test_a_very_long_text_takes_no_longer_than_its_length(unit: str, end: str) -> None:
    """No timing: a pattern that backtracks would not come back from 200,000 characters within the test's time limit."""
    detect_truncated_content("|" + unit * (200_000 // len(unit)) + end)


def turns_of(*contents: str) -> Sequence[Turn]:
    emotion = EmotionalContext(primary_emotion="worry", intensity=0.5)
    roles = [Role.USER, Role.ASSISTANT] * len(contents)
    return [
        Turn(turn_number=number, role=role, content=content, emotional_context=emotion)
        for number, (role, content) in enumerate(zip(roles, contents, strict=False), start=1)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "他说「没问题。」",
        "„Das ist gut.“",
        "Er sagte: „Das ist gut.“ Dann ging er.",
        "»Das ist gut.«",
        "« C'est bon. »",
        "Das ist gut. »Ja.«",
        "یہ ایک جملہ ہے۔",
        "That is all.\n\n---",
        "That is all.[^1]",
        "That is all.\n\nSincerely,\nElena Morales, CFP",
        "That is all. Thanks!\n\nThanks!\nMarcus",
        "1,000",
    ],
)
def test_finished_text_of_other_scripts_and_forms(text: str) -> None:
    assert not detect_truncated_content(text).is_truncated, text


@pytest.mark.parametrize(
    "text",
    [
        "Er sagte: „Das ist gut.",
        "Он сказал: «Это полное предложение.",
        "彼は「これは終わり。",
        "これは（本当です。",
        "I was done.\n— However",
        "That is clear.\n— The",
        "You have two options.\n-Roth\n-Traditional",
        "That is all.\n\nBest,\nThe",
        "12,",
        "1,0",
        "We can look at it in Jan.",
    ],
)
def test_cut_text_of_other_scripts_and_forms(text: str) -> None:
    assert detect_truncated_content(text).is_truncated, text
