"""What the export of a large version takes. Conversations are made as they are read: the database is not measured."""

import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import file_digest, sha256
from pathlib import Path
from uuid import UUID

from core.bench.child_process import run_apart
from core.dataset_bootstrap import make_exporter_of, write_folder
from core.domain.datasets.plans import Dataset, DatasetId, DatasetVersion, VersionId
from core.domain.datasets.splits import SplitRule
from core.domain.datasets.training_formats import TrainingFormat
from core.domain.datasets.versions import CountedStatus, FrozenConversation
from core.domain.scaffolding.records import ConversationCategory, Tier
from core.domain.verdict.conversation import EmotionalContext, Role, Turn
from core.services.dataset_export import ExportOptions

HEADING = "| conversations | formats | MB | s | peak MB | same bytes twice |\n|---|---|---|---|---|---|"
_TURNS, _PERSONAS, _ARCS, _TOPICS = 8, 3, 8, 20
_SENTENCE = "I keep putting off the letter from the bank, and each week it feels heavier than the one before. "
_FEELING = EmotionalContext(primary_emotion="worry", intensity=0.6)


def run_exports(conversations: int, say: Callable[[str], None]) -> None:
    """Export so many conversations of 8 turns and 8,000 characters twice in all formats; report what it took."""
    digests: list[int] = []
    peaks: list[float] = []
    with tempfile.TemporaryDirectory(prefix="brightrun-exports-") as home:
        began = time.perf_counter()
        for number in range(2):
            target = Path(home) / str(number)
            digest, peak_mb = run_apart(lambda target=target: _export(conversations, target))
            digests.append(digest)
            peaks.append(peak_mb)
        seconds = (time.perf_counter() - began) / 2
        size_mb = sum(path.stat().st_size for path in (Path(home) / "0").rglob("*") if path.is_file()) / 2**20
    same = "yes" if digests[0] == digests[1] else "NO"
    say(f"| {conversations:,} | {len(TrainingFormat)} | {size_mb:.0f} | {seconds:.0f} | {max(peaks):.0f} | {same} |")


def _export(conversations: int, target: Path) -> int:
    """Write an export, and return what tells its bytes from others."""
    version = DatasetVersion(
        id=VersionId(UUID(int=1)),
        number=1,
        conversations=conversations,
        fingerprint="0" * 64,
        frozen_at=datetime(2026, 11, 28, tzinfo=UTC),
        summary={},
    )
    options = ExportOptions(formats=tuple(TrainingFormat), split=SplitRule(validation_share=0.1))
    with write_folder(target, force=False) as folder:
        make_exporter_of(lambda _: _read(conversations)).export(_make_dataset(conversations), version, options, folder)
    digest = sha256()
    for path in sorted(target.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                digest.update(path.relative_to(target).as_posix().encode() + file_digest(file, "sha256").digest())
    return int.from_bytes(digest.digest()[:7], "big")


def _make_dataset(conversations: int) -> Dataset:
    none = dict.fromkeys(("approved", "rejected", "failed", "open", "to_generate", "missing"), 0)
    return Dataset(
        id=DatasetId(UUID(int=2)),
        name="Measured",
        counted=CountedStatus.ACCEPTED,
        created_at=datetime(2026, 11, 28, tzinfo=UTC),
        combinations=conversations,
        planned=conversations,
        accepted=conversations,
        **none,
    )


def _read(conversations: int) -> Iterator[FrozenConversation]:
    for number in range(conversations):
        yield FrozenConversation(
            id=UUID(int=number),
            position=number,
            category=ConversationCategory.CORE,
            persona=f"persona_{number % _PERSONAS}",
            arc=f"arc_{number % _ARCS}",
            topic=f"topic_{number % _TOPICS}",
            variation=1 + number // (_PERSONAS * _ARCS * _TOPICS),
            tier=Tier.TEMPLATE,
            template="template",
            template_version=1,
            model="model",
            simulated=True,
            turns=tuple(
                Turn(
                    turn_number=place + 1,
                    role=Role.ASSISTANT if place % 2 else Role.USER,
                    content=f"{number}, {place}. {_SENTENCE * 10}".strip(),
                    emotional_context=_FEELING,
                )
                for place in range(_TURNS)
            ),
        )
