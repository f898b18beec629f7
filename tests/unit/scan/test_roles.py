"""Other names of roles: named once, offered with an option, explained by it."""

from typing import Any

import pytest

from tests.support.scans import ScanText
from tests.unit.scan.dialogues import CUT, GOOD, write_lines


def talk(first: str, second: str, texts: tuple[str, ...] = GOOD) -> dict[str, Any]:
    return {"messages": [{"role": (first, second)[n % 2], "content": text} for n, text in enumerate(texts)]}


@pytest.mark.parametrize("names", [("human", "ai"), ("user", "claude"), ("USER", "CHATBOT"), ("prompter", "model")])
def test_common_names_are_known(scan_text: ScanText, names: tuple[str, str]) -> None:
    assert 0 == scan_text(write_lines(talk(*names))).exit_code


def test_names_that_are_not_known_are_flagged_once_and_offered(scan_text: ScanText) -> None:
    scanned = scan_text(write_lines(talk("client", "advisor"), talk("client", "advisor")))

    assert [(0, 0, "client", "validation_error"), (1, 0, "client", "validation_error")] == scanned.places
    assert "--roles client=user,advisor=assistant" in scanned.errors


def test_what_is_said_counts_before_who_says_it(scan_text: ScanText) -> None:
    scanned = scan_text(write_lines(talk("client", "advisor", CUT)))

    assert [(0, 0, "client", "validation_error"), (0, 1, "advisor", "lone_backslash")] == scanned.places


def test_names_are_explained(scan_text: ScanText) -> None:
    record = talk("Client", "advisor", CUT)
    record["messages"].insert(0, {"role": "briefing", "content": "You are"})
    scanned = scan_text(write_lines(record), "--roles", "client=user, advisor=assistant,briefing=system")

    assert ([(0, 1, "assistant", "lone_backslash")], "") == (scanned.places, scanned.errors)


def test_an_explained_name_that_speaks_twice_is_flagged(scan_text: ScanText) -> None:
    scanned = scan_text(write_lines(talk("client", "client", GOOD[:2])), "--roles", "client=user")

    assert [(0, 1, "user", "validation_error")] == scanned.places


@pytest.mark.parametrize(
    ("speaker", "places", "unjudged"), [("assistant", [1], {"user turns": 2}), ("user", [2], {"assistant turns": 2})]
)
def test_one_speaker_alone_is_judged(scan_text: ScanText, speaker: str, places: list[int], unjudged: dict[str, int]) -> None:
    texts = (GOOD[0], "What stops you is the \\", "That sounds like \\", GOOD[3])
    scanned = scan_text(write_lines(talk("user", "assistant", texts)), "--judge", speaker)

    assert (places, unjudged) == ([row["turn"] for row in scanned.rows], scanned.beside["not_judged"])
