"""The figures of the evaluation, without their printing."""

import json
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.domain.record import Record
from core.domain.verdict.conversation import Role
from core.domain.verdict.judgement import judge_reply
from core.domain.verdict.truncation import detect_truncated_content
from core.domain.verdict.verdict import Accepted, Failed, FailurePattern, Verdict
from tests.evaluation.cuts import Boundary, cut_everywhere
from tests.evaluation.replies import as_reply, conversation_document
from tests.evaluation.turns import Label, LabelledTurn

CHARACTERS_OF_10_000_TOKENS = 40_000
TARGET_RECALL_OF_CUTS = 0.97
_MISSES_KEPT = 200


class JudgedTurn(Record):
    """A labelled turn and what the detector makes of it."""

    turn: LabelledTurn
    pattern: FailurePattern | None

    @property
    def is_right(self) -> bool:
        """Whether the label and the detector agree."""
        return (self.pattern is not None) == (self.turn.label is Label.TRUNCATED)


class JudgedReply(Record):
    """A whole reply from a file, judged as if Claude had ended it by itself: the hardest case."""

    path: Path
    text: str
    verdict: Verdict

    def holds(self, turn: LabelledTurn) -> bool:
        """Whether the turn comes from this reply."""
        return json.dumps(turn.text, ensure_ascii=False)[1:-1] in self.text


@dataclass
class CutFigures:
    """What became of the cuts of one role at one kind of boundary."""

    role: Role
    boundary: Boundary
    cuts: int = 0
    found: int = 0
    sentence_ends: int = 0
    sentence_ends_found: int = 0
    by_pattern: Counter[str] = field(default_factory=Counter[str])
    misses: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    @property
    def recall(self) -> float:
        """Found, of the cuts that do not fall on a sentence end."""
        return self.found / self.cuts if self.cuts else 1.0


class Timing(Record):
    """Milliseconds of processor time for the verdict on one reply, so that a busy machine does not count."""

    characters: int
    turns: int
    median_ms: float
    slowest_ms: float


def judge_turns(turns: Iterable[LabelledTurn]) -> list[JudgedTurn]:
    """Run the detector over the turns."""
    return [JudgedTurn(turn=turn, pattern=detect_truncated_content(turn.text).pattern) for turn in turns]


def measure_cuts(turns: Sequence[LabelledTurn], role: Role, boundary: Boundary) -> CutFigures:
    """Cut every complete turn of the role at every such boundary, and count what the detector finds."""
    figures = CutFigures(role, boundary)
    for turn in turns:
        if turn.role is not role or turn.label is not Label.COMPLETE:
            continue
        for cut in cut_everywhere(turn.text, boundary):
            result = detect_truncated_content(cut.text)
            if cut.at_sentence_end:
                figures.sentence_ends += 1
                figures.sentence_ends_found += result.is_truncated
                continue
            figures.cuts += 1
            if result.pattern is not None:
                figures.found += 1
                figures.by_pattern[result.pattern] += 1
            elif len(figures.misses) < _MISSES_KEPT:
                figures.misses.append((cut.text[-40:], turn.text[len(cut.text) :][:15]))
    return figures


def judge_replies(directory: Path) -> list[JudgedReply]:
    """The verdict on every reply's text that lies in the directory."""
    paths = sorted(path for path in directory.iterdir() if path.is_file())
    texts = [(path, path.read_text(encoding="utf-8")) for path in paths]
    return [JudgedReply(path=path, text=text, verdict=judge_reply(as_reply(text))) for path, text in texts]


def measure_speed(turns: Sequence[LabelledTurn], repeats: int = 200) -> Timing:
    """Time the verdict on a conversation of 10,000 tokens made of complete turns."""
    texts = [turn.text for turn in turns if turn.label is Label.COMPLETE]
    reply = as_reply(_long_conversation(texts))
    durations: list[float] = []
    for _ in range(repeats):
        start = time.process_time()
        judge_reply(reply)
        durations.append((time.process_time() - start) * 1000)
    count = reply.text.count('"turn_number"')
    return Timing(characters=len(reply.text), turns=count, median_ms=statistics.median(durations), slowest_ms=max(durations))


def describe_verdict(verdict: Verdict) -> str:
    """The verdict in one line."""
    match verdict:
        case Accepted(conversation=conversation):
            return f"accepted, {len(conversation.turns)} turns"
        case Failed():
            pattern = f"/{verdict.pattern}" if verdict.pattern else ""
            return f"{verdict.failure_type}{pattern} ({verdict.confidence}): {verdict.details}"


def _long_conversation(texts: Sequence[str]) -> str:
    """Turns over and over until the length is reached; only turns without damage, so that all of them are read."""
    whole = [text for text in texts if "\\" not in text]
    contents: list[str] = []
    while len(conversation_document(contents)) < CHARACTERS_OF_10_000_TOKENS:
        contents.append(whole[len(contents) % len(whole)])
    return conversation_document(contents)
