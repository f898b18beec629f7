"""Totals of all of an analyst's batches."""

from pydantic import AwareDatetime

from core.domain.record import Record
from core.domain.scaffolding.records import ArcId, ConversationCategory, PersonaId


class PatternSeen(Record):
    """A truncation pattern and when it was first seen."""

    pattern: str
    first_seen_at: AwareDatetime


class CoveredPersona(Record):
    """A row of the coverage."""

    id: PersonaId
    key: str
    name: str


class CoveredArc(Record):
    """A column of the coverage."""

    id: ArcId
    key: str
    name: str
    conversation_category: ConversationCategory


class CoverageCell(Record):
    """The coverage of a persona and an arc; pairs without a conversation have no cell."""

    persona_id: PersonaId
    emotional_arc_id: ArcId
    topics: int
    """Active topics with at least one accepted conversation."""
    conversations: int


class Coverage(Record):
    """Topics with an accepted conversation, for each active persona and arc."""

    topics: int
    """Active topics: the most that a cell can have."""
    personas: tuple[CoveredPersona, ...] = ()
    arcs: tuple[CoveredArc, ...] = ()
    cells: tuple[CoverageCell, ...] = ()

    def count_topics(self, persona_id: PersonaId, arc_id: ArcId) -> int:
        """Return a cell's topics; 0 where there is none."""
        found = (cell.topics for cell in self.cells if (cell.persona_id, cell.emotional_arc_id) == (persona_id, arc_id))
        return next(found, 0)


class Overview(Record):
    """Of everything that the analyst ever made. `recent` is the last seven days."""

    accepted: int
    failed: int
    recent_accepted: int
    recent_failed: int
    conversations: int
    simulated_conversations: int
    spend_usd: float
    """Charged spend, without simulated calls."""
    simulated_spend_usd: float
    batches: int
    active_batches: int
    paused_batches: int
    open_items: int
    """Items of active batches that are still to be closed."""
    first_batch_at: AwareDatetime | None = None
    patterns: tuple[PatternSeen, ...] = ()
    coverage: Coverage

    @property
    def judged(self) -> int:
        """Items that were generated, accepted or not."""
        return self.accepted + self.failed

    @property
    def recent_judged(self) -> int:
        """Likewise, in the last seven days."""
        return self.recent_accepted + self.recent_failed
