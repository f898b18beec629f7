"""What lists of results can be filtered by."""

from uuid import UUID

from core.domain.record import Record


class Option(Record):
    """An option of a filter: an id with its name."""

    id: UUID
    name: str


class ResultOptions(Record):
    """Scaffolding by name, also inactive rows, since results outlive them; the newest batches first."""

    personas: tuple[Option, ...] = ()
    arcs: tuple[Option, ...] = ()
    topics: tuple[Option, ...] = ()
    templates: tuple[Option, ...] = ()
    batches: tuple[Option, ...] = ()
    models: tuple[str, ...] = ()
