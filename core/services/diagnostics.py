"""Why do they fail? Rates, failure signatures and suspects for any filter."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from uuid import UUID, uuid4

import numpy as np

from core.domain.batches.results import FailureFilters
from core.domain.diagnosis.diagnosis import (
    Bucket,
    Diagnosis,
    Dimension,
    FingerprintRow,
    build_facts,
    diagnose,
    group_cells,
)
from core.domain.diagnosis.diagnosis_table import FigureRow, SuspectRow, list_figures, list_suspects
from core.domain.diagnosis.error_report import FAR_BELOW_LIMIT
from core.domain.diagnosis.facts import Facts
from core.domain.diagnosis.findings import MOST_REQUEST_IDS, Evidence, Finding, describe_finding
from core.domain.diagnosis.intervals import Rate, measure_rate
from core.domain.diagnosis.outcomes import ACCEPTED, OTHER_BATCHES, ExampleGroup, FailureExample, FailureSignature, Outcomes
from core.domain.diagnosis.plain_names import NONE
from core.domain.diagnosis.suspects import Suspect, SuspectReport, find_suspects
from core.domain.record import Record
from core.ports.diagnosis import DiagnosticStore
from core.services.spreadsheet import write_csv

MOST_BATCHES = 10
EXAMPLES = 3
MOST_FINGERPRINTS = 12
HOURS_FOR_DAYS = 72
_SHARE_UNIT = 10_000
ANY_OUTCOME = FailureFilters()


class FingerprintGroup(Record):
    """Failures that end alike, with some to look at."""

    row: FingerprintRow
    examples: tuple[FailureExample, ...]


class DiagnosisReport(Record):
    """What one filter shows. `findings` explain the likely causes, strongest first."""

    diagnosis: Diagnosis
    suspects: SuspectReport
    findings: tuple[Finding, ...]
    fingerprints: tuple[FingerprintGroup, ...]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Counts and rates for one filter, without causes."""

    outcomes: Outcomes
    facts: Facts
    diagnosis: Diagnosis
    id: UUID = field(default_factory=uuid4)
    """Cache key."""


@dataclass(frozen=True, kw_only=True)
class DiagnosticsService:
    """Diagnoses in two calls to the database, whatever the number of failures."""

    store: DiagnosticStore

    def measure(self, filters: FailureFilters) -> Rate:
        """Return failed of judged items for a filter, and nothing else."""
        cells = self.store.count(filters, 1).cells
        failed = sum(items for items, kind in zip(cells.items, cells.kind, strict=True) if kind != ACCEPTED)
        return measure_rate(failed, sum(cells.items))

    def diagnose(
        self, filters: FailureFilters = ANY_OUTCOME, *, bucket: Bucket | None = None, zone: tzinfo = UTC
    ) -> DiagnosisReport:
        """Return everything that the analytics show for a filter."""
        return self.explain(self.measure_outcomes(filters, bucket=bucket, zone=zone))

    def measure_outcomes(self, filters: FailureFilters, *, bucket: Bucket | None = None, zone: tzinfo = UTC) -> Measurement:
        """Return counts and rates, which can be drawn while the causes are computed.

        `bucket` None: hours where the time line spans less than three days, else days; both in the time zone `zone`.
        """
        outcomes = self.store.count(filters, MOST_BATCHES)
        facts = build_facts(outcomes)
        chosen = bucket or _choose_bucket(outcomes)
        diagnosis = diagnose(outcomes, facts, bucket=chosen, zone=zone, now=datetime.now(UTC), asks_how=filters.asks_how)
        return Measurement(outcomes=outcomes, facts=facts, diagnosis=diagnosis)

    def explain(self, measurement: Measurement) -> DiagnosisReport:
        """Find the causes of the failures, and fetch examples."""
        outcomes, facts, diagnosis = measurement.outcomes, measurement.facts, measurement.diagnosis
        report = find_suspects(facts, unpaired=(Dimension.BATCH,))
        shown = diagnosis.fingerprints[:MOST_FINGERPRINTS]
        # A suspect's examples stand in the finding as request ids, a fingerprint's as failures to open.
        members = [_find_failed_cells(outcomes, facts, suspect) for suspect in report.named]
        groups = [_make_group(outcomes, suspect, cells) for suspect, cells in zip(report.named, members, strict=True)]
        groups += [ExampleGroup(kinds=row.kinds) for row in shown]
        examples = self.store.list_examples(groups, MOST_REQUEST_IDS) if groups else ()
        findings = tuple(
            describe_finding(suspect, collect_evidence(outcomes, cells, found), report.failed)
            for suspect, cells, found in zip(report.named, members, examples, strict=False)
        )
        fingerprints = tuple(
            FingerprintGroup(row=row, examples=found[:EXAMPLES])
            for row, found in zip(shown, examples[len(report.named) :], strict=True)
        )
        return DiagnosisReport(diagnosis=diagnosis, suspects=report, findings=findings, fingerprints=fingerprints)


def write_figures(diagnosis: Diagnosis) -> bytes:
    """Return every figure of a diagnosis as CSV, one a line."""
    return write_csv(list_figures(diagnosis), tuple(FigureRow.model_fields))


def write_suspects(report: SuspectReport) -> bytes:
    """Return every comparison as CSV, worst first."""
    return write_csv(list_suspects(report.suspects), tuple(SuspectRow.model_fields))


def collect_evidence(outcomes: Outcomes, members: Sequence[int], examples: tuple[FailureExample, ...] = ()) -> Evidence:
    """Return what the failures of these cells have in common."""
    kinds, cells = {kind.id: kind for kind in outcomes.kinds}, outcomes.cells
    counts, lows, highs, far_below = Counter[int](), list[int](), list[int](), 0
    for index in members:
        counts[cells.kind[index]] += cells.items[index]
        low, high = cells.share_low[index], cells.share_high[index]
        if low is not None and high is not None:
            lows.append(low)
            highs.append(high)
            far_below += cells.items[index] if high < FAR_BELOW_LIMIT * _SHARE_UNIT else 0
    by_kind = [(kinds[number], count) for number, count in counts.items()]
    return Evidence(
        failures=counts.total(),
        simulated=sum(cells.simulated[index] for index in members),
        failure_types=_sum_by(by_kind, "failure_type"),
        patterns=_sum_by(by_kind, "truncation_pattern"),
        stop_reasons=_sum_by(by_kind, "stop_reason"),
        fingerprints=_sum_by(by_kind, "fingerprint"),
        share_low=min(lows) / _SHARE_UNIT if lows else None,
        share_high=max(highs) / _SHARE_UNIT if highs else None,
        far_below_limit=far_below,
        all_counted=_are_all_counted(outcomes, members),
        imported=_are_all_imported(outcomes, members),
        request_ids=tuple(each.request_id for each in examples if each.request_id is not None),
    )


def _are_all_imported(outcomes: Outcomes, members: Sequence[int]) -> bool:
    """Whether these cells hold imported records only: only those have no setting of structured output."""
    imported = {combination.id for combination in outcomes.combinations if combination.structured_outputs is None}
    return bool(members) and all(outcomes.cells.combination[index] in imported for index in members)


def _are_all_counted(outcomes: Outcomes, members: Sequence[int]) -> bool:
    """Whether the last reply of every failure in these cells surely has a count of its tokens.

    A cell only says whether any of its items has a count. The number without one is known in total: if it is larger than the
    number in cells without any count, the others may be in these cells.
    """
    cells = outcomes.cells
    failed = [index for index, kind in enumerate(cells.kind) if kind != ACCEPTED]
    uncounted = sum(cells.items[index] for index in failed) - sum(each.failed for each in outcomes.tokens)
    hidden = uncounted - sum(cells.items[index] for index in failed if cells.share_high[index] is None)
    return not any(cells.share_high[index] is None or (hidden > 0 and cells.items[index] > 1) for index in members)


def _sum_by(counts: Sequence[tuple[FailureSignature, int]], attribute: str) -> dict[str, int]:
    total = Counter[str]()
    for kind, count in counts:
        total[getattr(kind, attribute) or NONE] += count
    return dict(total)


def _find_failed_cells(outcomes: Outcomes, facts: Facts, suspect: Suspect) -> list[int]:
    """The cells that hold the suspect's failures."""
    _, numbers = group_cells(outcomes.cells)
    is_member = facts.find_members(suspect.parts or suspect.names[:1])
    is_failed = np.array(outcomes.cells.kind, dtype=np.int64) != ACCEPTED
    return [int(index) for index in np.flatnonzero(is_member[numbers] & is_failed)]


def _make_group(outcomes: Outcomes, suspect: Suspect, failed: Sequence[int]) -> ExampleGroup:
    """The suspect's failures as the store finds them."""
    cells = outcomes.cells
    by_batch = any(name.field == Dimension.BATCH for name in (suspect.parts or suspect.names[:1]))
    slots = {cells.slot[index] for index in failed} - {OTHER_BATCHES}
    return ExampleGroup(
        kinds=tuple(sorted({cells.kind[index] for index in failed})),
        combinations=tuple(sorted({cells.combination[index] for index in failed})),
        batches=tuple(batch.id for batch in outcomes.batches if batch.slot in slots) if by_batch else None,
    )


def _choose_bucket(outcomes: Outcomes) -> Bucket:
    quarter_hours = [each.quarter_hour for each in outcomes.quarter_hours]
    span = timedelta(minutes=15 * (max(quarter_hours) - min(quarter_hours))) if quarter_hours else timedelta()
    return Bucket.HOUR if span < timedelta(hours=HOURS_FOR_DAYS) else Bucket.DAY
