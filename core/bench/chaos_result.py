"""What chaos has left: counts in the database, on disk and in the simulator, against what Bright Run promises."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
from pydantic import ValidationError

from core.adapters.files.spool import ID_FILE, REASON_SUFFIX, SPOOL_FOLDER
from core.certificates import load_authorities
from core.config import Settings
from core.domain.batches.monitor import ItemStatus
from core.domain.batches.work import AttemptOutcome
from core.domain.record import Record
from core.domain.verdict.conversation import Conversation
from core.domain.verdict.judgement import judge_conversation
from core.domain.verdict.verdict import Accepted

UNFINISHED = frozenset({".tmp", REASON_SUFFIX})


class Disturbance(Record):
    """What was done to the stack, and when."""

    second: float
    action: str
    calls_in_flight: int = 0
    """Of a killed worker: calls that were paid for and are lost with it, at most."""


class ChaosResult(Record):
    """The contents of the database after everything has ended."""

    items: int
    accepted: int
    failed: int
    open_items: int
    attempts: int
    retried: int
    superseded: int
    items_closed_twice: int
    bad_conversations: int
    failures_without_report: int
    unrecorded_replies: int
    """Files that are left in the spool."""
    simulator_requests: int
    calls_in_flight_at_kills: int
    allowed_requests: int
    disturbances: tuple[Disturbance, ...]
    seconds: float

    @property
    def problems(self) -> tuple[str, ...]:
        """The broken promises; empty if there are none."""
        checks = {
            f"{self.items} items, but {self.accepted} accepted and {self.failed} failed": (
                self.accepted + self.failed != self.items or self.open_items > 0
            ),
            f"{self.items_closed_twice} items were closed twice": self.items_closed_twice > 0,
            f"{self.bad_conversations} conversations are cut or corrupted": self.bad_conversations > 0,
            f"{self.failures_without_report} failures have no report": self.failures_without_report > 0,
            f"{self.unrecorded_replies} replies are on disk and not recorded": self.unrecorded_replies > 0,
            f"{self.simulator_requests} requests, more than {self.allowed_requests}": (
                self.simulator_requests > self.allowed_requests
            ),
        }
        return tuple(problem for problem, is_so in checks.items() if is_so)


@contextmanager
def connect(settings: Settings) -> Generator[psycopg.Connection]:
    """Open the database of a stack; raises psycopg.OperationalError while it restarts."""
    with psycopg.connect(settings.require_db_url(), autocommit=True) as connection:
        yield connection


def count_result(settings: Settings, disturbances: tuple[Disturbance, ...], seconds: float) -> ChaosResult:
    """Count what is there after everything has ended."""
    with connect(settings) as connection:
        statuses = dict(connection.execute("select status, count(*) from public.batch_items group by 1").fetchall())
        outcomes = dict(connection.execute("select outcome, count(*) from public.generation_attempts group by 1").fetchall())
        twice = connection.execute(
            "select batch_item_id from public.generation_attempts where outcome in ('accepted', 'failed')"
            " group by 1 having count(*) > 1"
        ).fetchall()
        missing = connection.execute("select count(*) from public.failed_generations where raw_file_path is null").fetchone()
        conversations = connection.execute("select metadata, turns from public.conversations").fetchall()
    items = sum(statuses.values())
    requests = httpx.get(f"{settings.anthropic_base_url}/stats", timeout=10, verify=load_authorities()).json()["requests"]
    lost = sum(disturbance.calls_in_flight for disturbance in disturbances)
    retried = outcomes.get(AttemptOutcome.RETRIED, 0)
    return ChaosResult(
        items=items,
        accepted=statuses.get(ItemStatus.COMPLETED, 0),
        failed=statuses.get(ItemStatus.FAILED, 0),
        open_items=statuses.get(ItemStatus.QUEUED, 0) + statuses.get(ItemStatus.PROCESSING, 0),
        attempts=sum(outcomes.values()),
        retried=retried,
        superseded=outcomes.get(AttemptOutcome.SUPERSEDED, 0),
        items_closed_twice=len(twice),
        bad_conversations=sum(_is_bad(metadata, turns) for metadata, turns in conversations),
        failures_without_report=(missing or (0,))[0],
        unrecorded_replies=count_spooled(settings.home),
        simulator_requests=requests,
        calls_in_flight_at_kills=lost,
        allowed_requests=items + retried + lost,
        disturbances=disturbances,
        seconds=round(seconds, 1),
    )


def count_spooled(home: Path) -> int:
    """Return how many whole results wait on disk or were set aside; what was being written is lost with its worker."""
    return sum(
        path.suffix not in UNFINISHED and path.name != ID_FILE for path in (home / SPOOL_FOLDER).rglob("*") if path.is_file()
    )


def _is_bad(metadata: object, turns: object) -> bool:
    try:
        conversation = Conversation.model_validate({"conversation_metadata": metadata, "turns": turns})
    except ValidationError:
        return True
    return not isinstance(judge_conversation(conversation), Accepted)
