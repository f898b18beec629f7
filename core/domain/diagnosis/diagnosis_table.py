"""A diagnosis as long tables, for spreadsheets and notebooks: a row for each figure, a row for each suspect."""

from collections.abc import Iterable, Iterator

from core.domain.diagnosis.diagnosis import Diagnosis, MatrixCell
from core.domain.diagnosis.intervals import Rate, measure_rate
from core.domain.diagnosis.suspects import Suspect, SuspectStatus
from core.domain.record import Record

_SIGNATURE_PARTS = (("failure_type",), ("stop_reason",), ("truncation_pattern",), ("stop_reason", "truncation_pattern"))


class FigureRow(Record):
    """Failed of judged items with one value of a dimension; `low` and `high` are the 95 % interval of the rate, 0 to 1.

    Figures other than counts of items have `amount` of `all` in `unit` instead.
    """

    dimension: str
    value: str
    judged: int | None = None
    failed: int | None = None
    rate: float | None = None
    low: float | None = None
    high: float | None = None
    amount: float | None = None
    all: float | None = None
    unit: str = "items"


class SuspectRow(Record):
    """A suspect against all other items (`rest`); rates, their 95 % intervals and the difference of the two are 0 to 1."""

    suspect: str
    status: SuspectStatus
    judged: int
    failed: int
    rate: float | None
    low: float | None
    high: float | None
    rest_judged: int
    rest_failed: int
    rest_rate: float | None
    rest_low: float | None
    rest_high: float | None
    difference: float | None
    difference_low: float
    difference_high: float
    lift: float | None
    p_value: float
    p_corrected: float
    explained_by: str | None


def list_figures(diagnosis: Diagnosis) -> Iterator[FigureRow]:
    """Return every figure of a diagnosis. The sample of failure signatures is all judged items."""
    overall = diagnosis.overall
    yield _make_row("all", "all", overall)
    for row in diagnosis.rates:
        yield _make_row(row.dimension, row.label, row.rate)
    for names in _SIGNATURE_PARTS:
        counts: dict[str, int] = {}
        for signature in diagnosis.signatures:
            value = " | ".join(getattr(signature, name) for name in names)
            counts[value] = counts.get(value, 0) + signature.failures
        for value, count in counts.items():
            yield _make_row(" | ".join(names), value, measure_rate(count, overall.judged))
    for row in diagnosis.fingerprints:
        yield _make_row("failure_signature", row.label, measure_rate(row.failures, overall.judged))
    for row in diagnosis.timeline:
        yield _make_row("closed_from", row.start.isoformat(), row.rate)
    for row in diagnosis.turns:
        yield _make_row("turn", str(row.turn_index + 1), row.rate)
    for row in diagnosis.tokens:
        value = f"{row.share_from:.2f}-{row.share_to:.2f}"
        yield _make_row("share_of_max_tokens", value, measure_rate(row.failed, row.accepted + row.failed))
    yield from _list_cells("arc | persona", diagnosis.arc_by_persona)
    yield from _list_cells("arc | topic", diagnosis.arc_by_topic)
    waste = diagnosis.waste
    for value, amount, total, unit in (
        ("failed items", waste.failed_attempts, waste.attempts, "calls"),
        ("wasted time", waste.wasted_seconds, waste.duration_seconds, "seconds"),
        ("wasted cost", waste.wasted_usd, waste.cost_usd, "USD"),
    ):
        yield FigureRow(dimension="waste", value=value, amount=amount, all=total, unit=unit)


def list_suspects(suspects: Iterable[Suspect]) -> Iterator[SuspectRow]:
    """Return everything that was compared, in its order."""
    for each in suspects:
        yield SuspectRow(
            suspect=each.label,
            status=each.status,
            judged=each.rate.judged,
            failed=each.rate.failed,
            rate=each.rate.value,
            low=each.rate.low,
            high=each.rate.high,
            rest_judged=each.rest.judged,
            rest_failed=each.rest.failed,
            rest_rate=each.rest.value,
            rest_low=each.rest.low,
            rest_high=each.rest.high,
            difference=each.difference,
            difference_low=each.difference_low,
            difference_high=each.difference_high,
            lift=each.lift,
            p_value=each.p_value,
            p_corrected=each.p_corrected,
            explained_by=None if each.explained_by is None else each.explained_by.label,
        )


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
