"""What the in-memory stores of results share: pages, search by words, filter options."""

import re
from collections.abc import Sequence
from typing import TypeVar

from core.adapters.memory import MemoryDatabase
from core.domain.importing import NameKind
from core.domain.paging import Direction, Page, RecordRow, RowCursor, cut_page
from core.domain.result_options import Option, ResultOptions

AnyRow = TypeVar("AnyRow", bound=RecordRow)
_WORD = re.compile(r"[^\W_]+")


def read_memory_page(rows: Sequence[AnyRow], page_size: int, cursor: RowCursor | None, direction: Direction) -> Page[AnyRow]:
    """Return a page of rows, which come newest first."""
    if cursor is None:
        return cut_page(rows[: page_size + 1], 0, page_size, direction)
    key = (cursor.created_at, cursor.id)
    if direction is Direction.NEWER:
        before = [row for row in rows if (row.created_at, row.id) > key]
        read = before[-page_size - 1 :]
        return cut_page(read, len(before) - len(read), page_size, direction)
    behind = [row for row in rows if (row.created_at, row.id) < key]
    return cut_page(behind[: page_size + 1], len(rows) - len(behind), page_size, direction)


def has_words(text: str, search: str) -> bool:
    """Say whether every word of a search begins a word of the text, in any case; a search without words finds nothing."""
    known, wanted = _WORD.findall(text.lower()), _WORD.findall(search.lower())
    return bool(wanted) and all(any(word.startswith(begin) for word in known) for begin in wanted)


def list_memory_options(database: MemoryDatabase) -> ResultOptions:
    """Return the scaffolding and batches of the in-memory database, as the database's function does."""
    newest_first = sorted(database.batches.items(), key=lambda entry: entry[1].created_at, reverse=True)
    templates = sorted(database.templates, key=lambda template: (template.name, template.version))
    imported = database.imported_names

    def list_imported(kind: NameKind) -> list[Option]:
        names = sorted(key for key in imported if key[0] is kind)
        return [Option(id=imported[key][0], name=f"{imported[key][1]} (imported)") for key in names]

    personas = [Option(id=p.id, name=p.name) for p in database.personas]
    arcs = [Option(id=a.id, name=a.name) for a in database.arcs]
    topics = [Option(id=t.id, name=t.name) for t in database.topics]
    versions = [Option(id=t.id, name=f"{t.name} v{t.version}") for t in templates]
    models = {batch.plan.settings.model for batch in database.batches.values() if not batch.imported}
    return ResultOptions(
        personas=_sort((*personas, *list_imported(NameKind.PERSONA))),
        arcs=_sort((*arcs, *list_imported(NameKind.ARC))),
        topics=_sort((*topics, *list_imported(NameKind.TOPIC))),
        templates=_sort((*versions, *list_imported(NameKind.TEMPLATE))),
        batches=tuple(Option(id=batch_id, name=batch.plan.name) for batch_id, batch in newest_first),
        models=tuple(sorted(models | {row.imported.model for row in database.items.values() if row.imported is not None})),
    )


def _sort(options: Sequence[Option]) -> tuple[Option, ...]:
    return tuple(sorted(options, key=lambda option: option.name))
