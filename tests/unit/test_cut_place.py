"""Where in a reply the cut is."""

from core.domain.verdict.cut_place import locate_cut
from tests.factories import TURNS, make_conversation_json


def test_the_cut_of_a_turn_is_where_its_content_ends() -> None:
    reply = make_conversation_json(["I asked for help.", "the fear of making the \\", "So what now?"])

    cut = locate_cut(reply, 1)

    assert cut.before.endswith("the fear of making the \\\\")
    assert cut.behind.startswith('", "emotional_context"')
    assert reply[cut.offset :].startswith('", "emotional_context"')


def test_braces_and_quotes_inside_a_turn_do_not_mislead() -> None:
    reply = make_conversation_json(['She said {"content": "x"} [to me].', "It stops at the"])

    assert locate_cut(reply, 1).before.endswith("It stops at the")


def test_an_unclosed_turn_is_cut_at_the_end_of_the_text() -> None:
    reply = make_conversation_json(TURNS)
    reply = reply[: reply.index("00 dollars")]

    cut = locate_cut(reply + "\n", 1)

    assert (len(reply), "\n") == (cut.offset, cut.behind)


def test_without_a_turn_to_blame_the_cut_is_the_end() -> None:
    assert locate_cut("no JSON at all", None).offset == 14
    assert locate_cut("no JSON at all", 7).offset == 14
