"""What lists of results can be filtered by."""

from uuid import UUID

from core.domain.record import Record


class Option(Record):
    """A row that can be chosen, by the name that readers know."""

    id: UUID
    name: str


class ResultOptions(Record):
    """Scaffolding by name, active or not, since results outlive it; the newest batches first."""

    personas: tuple[Option, ...] = ()
    arcs: tuple[Option, ...] = ()
    topics: tuple[Option, ...] = ()
    templates: tuple[Option, ...] = ()
    batches: tuple[Option, ...] = ()
    models: tuple[str, ...] = ()
