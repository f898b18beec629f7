"""The ways in which a reply's content is damaged; each leaves the rest of the text unchanged."""

import re
from collections.abc import Callable
from random import Random

from core.domain.verdict.conversation import Conversation, EmotionalContext, Role, Turn

CUT_CONVERSATION_CHARS_MAX = 5_200
"""Real early ends billed about 800 to 1,300 tokens; more turns are cut until a conversation is that short."""

_QUOTATION_OPENS = re.compile(r"(?<=[\s(—-])[\"“](?=\w)")
_LONG_WORD = re.compile(r"[A-Za-z]{6,}")
_SENTENCE_END = re.compile(r"(?<=[.?!]) (?=[A-Z])")
_LEAD_INS = (
    "And I want to come back to what you said, ",
    "The sentence I keep hearing is ",
    "Notice how you put it a moment ago - ",
    "What you are really telling me is ",
    "It isn't ",
    "You could simply say, ",
)
_EARLIEST_CUT_CHARS = 120


def cut_at_quotations(conversation: Conversation, rng: Random) -> Conversation:
    """End at least one turn with a lone backslash where a quotation would open.

    Real replies did so when the prompt told Claude to escape its quotes under structured outputs.
    """
    turns = list(conversation.turns)
    order = _order_by_likelihood(turns, rng)
    for count, index in enumerate(order):
        size = sum(len(turn.content) for turn in turns)
        if count > 0 and size < CUT_CONVERSATION_CHARS_MAX and rng.random() > 0.35:  # noqa: PLR2004
            break
        turns[index] = _with_content(turns[index], _stop_before_quotation(turns[index].content, rng))
    return conversation.model_copy(update={"turns": tuple(turns)})


def cut_mid_word(conversation: Conversation, rng: Random) -> Conversation:
    """End one turn inside a word."""
    turns = list(conversation.turns)
    # A short user turn may have no long word; the replies always have one.
    index = next(index for index in _order_by_likelihood(turns, rng) if _LONG_WORD.search(turns[index].content))
    content = turns[index].content
    words = list(_LONG_WORD.finditer(content))
    word = rng.choice([match for match in words if match.start() > _EARLIEST_CUT_CHARS] or words)
    turns[index] = _with_content(turns[index], content[: word.start() + rng.randint(2, 4)])
    return conversation.model_copy(update={"turns": tuple(turns)})


def swap_roles(conversation: Conversation, rng: Random) -> Conversation:
    """Drop the first turn, so that the assistant begins, or a reply in the middle, so that the user speaks twice."""
    turns = list(conversation.turns)
    assistants = [index for index, turn in enumerate(turns[:-1]) if turn.role is Role.ASSISTANT]
    del turns[rng.choice([0, *assistants])]
    numbered = tuple(turn.model_copy(update={"turn_number": number}) for number, turn in enumerate(turns, start=1))
    return conversation.model_copy(update={"turns": numbered})


def escape_text(conversation: Conversation) -> Conversation:
    """Put literal escapes into the decoded text: backslash and n for line breaks, backslash and quote for quotes."""
    return _map_contents(conversation, _escape)


def cut_text(text: str, rng: Random, *, earliest: float = 0.2) -> str:
    """Cut a text at a random position between a fraction of its length and nine tenths."""
    return text[: round(len(text) * rng.uniform(earliest, 0.9))]


def _order_by_likelihood(turns: list[Turn], rng: Random) -> list[int]:
    # In the predecessor's data an assistant turn was cut about twice as often as a user turn.
    weighted = [(rng.random() * (1.0 if turn.role is Role.ASSISTANT else 0.6), index) for index, turn in enumerate(turns)]
    return [index for _, index in sorted(weighted, reverse=True)]


def _stop_before_quotation(content: str, rng: Random) -> str:
    quotations = [match.start() for match in _QUOTATION_OPENS.finditer(content) if match.start() > _EARLIEST_CUT_CHARS]
    if quotations:
        return content[: rng.choice(quotations)] + "\\"
    ends = [match.end() for match in _SENTENCE_END.finditer(content)]
    late_ends = [end for end in ends if end > _EARLIEST_CUT_CHARS] or ends or [len(content)]
    kept = content[: rng.choice(late_ends)].rstrip()
    return f"{kept} {rng.choice(_LEAD_INS)}\\"


def _escape(content: str) -> str:
    escaped = content.replace('"', '\\"').replace("“", '\\"').replace("”", '\\"').replace("\n", "\\n")
    return escaped if "\\" in escaped else escaped.replace(". ", ".\\n\\n", 1)


def _map_contents(conversation: Conversation, change: Callable[[str], str]) -> Conversation:
    turns = tuple(_with_content(turn, change(turn.content)) for turn in conversation.turns)
    return conversation.model_copy(update={"turns": turns})


def _with_content(turn: Turn, content: str) -> Turn:
    context: EmotionalContext = turn.emotional_context
    return Turn(turn_number=turn.turn_number, role=turn.role, content=content, emotional_context=context)
