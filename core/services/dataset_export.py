"""A frozen version as a folder: data in the formats asked for, recipes for trainers, and a card."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.domain.datasets.card import CardFacts, write_card
from core.domain.datasets.plans import Dataset, DatasetVersion
from core.domain.datasets.recipes import CARD, Export, choose_recipe_name, find_path, list_recipes
from core.domain.datasets.splits import (
    SharedValues,
    Split,
    SplitMember,
    SplitRule,
    assign_splits,
    check_splits,
    describe_empty,
    require_known,
)
from core.domain.datasets.token_lengths import ESTIMATE, LengthStatistics, TokenMeasure, choose_length, summarize_lengths
from core.domain.datasets.training_formats import Message, TrainingFormat, list_messages, make_rows
from core.domain.datasets.versions import FrozenConversation
from core.domain.record import Record
from core.errors import InvalidRequest
from core.ports.datasets import ExportFolder, HubCard

EXAMPLE_MESSAGES = 2
DEFAULT_LICENCE = "other"


class ExportOptions(Record):
    """What an export is to hold."""

    formats: tuple[TrainingFormat, ...]
    split: SplitRule = SplitRule()
    system: str | None = None
    """A system message before each conversation."""
    licence: str = DEFAULT_LICENCE


class ExportSummary(Record):
    """What an export holds: conversations and rows by split."""

    conversations: int
    splits: dict[Split, int]
    rows: dict[str, int]
    """By path of the file."""
    lengths: LengthStatistics
    shared: tuple[SharedValues, ...]
    notes: tuple[str, ...] = ()
    """Sentences on splits that were asked for and got nothing."""


def make_split_member(conversation: FrozenConversation) -> SplitMember:
    """Return what a split needs to know of a conversation."""
    return SplitMember(
        position=conversation.position,
        persona=conversation.persona,
        arc=conversation.arc,
        topic=conversation.topic,
        text_hash=conversation.text_hash,
    )


def divide(members: Sequence[SplitMember], rule: SplitRule) -> tuple[dict[int, Split], dict[Split, int]]:
    """Return the split of each position and the size of each split; raise InvalidRequest where none is left to train on."""
    require_known(members, rule)
    assigned = assign_splits(members, rule)
    counts = Counter(assigned.values())
    if not counts[Split.TRAIN]:
        raise InvalidRequest("Nothing is left to train on. Hold out fewer topics and personas, or smaller shares.")
    return assigned, {split: counts[split] for split in Split if counts[split]}


@dataclass(kw_only=True)
class _Survey:
    """What one reading of a version finds out."""

    members: list[SplitMember] = field(default_factory=list[SplitMember])
    lengths: list[int] = field(default_factory=list[int])
    templates: set[str] = field(default_factory=set[str])
    cost_usd: float = 0.0
    simulated: int = 0
    example: tuple[Message, ...] = ()

    def add(self, conversation: FrozenConversation, system: str | None, measure: TokenMeasure) -> None:
        messages = list_messages(conversation.turns, system)
        self.lengths.append(measure.count([message["content"] for message in messages]))
        self.members.append(make_split_member(conversation))
        self.templates.add(f"{conversation.template} v{conversation.template_version}")
        self.cost_usd += conversation.cost_usd or 0.0
        self.simulated += conversation.simulated
        self.example = self.example or tuple(list_messages(conversation.turns)[:EXAMPLE_MESSAGES])


@dataclass(frozen=True, kw_only=True)
class DatasetExporter:
    """Writes a version. It is read several times and never held: for splits and lengths, then for the rows of each file."""

    read_version: Callable[[DatasetVersion], Iterator[FrozenConversation]]
    add_hub_data: HubCard

    def export(
        self,
        dataset: Dataset,
        version: DatasetVersion,
        options: ExportOptions,
        folder: ExportFolder,
        measure: TokenMeasure = ESTIMATE,
    ) -> ExportSummary:
        """Write all files of the export; the same version and options give the same bytes."""
        survey = _Survey()
        for conversation in self.read_version(version):
            survey.add(conversation, options.system, measure)
        assigned, splits = divide(survey.members, options.split)
        shared = check_splits(survey.members, assigned)
        lengths = summarize_lengths(survey.lengths, measure.tokenizer)
        rows: dict[str, int] = {}
        for form in options.formats:
            for split in splits:
                path = find_path(form, split)
                rows[path] = folder.write_rows(path, self._list_rows(version, form, split, assigned, options.system))
        name, length = choose_recipe_name(dataset.name), choose_length(lengths)
        recipes = Export(name=name, formats=options.formats, splits=tuple(splits), length=length)
        for path, text in list_recipes(recipes).items():
            folder.write_text(path, text)
        facts = CardFacts(
            name=dataset.name,
            version=version,
            splits=splits,
            shared=shared,
            lengths=lengths,
            simulated=survey.simulated,
            cost_usd=survey.cost_usd,
            templates=tuple(sorted(survey.templates)),
            example=survey.example,
        )
        folder.write_text(CARD, self._write_card(facts, options))
        return ExportSummary(
            conversations=len(survey.members),
            splits=splits,
            rows=rows,
            lengths=lengths,
            shared=shared,
            notes=describe_empty(options.split, splits),
        )

    def _write_card(self, facts: CardFacts, options: ExportOptions) -> str:
        return self.add_hub_data(
            write_card(facts),
            name=facts.name,
            formats=options.formats,
            splits=tuple(facts.splits),
            rows=facts.lengths.conversations,
            licence=options.licence,
        )

    def _list_rows(
        self, version: DatasetVersion, form: TrainingFormat, split: Split, assigned: Mapping[int, Split], system: str | None
    ) -> Iterator[dict[str, Any]]:
        for conversation in self.read_version(version):
            if assigned[conversation.position] is split:
                yield from make_rows(conversation, form, system)
