"""A diagnosis as one long table: a row for each figure, with sample size and interval, for spreadsheets and notebooks."""

from collections.abc import Iterator

from core.domain.diagnosis import Diagnosis, MatrixCell
from core.domain.intervals import Rate, measure_rate
from core.domain.record import Record

_WAYS = (("failure_type",), ("stop_reason",), ("truncation_pattern",), ("stop_reason", "truncation_pattern"))


class FigureRow(Record):
    """Failed of judged items with one value of a dimension; `low` and `high` are the 95 % interval of the rate, 0 to 1."""

    dimension: str
    value: str
    judged: int
    failed: int
    rate: float | None
    low: float | None
    high: float | None


def list_figures(diagnosis: Diagnosis) -> Iterator[FigureRow]:
    """Return every figure of a diagnosis. Ways of failing have all judged items as their sample."""
    overall = diagnosis.overall
    yield _make_row("all", "all", overall)
    for row in diagnosis.rates:
        yield _make_row(row.dimension, row.label, row.rate)
    for names in _WAYS:
        counts: dict[str, int] = {}
        for kind in diagnosis.kinds:
            value = " | ".join(getattr(kind, name) for name in names)
            counts[value] = counts.get(value, 0) + kind.failures
        for value, count in counts.items():
            yield _make_row(" | ".join(names), value, measure_rate(count, overall.judged))
    for row in diagnosis.fingerprints:
        yield _make_row("kind", row.label, measure_rate(row.failures, overall.judged))
    for row in diagnosis.timeline:
        yield _make_row("closed_from", row.start.isoformat(), row.rate)
    for row in diagnosis.turns:
        yield _make_row("turn", str(row.turn_index + 1), row.rate)
    for row in diagnosis.tokens:
        value = f"{row.share_from:.2f}-{row.share_to:.2f}"
        yield _make_row("share_of_max_tokens", value, measure_rate(row.failed, row.accepted + row.failed))
    yield from _list_cells("arc | persona", diagnosis.arc_by_persona)
    yield from _list_cells("arc | topic", diagnosis.arc_by_topic)


def _list_cells(dimension: str, cells: tuple[MatrixCell, ...]) -> Iterator[FigureRow]:
    for cell in cells:
        yield _make_row(dimension, f"{cell.row} | {cell.column}", cell.rate)


def _make_row(dimension: str, value: str, rate: Rate) -> FigureRow:
    return FigureRow(
        dimension=dimension,
        value=value,
        judged=rate.judged,
        failed=rate.failed,
        rate=rate.value,
        low=rate.low,
        high=rate.high,
    )
