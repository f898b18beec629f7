"""`brightrun dataset top-up`: what it is expected to cost, and what no batch holds."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from typer.testing import CliRunner, Result

from core.cli.dataset import top_up
from core.cli.main import app
from core.config import Settings
from core.domain.batches.batch import MOST_ITEMS
from core.domain.datasets.plans import CellProgress, Dataset, DatasetDetail, DatasetHead, DatasetId
from core.domain.datasets.versions import CountedStatus
from core.ports.datasets import DatasetStore
from core.ports.results import ConversationStore
from core.services.batches import BatchService
from core.services.datasets import DatasetService
from tests.factories import make_scaffolding, make_selection
from tests.fakes.batches import ScriptedBatchStore
from tests.fakes.queue import ScriptedQueue

HEAD = DatasetHead(
    id=DatasetId(UUID(int=1)), name="Large", counted=CountedStatus.ACCEPTED, created_at=datetime(2026, 11, 28, tzinfo=UTC)
)


@dataclass
class Plan:
    """A data set of two combinations, each of which misses as many; it does not change."""

    missing: int
    batches: ScriptedBatchStore = field(default_factory=ScriptedBatchStore)

    def describe(self, _: DatasetId, *, counts_simulated: bool) -> DatasetDetail:
        assert not counts_simulated
        selection = make_selection(1, 1, 2)
        cells = [self._make_cell(selection.persona_ids[0], selection.arc_ids[0], topic) for topic in selection.topic_ids]
        return DatasetDetail(head=HEAD, cells=tuple(cells), batches=(), versions=())

    def list_all(self, **asked: Any) -> tuple[Dataset, ...]:
        return (self.describe(HEAD.id, counts_simulated=asked["counts_simulated"]).dataset,)

    def _make_cell(self, persona: UUID, arc: UUID, topic: UUID) -> CellProgress:
        return CellProgress.model_validate(
            dict.fromkeys(("accepted", "approved", "rejected", "failed", "open"), 0)
            | {"persona_id": persona, "emotional_arc_id": arc, "training_topic_id": topic, "category": "core"}
            | {name: name for name in ("persona", "persona_key", "arc", "arc_key", "topic")}
            | {"wanted": self.missing, "to_generate": self.missing}
        )


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    def run(plan: Plan, *options: str) -> Result:
        batches = BatchService(batches=plan.batches, scaffolding=make_scaffolding(), queue=ScriptedQueue())
        datasets = DatasetService(
            store=cast("DatasetStore", plan), conversations=cast("ConversationStore", None), batches=batches
        )
        services = nullcontext(SimpleNamespace(datasets=datasets, batches=batches))
        monkeypatch.setattr(top_up, "open_command_services", lambda _: services)
        monkeypatch.setattr(top_up, "load_settings", lambda: Settings(_env_file=None))  # pyright: ignore[reportCallIssue]
        result = CliRunner().invoke(app, ["dataset", "top-up", "Large", *options])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


def test_what_is_expected_is_said_and_the_batch_named_by_what_it_takes(run: Callable[..., Result]) -> None:
    plan = Plan(45)

    result = run(plan, "--concurrency", "3")

    assert "90 conversations: about 30 min and $40.50 (planning figures" in result.stdout
    assert "another top-up" not in result.output
    assert [("Large: 90 core", 90)] == [(each.name, len(each.picks or ())) for each in plan.batches.submissions]


def test_what_no_batch_holds_needs_another_top_up(run: Callable[..., Result]) -> None:
    plan = Plan(150_000)

    result = run(plan)

    assert "100,000 conversations: about " in result.stdout
    assert "A batch holds at most 100,000 conversations; 200,000 more need another top-up." in result.stdout
    assert [("Large: 100,000 core", MOST_ITEMS)] == [(each.name, len(each.picks or ())) for each in plan.batches.submissions]


def test_as_json_it_is_said_beside_the_object(run: Callable[..., Result]) -> None:
    result = run(Plan(150_000), "--json")

    assert 300_000 == json.loads(result.stdout)["to_generate"]
    assert "100,000 conversations: about " in result.stderr
    assert "200,000 more" in result.stderr


def test_nothing_missing_costs_nothing(run: Callable[..., Result]) -> None:
    plan = Plan(0)

    result = run(plan)

    assert "Nothing is missing." in result.stdout
    assert "about" not in result.output
    assert [] == plan.batches.submissions
