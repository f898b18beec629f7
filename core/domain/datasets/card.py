"""The text of a data set's card: what it holds, how it was judged, what was kept out, what to know before training. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.domain.datasets.plans import DatasetVersion
from core.domain.datasets.splits import SharedValues, Split, describe_shared
from core.domain.datasets.token_lengths import LengthStatistics, describe_defaults, describe_lengths
from core.domain.datasets.training_formats import Message
from core.domain.datasets.versions import describe_exclusions, describe_reviews
from core.domain.record import Record

LONGEST_CELL = 80
LONGEST_EXAMPLE = 1_200
JUDGED = (
    "Each reply was judged before it became a conversation, and again when this version was frozen: the stop reason of the "
    "call, the form of the reply, every turn for text that is cut off, and the characters for damage. Nothing was repaired."
)
LIMITS = (
    "The conversations are synthetic. Emotions and figures in them are a model's, not a client's, and nothing in them is "
    "financial advice. Check the terms of the model's provider before you train on its output or publish it."
)


class CardFacts(Record):
    """What a card says of one export of a version."""

    name: str
    version: DatasetVersion
    splits: Mapping[Split, int]
    shared: tuple[SharedValues, ...]
    lengths: LengthStatistics
    simulated: int
    cost_usd: float
    templates: tuple[str, ...]
    example: tuple[Message, ...]


def write_card(facts: CardFacts) -> str:
    """Return the card in Markdown, without the YAML that the Hub reads."""
    version = facts.version
    writer = "" if facts.simulated else ", written by a model"
    origin = f"{version.conversations:,} multi-turn financial-planning conversations{writer}, judged one by one."
    frozen = f"Version {version.number}, frozen {version.frozen_at:%Y-%m-%d %H:%M} UTC, fingerprint `{version.fingerprint}`."
    sections = [f"# {_plain(facts.name)}", f"{origin} {frozen}"]
    if facts.simulated:
        sections.append(f"**{facts.simulated:,} of them are simulated**: a program wrote them. Do not train on them.")
    sections += [
        _list_counts("Splits", {split.value: count for split, count in facts.splits.items()}),
        *_describe_shared(facts.shared),
        *(_list_counts(f"By {name}", counts) for name, counts in version.summary.get("counts", {}).items()),
        *_draw_grid(version.summary.get("cells", {})),
        "## How it was judged",
        JUDGED,
        *_describe_reviews(version),
        f"Kept out: {describe_exclusions(version.exclusions)}.",
        "## Lengths",
        " ".join((describe_lengths(facts.lengths), *describe_defaults(facts.lengths))),
        "## Origin",
        f"Templates: {', '.join(map(_plain, facts.templates)) or 'not known'}. Cost of the calls: {_describe_cost(facts)}.",
        "## Limits",
        LIMITS,
        "## An example",
        _quote(facts.example),
    ]
    return "\n\n".join(sections) + "\n"


def _describe_shared(shared: Sequence[SharedValues]) -> list[str]:
    return [f"{describe_shared(each)}." for each in shared]


def _describe_reviews(version: DatasetVersion) -> list[str]:
    """Versions that were frozen before it was noted say nothing."""
    reviews: Mapping[str, int] = version.summary.get("reviews", {})
    return [describe_reviews(reviews, version.conversations)] if reviews else []


def _describe_cost(facts: CardFacts) -> str:
    return f"${facts.cost_usd:,.2f}{', as if the simulated ones had been real' if facts.simulated else ''}"


def _draw_grid(cells: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return the table of personas and arcs."""
    arcs = sorted({arc for counts in cells.values() for arc in counts})
    if not arcs:
        return []
    heading = f"| Persona | {' | '.join(map(_plain, arcs))} |"
    rows = [
        f"| {_plain(persona)} | {' | '.join(f'{counts.get(arc, 0):,}' for arc in arcs)} |"
        for persona, counts in cells.items()
    ]
    return ["\n".join((heading, f"|---{'|---' * len(arcs)}|", *rows))]


def _list_counts(title: str, counts: Mapping[str, Any]) -> str:
    rows = [f"| {_plain(name)} | {count:,} |" for name, count in counts.items()]
    return "\n".join((f"| {title} | conversations |", "|---|---|", *rows))


def _plain(text: str) -> str:
    """Return a name that Markdown neither formats nor breaks its table at."""
    line = " ".join(text.split())
    return re.sub(r"([\\`*_{}\[\]<>#|~$])", r"\\\1", line if len(line) <= LONGEST_CELL else line[: LONGEST_CELL - 1] + "…")


def _quote(messages: Sequence[Message]) -> str:
    """Return messages in a fence that nothing in them closes."""
    text = "\n\n".join(f"{each['role']}: {each['content']}" for each in messages)
    text = text if len(text) <= LONGEST_EXAMPLE else text[:LONGEST_EXAMPLE] + "…"
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    return f"{fence}text\n{text}\n{fence}"
