"""Why do they fail? Rates, kinds and suspects for any filter."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, timedelta, tzinfo
from uuid import UUID

from core.domain.diagnosis import NONE, Bucket, Diagnosis, Dimension, FingerprintRow, build_facts, diagnose
from core.domain.findings import MOST_REQUEST_IDS, Evidence, Finding, describe_finding
from core.domain.outcomes import ACCEPTED, OTHER_BATCHES, ExampleGroup, FailureExample, Kind, Outcomes
from core.domain.record import Record
from core.domain.results import FailureFilters
from core.domain.suspects import Suspect, SuspectName, SuspectReport, find_suspects
from core.ports import DiagnosticStore

MOST_BATCHES = 10
EXAMPLES = 3
MOST_FINGERPRINTS = 12
HOURS_FOR_DAYS = 72
ANY_OUTCOME = FailureFilters()


class FingerprintGroup(Record):
    """Failures that end alike, with some to look at."""

    row: FingerprintRow
    examples: tuple[FailureExample, ...]


class DiagnosisReport(Record):
    """What one filter shows. `findings` explain the suspects that are named, strongest first."""

    diagnosis: Diagnosis
    suspects: SuspectReport
    findings: tuple[Finding, ...]
    fingerprints: tuple[FingerprintGroup, ...]


@dataclass(frozen=True, kw_only=True)
class DiagnosticsService:
    """Diagnoses in two calls to the database, whatever the number of failures."""

    store: DiagnosticStore

    def diagnose(
        self, filters: FailureFilters = ANY_OUTCOME, *, bucket: Bucket | None = None, zone: tzinfo = UTC
    ) -> DiagnosisReport:
        """Return everything that the analytics show for a filter.

        `bucket` None: hours where the time line spans less than three days, else days; both in the time zone `zone`.
        """
        outcomes = self.store.count(filters, MOST_BATCHES)
        diagnosis = diagnose(outcomes, bucket=bucket or _choose_bucket(outcomes), zone=zone)
        report = find_suspects(build_facts(outcomes))
        shown = diagnosis.fingerprints[:MOST_FINGERPRINTS]
        # A suspect's examples stand in the finding as request ids, a fingerprint's as failures to open.
        groups = [_find_group(outcomes, suspect) for suspect in report.named]
        groups += [ExampleGroup(kinds=row.kinds) for row in shown]
        examples = self.store.list_examples(groups, MOST_REQUEST_IDS) if groups else ()
        findings = tuple(
            describe_finding(
                suspect, collect_evidence(outcomes, suspect, found), report.failed, simulated=outcomes.simulated
            )
            for suspect, found in zip(report.named, examples, strict=False)
        )
        fingerprints = tuple(
            FingerprintGroup(row=row, examples=found[:EXAMPLES])
            for row, found in zip(shown, examples[len(report.named) :], strict=True)
        )
        return DiagnosisReport(diagnosis=diagnosis, suspects=report, findings=findings, fingerprints=fingerprints)


def collect_evidence(outcomes: Outcomes, suspect: Suspect, examples: tuple[FailureExample, ...] = ()) -> Evidence:
    """Return what the failures of a suspect have in common."""
    kinds = {kind.id: kind for kind in outcomes.kinds}
    counts, lows, highs = Counter[Kind](), list[float](), list[float]()
    cells = outcomes.cells
    members = _find_members(outcomes, suspect)
    for index in members:
        if cells.kind[index] == ACCEPTED:
            continue
        counts[kinds[cells.kind[index]]] += cells.items[index]
        low, high = cells.share_low[index], cells.share_high[index]
        if low is not None and high is not None:
            lows.append(low)
            highs.append(high)
    return Evidence(
        failures=counts.total(),
        failure_types=_sum_by(counts, "failure_type"),
        patterns=_sum_by(counts, "truncation_pattern"),
        stop_reasons=_sum_by(counts, "stop_reason"),
        fingerprints=_sum_by(counts, "fingerprint"),
        share_low=min(lows, default=None),
        share_high=max(highs, default=None),
        request_ids=tuple(each.request_id for each in examples if each.request_id is not None),
    )


def _sum_by(counts: Counter[Kind], attribute: str) -> dict[str, int]:
    total = Counter[str]()
    for kind, count in counts.items():
        total[getattr(kind, attribute) or NONE] += count
    return dict(total)


def _find_members(outcomes: Outcomes, suspect: Suspect) -> list[int]:
    """The cells that hold the suspect's items."""
    fields = {field.name: field for field in build_facts(outcomes).fields}

    def fits(name: SuspectName, index: int) -> bool:
        field = fields[name.field]
        code = int(field.codes[index])
        if field.steps is None:
            return field.values[code] == name.value
        sign, _, step = name.value.partition(" ")
        return (code >= field.values.index(step)) == (sign == "≥")

    names = suspect.parts or suspect.names[:1]
    return [index for index in range(len(outcomes.cells.items)) if all(fits(name, index) for name in names)]


def _find_group(outcomes: Outcomes, suspect: Suspect) -> ExampleGroup:
    """The suspect's failures as the store finds them."""
    cells, members = outcomes.cells, _find_members(outcomes, suspect)
    failed = [index for index in members if cells.kind[index] != ACCEPTED]
    by_batch = any(name.field == Dimension.BATCH for name in (suspect.parts or suspect.names[:1]))
    slots = {cells.slot[index] for index in failed} - {OTHER_BATCHES}
    batches: tuple[UUID, ...] | None = tuple(batch.id for batch in outcomes.batches if batch.slot in slots)
    return ExampleGroup(
        kinds=tuple(sorted({cells.kind[index] for index in failed})),
        combinations=tuple(sorted({cells.combination[index] for index in failed})),
        batches=batches if by_batch else None,
    )


def _choose_bucket(outcomes: Outcomes) -> Bucket:
    quarters = [each.quarter for each in outcomes.quarters]
    span = timedelta(minutes=15 * (max(quarters) - min(quarters))) if quarters else timedelta()
    return Bucket.HOUR if span < timedelta(hours=HOURS_FOR_DAYS) else Bucket.DAY
