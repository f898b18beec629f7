"""Writes conversations: varied, complete, and the same for the same scene and generator."""

import json
import re
from collections.abc import Iterator
from enum import Enum, auto
from functools import cache
from importlib.resources import files
from random import Random
from typing import assert_never

from core.domain.verdict.conversation import Conversation, ConversationMetadata, EmotionalContext, Role, Turn
from core.embedded.simulator.figures import draw_figures
from core.embedded.simulator.scene import Scene

CRISIS_ARC = "crisis_to_referral"
"""Safe messaging: these conversations use only their own phrases, without figures or advice."""

_EDGE_ARCS = frozenset({CRISIS_ARC, "hostility_to_boundary", "overwhelm_to_triage"})
_FEELINGS_BETWEEN = ("hesitation", "curiosity", "cautious hope", "relief", "wariness", "recognition")
_FEELINGS_BESIDE_START = ("exhaustion", "embarrassment", "worry", "loneliness", "irritation", "doubt")
_FEELINGS_BESIDE_END = ("relief", "gratitude", "calm", "resolve", "tenderness", "tiredness")
_STATEMENT = re.compile(r"(?:^|(?<=[.?!] ))([A-Z][^.?!]*)\.")
_ECHO_WORDS_MAX = 9


class Stage(Enum):
    """The part of the conversation that a turn belongs to."""

    OPENING = auto()
    MIDDLE = auto()
    CLOSING = auto()


def write_conversation(scene: Scene, rng: Random) -> Conversation:
    """Write user and assistant turns alternately, the user first and the assistant last."""
    pen = _Pen(scene, rng)
    turn_count = _choose_turn_count(scene, rng)
    start = rng.uniform(*scene.starting_intensity)
    end = rng.uniform(*scene.ending_intensity)
    turns: list[Turn] = []
    for number in range(1, turn_count + 1):
        stage = _find_stage(number, turn_count)
        role = Role.USER if number % 2 else Role.ASSISTANT
        if role is Role.USER:
            content = pen.write_client_turn(stage)
        else:
            content = pen.write_consultant_turn(stage, _choose_length_chars(scene, rng))
        intensity = start + (end - start) * (number - 1) / (turn_count - 1)
        context = _describe_emotion(scene, rng, stage, intensity)
        turns.append(Turn(turn_number=number, role=role, content=content, emotional_context=context))
    metadata = ConversationMetadata(
        client_persona=f"{scene.client_name}, {scene.client_archetype}",
        session_context=" ".join((pen.draw("session"), *(f"{told[0].upper()}{told[1:]}." for told in scene.particulars))),
        conversation_phase=scene.arc_name,
        expected_outcome=f"{scene.first_name} moves from {scene.starting_emotion} to {scene.ending_emotion}.",
    )
    return Conversation(conversation_metadata=metadata, turns=tuple(turns))


def _find_stage(number: int, turn_count: int) -> Stage:
    # The first exchange opens, the last one closes.
    if number in (1, 2):
        return Stage.OPENING
    return Stage.CLOSING if number >= turn_count - 1 else Stage.MIDDLE


def _choose_turn_count(scene: Scene, rng: Random) -> int:
    lowest = max(4, scene.turn_count_min)
    lowest += lowest % 2
    return rng.choice(range(lowest, max(lowest, scene.turn_count_max) + 1, 2))


def _choose_length_chars(scene: Scene, rng: Random) -> int:
    # Short replies suit the edge arcs, and their phrases must last for eight turns.
    return rng.randint(510, 580 if scene.arc_key in _EDGE_ARCS else 1_600)


def _describe_emotion(scene: Scene, rng: Random, stage: Stage, intensity: float) -> EmotionalContext:
    match stage:
        case Stage.OPENING:
            primary, beside = scene.starting_emotion, _FEELINGS_BESIDE_START
        case Stage.MIDDLE:
            primary, beside = rng.choice(_FEELINGS_BETWEEN), (scene.starting_emotion, scene.ending_emotion)
        case Stage.CLOSING:
            primary, beside = scene.ending_emotion, _FEELINGS_BESIDE_END
        case _:
            assert_never(stage)
    return EmotionalContext(primary_emotion=primary, secondary_emotion=rng.choice(beside), intensity=round(intensity, 2))


class _Pen:
    """Draws phrases, repeating one only when its bank is used up, and joins them into turns."""

    def __init__(self, scene: Scene, rng: Random) -> None:
        self._scene = scene
        self._rng = rng
        self._left: dict[str, list[str]] = {}
        self._echo = ""
        concepts = [_lower_first(concept) for concept in scene.concepts] or ["the timing"]
        rng.shuffle(concepts)
        self._values = draw_figures(rng) | {
            "c1": concepts[0],
            "c2": concepts[1 % len(concepts)],
            "c3": concepts[2 % len(concepts)],
            "topic": scene.topic_name,
            "first": scene.first_name,
            "partner": scene.partner_name,
            "echo": "",
        }

    def draw(self, bank: str) -> str:
        """Return the bank's next phrase, filled in and beginning with a capital."""
        phrases = self._left.get(bank)
        if not phrases:
            phrases = self._left[bank] = list(_load_phrases()[bank])
        return self._fill(phrases.pop(int(self._rng.random() * len(phrases))))

    def _fill(self, phrase: str) -> str:
        text = phrase.format_map(self._values)
        return text[0].upper() + text[1:]

    def _draw_unused(self, bank: str) -> Iterator[str]:
        """Draw until the bank is used up."""
        while self._left.get(bank, True):
            yield self.draw(bank)

    def write_client_turn(self, stage: Stage) -> str:
        is_crisis = self._scene.arc_key == CRISIS_ARC
        sentences = self._write_crisis_client(stage) if is_crisis else self._write_client(stage)
        text = " ".join(sentences)
        self._echo = _pick_echo(text, self._rng)
        return text

    def write_consultant_turn(self, stage: Stage, target_chars: int) -> str:
        """Write three paragraphs: acknowledge, explain until `target_chars` is reached, hand over."""
        self._values["echo"] = self._echo
        received = self._receive()
        handed_over = self._hand_over(stage)
        explained: list[str] = []
        length = sum(map(len, received)) + sum(map(len, handed_over))
        for sentence in self._explain(stage):
            explained.append(sentence)
            length += len(sentence) + 1
            if length >= target_chars:
                break
        return "\n\n".join(" ".join(part) for part in (received, explained, handed_over) if part)

    def _bank(self, kind: str, key: str) -> str:
        """Return the bank for this arc or persona, or else the general one."""
        return f"{kind}.{key}" if f"{kind}.{key}" in _load_phrases() else f"{kind}.generic"

    def _write_client(self, stage: Stage) -> list[str]:
        arc_key, is_edge = self._scene.arc_key, self._scene.arc_key in _EDGE_ARCS
        detail, asked = self._bank("client.detail", self._scene.persona_key), self._bank("client.ask", arc_key)
        match stage:
            case Stage.OPENING:
                bank = self._bank("client.open", arc_key)
                if is_edge:
                    return [self.draw(bank), self.draw(bank), self.draw(detail), self.draw(asked)]
                opening = [self.draw(bank), self.draw(detail), self.draw("client.voice")]
                self._rng.shuffle(opening)
                questions = self._scene.questions or (self.draw(asked),)
                return [*opening, self.draw("client.detail.generic"), self._rng.choice(questions)]
            case Stage.MIDDLE:
                aside = detail if is_edge else self._rng.choice((detail, "client.voice", "client.turn.generic"))
                return [self.draw(self._bank("client.turn", arc_key)), self.draw(aside), self.draw(asked)]
            case Stage.CLOSING:
                closing = self.draw(self._bank("client.close", arc_key))
                if is_edge:
                    return [closing]
                aside = [self.draw(detail)] if self._rng.random() < 0.4 else []  # noqa: PLR2004
                return [self.draw(self._bank("client.turn", arc_key)), *aside, closing]
            case _:
                assert_never(stage)

    def _write_crisis_client(self, stage: Stage) -> list[str]:
        detail, ask = f"client.detail.{CRISIS_ARC}", f"client.ask.{CRISIS_ARC}"
        match stage:
            case Stage.OPENING:
                return [self.draw(detail), self.draw(detail), self.draw(f"client.open.{CRISIS_ARC}")]
            case Stage.MIDDLE:
                return [self.draw(f"client.turn.{CRISIS_ARC}"), self.draw(detail), self.draw(ask)]
            case Stage.CLOSING:
                return [self.draw(f"client.close.{CRISIS_ARC}")]
            case _:
                assert_never(stage)

    def _receive(self) -> list[str]:
        arc_key = self._scene.arc_key
        acknowledgement = self.draw(self._bank("ack", arc_key))
        if arc_key == CRISIS_ARC:
            return [acknowledgement]
        if self._echo:
            return [acknowledgement, self.draw(self._bank("quote_back", arc_key))]
        return [acknowledgement] if arc_key in _EDGE_ARCS else [acknowledgement, self.draw("ack.generic")]

    def _explain(self, stage: Stage) -> Iterator[str]:
        """Yield sentences, the most fitting first; the caller takes as many as fit into the turn."""
        arc_key = self._scene.arc_key
        own = self._bank("body", arc_key)
        if arc_key in _EDGE_ARCS:
            yield from self._take_crisis_essentials() if arc_key == CRISIS_ARC and stage is Stage.OPENING else ()
            yield from self._draw_unused(own)
            return
        banks = ["body.concept", "body.figures", own, "normal" if stage is Stage.OPENING else "body.figures"]
        self._rng.shuffle(banks)
        for bank in [*banks, "image", "body.concept", "body.figures", "body.generic", "body.concept", own]:
            yield self.draw(bank)

    def _take_crisis_essentials(self) -> Iterator[str]:
        """Yield what the first reply must contain: the direct question, whether they are safe, and the 988 line."""
        own = f"body.{CRISIS_ARC}"
        essentials = _load_phrases()[own][:3]
        self._left[own] = list(_load_phrases()[own][3:])
        for phrase in essentials:
            yield self._fill(phrase)

    def _hand_over(self, stage: Stage) -> list[str]:
        arc_key = self._scene.arc_key
        step = [] if arc_key in _EDGE_ARCS or stage is Stage.OPENING else [self.draw("step")]
        bank = "close" if stage is Stage.CLOSING else "ask"
        return [*step, self.draw(self._bank(bank, arc_key))]


def _pick_echo(text: str, rng: Random) -> str:
    """Return a few of the client's own words that can be quoted, or nothing."""
    statements = [statement for statement in _STATEMENT.findall(text) if not any(mark in statement for mark in '"“”:;')]
    fitting = [statement for statement in statements if 3 <= len(statement.split()) <= _ECHO_WORDS_MAX]  # noqa: PLR2004
    return rng.choice(fitting) if fitting else ""


def _lower_first(concept: str) -> str:
    # Acronyms and names keep their capitals: "HELOC", "72(t) distributions", "Roth ladders".
    first_word = concept.partition(" ")[0]
    return concept if any(letter.isupper() for letter in first_word) else concept[0].lower() + concept[1:]


@cache
def _load_phrases() -> dict[str, tuple[str, ...]]:
    rows: dict[str, list[str]] = json.loads(files(__package__ or "").joinpath("phrases.json").read_text(encoding="utf-8"))
    return {bank: tuple(phrases) for bank, phrases in rows.items()}
