"""A running product with results in it, made over its services and looked at in a browser."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.bootstrap import PageServices, open_local_services
from core.config import load_settings
from core.domain.batches.batch import BatchId, BatchSettings, Selection
from core.domain.scaffolding.records import ConversationCategory
from core.services.scaffolding import pick_arcs, pick_topics
from tests.support.running_stack import run_stack

CUT_ARC, LIMITED_ARC, WHOLE_ARC = "shame_to_acceptance", "couple_conflict_to_alignment", "confusion_to_clarity"
SECONDS = 120


@dataclass(frozen=True)
class Results:
    """A running product with a batch whose turns are cut and one that is whole."""

    url: str
    services: PageServices
    cut_batch: BatchId
    whole_batch: BatchId


@contextmanager
def run_with_results(home: Path, *, faults: str, latency_seconds: float = 0.1) -> Iterator[Results]:
    """Run the product in `home` with two batches of ten topics: one of the arc whose turns are cut, and a whole one."""
    with (
        run_stack(home, faults=faults, latency_seconds=latency_seconds) as url,
        closing(open_local_services(load_settings(home=home))) as services,
    ):
        cut = generate_batch(services, CUT_ARC, 10, "Cut")
        yield Results(url, services, cut, generate_batch(services, WHOLE_ARC, 10, "Whole"))


def generate_batch(services: PageServices, arc: str, topics: int, name: str) -> BatchId:
    """Generate conversations of an arc with all personas, and wait for their end."""
    choices = services.scaffolding.list_choices()
    selection = Selection(
        category=ConversationCategory.CORE,
        persona_ids=tuple(persona.id for persona in choices.personas),
        arc_ids=tuple(chosen.id for chosen in pick_arcs(choices, ConversationCategory.CORE, arc)),
        topic_ids=tuple(topic.id for topic in pick_topics(choices, str(topics))),
    )
    # All at once: with so many faults the circuit breaker would pause a batch that has items left.
    settings = BatchSettings(model="claude-sonnet-5-5", max_tokens=24_576, concurrency=selection.planned)
    batch_id = services.batches.submit(selection, settings, name=name).batch_id
    wait_for_end(services, batch_id)
    return batch_id


def wait_for_end(services: PageServices, batch_id: BatchId) -> None:
    """Wait until a batch has come to its end."""
    deadline = time.monotonic() + SECONDS
    while not services.batches.get(batch_id).status.is_final:
        assert time.monotonic() < deadline
        time.sleep(0.5)
