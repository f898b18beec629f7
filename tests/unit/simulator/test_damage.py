"""Each kind of damage breaks what it names and nothing else."""

import json
from random import Random

import pytest

from core.domain.verdict.conversation import Conversation, Role
from core.embedded.simulator import damage
from core.embedded.simulator.dialogue import write_conversation
from core.embedded.simulator.scene import read_scene

SEEDS = range(60)


def make_conversation(seed: int, arc: str = "shame_to_acceptance") -> Conversation:
    scene = read_scene(f'<scenario persona="overwhelmed_avoider" arc="{arc}" topic="ignored_401k" template="t"/>', "")
    return write_conversation(scene, Random(seed))


@pytest.mark.parametrize("arc", ["shame_to_acceptance", "crisis_to_referral", "overwhelm_to_triage"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_quotation_cut_ends_on_a_lone_backslash_and_keeps_the_json_whole(seed: int, arc: str) -> None:
    whole = make_conversation(seed, arc)
    cut = damage.cut_at_quotations(whole, Random(seed))

    ends = [turn.content.endswith(" \\") for turn in cut.turns]
    assert any(ends)
    assert all(turn.content.count("\\") == ended for turn, ended in zip(cut.turns, ends, strict=True))
    assert len(cut.turns) == len(whole.turns)
    assert len(json.loads(cut.model_dump_json())["turns"]) == len(whole.turns)


def test_quotation_cuts_have_the_size_of_the_real_ones() -> None:
    sizes = [len(damage.cut_at_quotations(make_conversation(seed), Random(seed)).model_dump_json()) / 4 for seed in SEEDS]

    assert min(sizes) > 400
    assert max(sizes) < 1_500


def test_user_turns_are_cut_too() -> None:
    roles = {
        turn.role
        for seed in SEEDS
        for turn in damage.cut_at_quotations(make_conversation(seed), Random(seed)).turns
        if turn.content.endswith("\\")
    }

    assert roles == {Role.USER, Role.ASSISTANT}


@pytest.mark.parametrize("arc", ["shame_to_acceptance", "crisis_to_referral"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_word_cut_ends_one_turn_inside_a_word(seed: int, arc: str) -> None:
    whole = make_conversation(seed, arc)
    cut = damage.cut_mid_word(whole, Random(seed))

    changed = [(old.content, new.content) for old, new in zip(whole.turns, cut.turns, strict=True) if old != new]
    assert len(changed) == 1
    old, new = changed[0]
    assert old.startswith(new)
    assert new[-1].isalpha()
    assert old[len(new)].isalpha()


@pytest.mark.parametrize("seed", SEEDS)
def test_swapped_roles_break_the_alternation(seed: int) -> None:
    roles = [turn.role for turn in damage.swap_roles(make_conversation(seed), Random(seed)).turns]

    expected = [Role.USER if index % 2 == 0 else Role.ASSISTANT for index in range(len(roles))]
    assert roles != expected


@pytest.mark.parametrize("seed", SEEDS)
def test_escaped_text_holds_literal_escapes_in_every_turn(seed: int) -> None:
    turns = damage.escape_text(make_conversation(seed)).turns

    assert all("\\" in turn.content and "\n" not in turn.content for turn in turns)
    assert any('\\"' in turn.content for turn in turns)
    assert any("\\n" in turn.content for turn in turns)


@pytest.mark.parametrize("seed", SEEDS)
def test_cut_json_no_longer_parses(seed: int) -> None:
    text = make_conversation(seed).model_dump_json()

    with pytest.raises(json.JSONDecodeError):
        json.loads(damage.cut_text(text, Random(seed)))
