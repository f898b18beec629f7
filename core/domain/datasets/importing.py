"""Conversations of files as items of an imported batch: judged as `scan` judges them, named by the scaffolding."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

from pydantic import AwareDatetime

from core.domain.batches.batch import BatchId
from core.domain.diagnosis.fingerprint import fingerprint_failure
from core.domain.record import Record
from core.domain.scaffolding.records import EmotionalArc, Persona, PromptTemplate, TrainingTopic
from core.domain.storable_text import clean_text
from core.domain.verdict.formats.entries import ImportedConversation, ImportedTurn
from core.domain.verdict.formats.flagging import Flag, FlaggedTurn
from core.domain.verdict.grouping import MOST_GROUPS, OTHER
from core.domain.verdict.verdict import Confidence, FailurePattern, FailureType

ImportId = NewType("ImportId", UUID)

UNNAMED = "not given"
"""What a record does not say: persona, arc, topic, template or model."""
MOST_CONVERSATIONS, MOST_IMPORTED_TURNS = 100_000, 3_000_000
"""The most conversations of one import; judging them takes minutes."""
LONGEST_TEXT = 2_000_000
"""Characters of a failed conversation that are kept; more than any reply of Claude has."""
LONGEST_DETAILS = 20_000
"""Most characters of a failure's details; the database enforces it and LONGEST_TEXT, too."""
LONGEST_MODEL, LONGEST_STOP_REASON = 100, 50
MOST_TOKENS = 2_147_483_647
_MOST_NAMED_TURNS = 50
_ELSEWHERE = "(in an earlier part of the file)"


class NameKind(StrEnum):
    """The fields of a record that are looked up in the scaffolding."""

    PERSONA = "persona"
    ARC = "arc"
    TOPIC = "topic"
    TEMPLATE = "template"


IMPORTED_FIELDS = (*NameKind, "model", "stop_reason", "max_tokens", "input_tokens", "output_tokens", "made_at")
"""The metadata of each record (`formats/metadata.py` knows their names)."""


class ImportedName(Record):
    """A persona, arc, topic or template that a record names; `id` is that of the scaffolding, None where it is unknown."""

    id: UUID | None = None
    name: str


class Source(Record):
    """Where an item comes from."""

    file: str
    conversation: str | int


class ItemFailure(Record):
    """What is wrong with an imported conversation; `text` is all that was said in it, as JSON with `turns`, or the reply."""

    failure_type: FailureType
    pattern: FailurePattern | None = None
    confidence: Confidence
    details: str
    turn_index: int | None = None
    text: str
    fingerprint: str


class ImportItem(Record):
    """One conversation of the files, judged. `failure` None: nothing is wrong with it."""

    position: int
    source: Source
    persona: ImportedName
    arc: ImportedName
    topic: ImportedName
    template: ImportedName
    model: str
    stop_reason: str | None = None
    max_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    made_at: AwareDatetime | None = None
    turns: int
    failure: ItemFailure | None = None


class FileDigest(Record):
    """A file by its content (SHA-256); `name` is a label and nothing else."""

    digest: str
    name: str


class KnownFile(Record):
    """A file that was imported before, with the batch that it is in."""

    digest: str
    batch_id: BatchId
    batch_name: str


class ImportStart(Record):
    """`import_id` is None where every file is known."""

    import_id: ImportId | None = None
    known: tuple[KnownFile, ...] = ()


class ImportFinish(Record):
    """`batch_id` is None where the same file was imported by another import; `known` says in which batch."""

    batch_id: BatchId | None = None
    known: tuple[KnownFile, ...] = ()


class NameIndex:
    """Finds scaffolding by id, key or name, ignoring case; keys come before names.

    Of a template the newest version is meant, unless the record says "NAME v2". Beyond a thousand names of a kind that are
    not in the scaffolding, new ones are counted together as `(other)`.
    """

    def __init__(
        self,
        personas: Iterable[Persona],
        arcs: Iterable[EmotionalArc],
        topics: Iterable[TrainingTopic],
        templates: Iterable[PromptTemplate],
    ) -> None:
        newest_first = sorted(templates, key=lambda each: each.version, reverse=True)
        versions = [(each.id, f"{each.name} v{each.version}") for each in newest_first]
        self._known = {
            NameKind.PERSONA: _index([(each.id, each.persona_key, each.name) for each in personas]),
            NameKind.ARC: _index([(each.id, each.arc_key, each.name) for each in arcs]),
            NameKind.TOPIC: _index([(each.id, each.topic_key, each.name) for each in topics]),
            NameKind.TEMPLATE: _index([(each.id, each.template_key, each.name) for each in newest_first], versions),
        }
        self._foreign: Mapping[NameKind, dict[str, str]] = {kind: {} for kind in NameKind}

    def find(self, kind: NameKind, given: str | None) -> ImportedName:
        """Return what a record names."""
        if given is None:
            return ImportedName(name=UNNAMED)
        key = given.casefold()
        known = self._known[kind].get(key)
        if known is not None:
            return ImportedName(id=known, name=given)
        foreign = self._foreign[kind]
        if key not in foreign and len(foreign) >= MOST_GROUPS:
            return ImportedName(name=OTHER)
        return ImportedName(name=foreign.setdefault(key, clean_text(given)))


def _index(rows: Sequence[tuple[UUID, str, str]], versions: Sequence[tuple[UUID, str]] = ()) -> dict[str, UUID]:
    found: dict[str, UUID] = {}
    for key, row_id in (
        *((str(row_id), row_id) for row_id, _, _ in rows),
        *((key, row_id) for row_id, key, _ in rows),
        *((name, row_id) for row_id, _, name in rows),
        *((name, row_id) for row_id, name in versions),
    ):
        found.setdefault(key.casefold(), row_id)
    return found


def build_item(
    conversation: ImportedConversation,
    flagged: Sequence[FlaggedTurn],
    *,
    file: str,
    first_position: int,
    names: NameIndex,
    now: datetime,
) -> ImportItem:
    """Return a conversation as an item; `first_position` is that of the file's first conversation."""
    labels = conversation.labels
    stop_reason = labels.get("stop_reason")
    item = ImportItem(
        position=first_position + conversation.number,
        source=Source(file=clean_text(file), conversation=clean_text(str(conversation.id))),
        persona=names.find(NameKind.PERSONA, labels.get(NameKind.PERSONA)),
        arc=names.find(NameKind.ARC, labels.get(NameKind.ARC)),
        topic=names.find(NameKind.TOPIC, labels.get(NameKind.TOPIC)),
        template=names.find(NameKind.TEMPLATE, labels.get(NameKind.TEMPLATE)),
        model=clean_text(labels.get("model", UNNAMED))[:LONGEST_MODEL],
        stop_reason=None if stop_reason is None else clean_text(stop_reason)[:LONGEST_STOP_REASON],
        max_tokens=_read_count(labels.get("max_tokens"), least=1),
        input_tokens=_read_count(labels.get("input_tokens")),
        output_tokens=_read_count(labels.get("output_tokens")),
        made_at=_read_moment(labels.get("made_at"), now),
        turns=conversation.first_turn + len(conversation.turns),
    )
    if not flagged:
        return item
    return item.model_copy(update={"failure": _describe_failure(conversation, flagged, item.stop_reason)})


def _describe_failure(
    conversation: ImportedConversation, flagged: Sequence[FlaggedTurn], stop_reason: str | None
) -> ItemFailure:
    """The verdict on a whole reply says more than a turn; else the first turn is to blame, and the others are named."""
    first = _choose_flag(conversation, flagged)
    flag = first.flag
    others = [
        f"{each.turn_index + 1} ({each.flag.name})" for each in flagged if each is not first and each.turn_index is not None
    ]
    more = f" and {len(others) - _MOST_NAMED_TURNS} more" if len(others) > _MOST_NAMED_TURNS else ""
    also = f"; also: turn {', '.join(others[:_MOST_NAMED_TURNS])}{more}" if others else ""
    answer = "" if first.field is None else f" of {first.field}"
    where = "" if first.turn_index is None else f"Turn {first.turn_index + 1} ({first.role or 'unknown role'}){answer} "
    said = flag.details if conversation.failure is not None else f"{where}stops at: {first.tail} - {flag.details}"
    details = clean_text(f"{said if flag.failure_type is FailureType.TRUNCATION else where + flag.details}{also}")[
        :LONGEST_DETAILS
    ]
    text = _write_text(conversation)
    return ItemFailure(
        failure_type=flag.failure_type,
        pattern=flag.pattern,
        confidence=flag.confidence,
        details=details,
        turn_index=first.turn_index,
        text=text,
        fingerprint=fingerprint_failure(
            failure_type=flag.failure_type,
            pattern=flag.pattern,
            stop_reason=stop_reason,
            reply_text=text,
            turn_index=first.turn_index,
            message=flag.details,
        ),
    )


def _choose_flag(conversation: ImportedConversation, flagged: Sequence[FlaggedTurn]) -> FlaggedTurn:
    if conversation.failure is None:
        return flagged[0]
    verdict = Flag.model_validate(conversation.failure, from_attributes=True)
    same_turn = [each for each in flagged if each.turn_index == conversation.failure.turn_index]
    return next((each for each in same_turn if each.flag == verdict), (same_turn or flagged)[0])


def _write_text(conversation: ImportedConversation) -> str:
    """A reply as it is; other conversations as JSON, so that turns are found in them as in a reply."""
    if conversation.text:
        return clean_text(conversation.text[:LONGEST_TEXT])
    before = [{"role": "", "content": _ELSEWHERE}] * conversation.first_turn
    said: dict[str, object] = {"turns": [*before, *_list_turns(conversation.turns)]}
    if conversation.passages:
        said["other_answers"] = [
            {"field": each.field, "from_turn": each.first_turn, "turns": _list_turns(each.turns)}
            for each in conversation.passages
        ]
    return clean_text(json.dumps(said, ensure_ascii=False, indent=1)[:LONGEST_TEXT])


def _list_turns(turns: Sequence[ImportedTurn]) -> list[dict[str, str]]:
    return [{"role": turn.role_name, "content": turn.content} for turn in turns]


def _read_count(text: str | None, *, least: int = 0) -> int | None:
    try:
        count = int(float(text)) if text else None
    except (ValueError, OverflowError):
        return None
    return count if count is not None and least <= count <= MOST_TOKENS else None


def _read_moment(text: str | None, now: datetime) -> datetime | None:
    """A time in ISO form, or in seconds since 1970; without a zone it is UTC. A time in the future is ignored."""
    if text is None:
        return None
    try:
        moment = datetime.fromtimestamp(float(text), UTC) if _is_number(text) else datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return moment if datetime(2000, 1, 1, tzinfo=UTC) <= moment <= now else None


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d{9,}(\.\d+)?", text) is not None


def name_import(files: Sequence[str]) -> str:
    """Return the name of the batch of some files, as `Imported: pairs.jsonl and 2 more`."""
    shown = files[0] if len(files[0]) <= 80 else f"{files[0][:79]}…"  # noqa: PLR2004 - as much as a list shows
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"Imported: {clean_text(shown)}{more}"
