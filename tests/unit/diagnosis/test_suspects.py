"""A fault with one cause is found by its name, and nothing else is named; accidents name nobody."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from core.domain.diagnosis.facts import Facts, collect_facts, make_ordered_field
from core.domain.diagnosis.findings import describe_lead
from core.domain.diagnosis.suspects import SuspectStatus, find_suspects
from tests.unit.diagnosis.simulated_runs import diagnose_grid, list_named

SHAME = {("template", "Receive and turn forward v1"), ("arc", "Shame → Acceptance")}
MODELS = ({"model": "claude-sonnet-5-5"}, {"model": "claude-haiku-5"})
STRUCTURES = ({"structured_outputs": True}, {"structured_outputs": False})


def test_fault_of_one_arc_names_the_arc_and_its_template_as_one_suspect() -> None:
    report = diagnose_grid("cut_string@shame_to_acceptance=0.25")

    assert list_named(report) == [SHAME]
    assert report.suspects.suspects[0] == report.suspects.named[0]
    finding = report.findings[0]
    assert finding.headline == (
        "4 of 4 failures come from arc Shame → Acceptance "
        "(only used with template Receive and turn forward v1): 22 % fail here, "
        "0 % elsewhere, probably not chance."
    )
    assert finding.explanation.startswith(
        "All have the pattern “Cut at a quotation”, all stopped far below the limit, stop reason “Finished normally”. "
        "The token limit is not the cause."
    )
    assert "0 % (0-5.1 %) elsewhere (95 % intervals); p = 0.0012 by Fisher's exact test" in finding.figures
    assert finding.figures.endswith(" 4.5 % of max output tokens used.")


def test_fault_of_one_arc_is_named_whenever_four_items_fail_and_nothing_else_ever_is() -> None:
    reports = [diagnose_grid("cut_string@shame_to_acceptance=0.25", seed=seed) for seed in (1, 3, 4, 7, 11, 12)]

    assert all(list_named(report) == [SHAME] for report in reports if report.suspects.failed >= 4)
    assert not any(report.suspects.named for report in reports if report.suspects.failed < 4)
    assert {2, 3, 4, 9} < {report.suspects.failed for report in reports}


def test_three_failures_of_one_arc_prove_nothing_and_are_worth_more_items() -> None:
    report = diagnose_grid("cut_string@shame_to_acceptance=0.25", seed=12)

    assert not report.suspects.named
    lead = describe_lead(report.suspects)
    assert lead is not None
    assert lead.sentence.startswith(
        "Nearest to a cause comes arc Shame → Acceptance "
        "(only used with template Receive and turn forward v1), with 3 of 3 failures: "
    )
    assert re.search(r"could be chance\. Not enough data: generate about \d+ more\.", lead.sentence)
    assert "p = 0.0069 by Fisher's exact test." in lead.figures


@pytest.mark.parametrize(
    ("faults", "batches", "expected"),
    [
        ("cut_string@anxious_planner=0.25", ({},), {("persona", "Jennifer Martinez")}),
        ("cut_string@long_prompt=0.25", ({},), {("prompt_length", "≥ 8,700")}),
        ("cut_string@claude-haiku-5=0.25", MODELS, {("model", "claude-haiku-5")}),
        ("cut_string@structured=0.25", STRUCTURES, {("structured_output", "on")}),
    ],
)
def test_fault_of_one_setting_names_it_alone(
    faults: str, batches: tuple[dict[str, Any], ...], expected: set[tuple[str, str]]
) -> None:
    (named,) = list_named(diagnose_grid(faults, batches=batches))

    # A batch that alone has the setting cannot be told apart from it.
    assert {name for name in named if name[0] != "batch"} == expected


def test_fault_of_a_pair_names_the_pair_and_neither_value() -> None:
    batches = (*STRUCTURES, *({**each, "max_tokens": 16_000} for each in STRUCTURES))

    (named,) = list_named(diagnose_grid("cut_string@shame_to_acceptance+structured=0.4", batches=batches))

    assert named == {("template", "Receive and turn forward v1"), ("structured_output", "on")}


def test_fault_of_two_settings_that_one_batch_alone_has_names_the_settings_and_then_the_batch() -> None:
    batches = tuple({**model, **structure} for model in MODELS for structure in STRUCTURES)

    report = diagnose_grid("cut_string@claude-haiku-5+structured=0.4", batches=batches)

    assert [{("model", "claude-haiku-5"), ("structured_output", "on")}] == list_named(report)
    (same,) = report.suspects.named[0].not_told_apart
    assert "batch" == same.field
    assert "The data cannot tell it apart from batch" in report.findings[0].explanation


def test_accidents_name_nobody_in_nineteen_of_twenty_runs() -> None:
    reports = [diagnose_grid("cut_string=0.03", seed=seed).suspects for seed in range(20)]

    assert sum(not report.named for report in reports) >= 19
    assert sum(describe_lead(report) is None for report in reports) >= 18


def make_rows(fails: dict[tuple[str, str], int], each: int = 100) -> list[tuple[dict[str, str | None], int, int]]:
    """So many items of each combination of template and topic, so many of them failed."""
    return [({"template": t, "topic": p}, each, fails.get((t, p), 0)) for t in "ABC" for p in ("x", "y", "z")]


def test_value_that_only_keeps_bad_company_is_explained_by_it() -> None:
    rows = make_rows({("A", "x"): 30})
    # Template A has nearly only topic x, so the topic looks bad, too.
    rows = [(v, 10 if v["template"] == "A" and v["topic"] != "x" else n, f) for v, n, f in rows]
    rows = [(v, n, 3 if v["template"] == "A" and v["topic"] != "x" else f) for v, n, f in rows]

    report = find_suspects(collect_facts(rows, ["template", "topic"]))

    assert [suspect.label for suspect in report.named] == ["template A"]
    topic = next(suspect for suspect in report.suspects if suspect.label == "topic x")
    assert topic.status is SuspectStatus.EXPLAINED
    assert topic.explained_by is not None
    assert topic.explained_by.value == "A"


def test_two_causes_are_both_named() -> None:
    rows = make_rows({(t, p): 30 * (t == "A") + 20 * (p == "y") for t in "ABC" for p in ("x", "y", "z")})

    report = find_suspects(collect_facts(rows, ["template", "topic"]))

    assert {"template A", "topic y"} == {suspect.label for suspect in report.named}


def test_suspects_are_listed_worst_first_and_the_best_last() -> None:
    counts = {"A": (400, 60), "B": (10, 2), "C": (400, 0), "D": (40, 0), "E": (400, 30), "F": (400, 50), "G": (400, 20)}
    rows: list[tuple[dict[str, str | None], int, int]] = [({"template": t}, n, f) for t, (n, f) in counts.items()]

    report = find_suspects(collect_facts(rows, ["template"]))

    assert list("AFBEGDC") == [suspect.names[0].value for suspect in report.suspects]
    better = [suspect.rate.value or 0.0 for suspect in report.suspects if (suspect.difference or 0.0) <= 0]
    assert [0.075, 0.05, 0.0, 0.0] == better


def test_too_few_items_are_said_to_be_too_few() -> None:
    rows = [({"arc": "a"}, 2, 2), ({"arc": "b"}, 50, 1)]

    report = find_suspects(collect_facts(rows, ["arc"]))

    assert not report.named
    assert {SuspectStatus.TOO_FEW, SuspectStatus.UNPROVEN} >= {suspect.status for suspect in report.suspects}


def test_nothing_judged_and_nothing_failed_are_no_error() -> None:
    assert not find_suspects(collect_facts([], ["arc"])).suspects
    assert not find_suspects(collect_facts([({"arc": "a"}, 5, 0), ({"arc": "b"}, 5, 0)], ["arc"])).named


def collect_lengths(cells: Sequence[tuple[int | None, int, int]]) -> Facts:
    """Facts with the one ordered field `n`: its value, judged items, failed items of each cell."""
    values, judged, failed = zip(*cells, strict=True)
    counts = np.array(judged, dtype=np.int64)
    field = make_ordered_field("n", values, counts, "characters")
    return Facts(judged=counts, failed=np.array(failed, dtype=np.int64), fields=(field,))


def test_ordered_field_is_cut_evenly_where_it_has_many_values() -> None:
    rows = [(k, 1, int(k >= 700)) for k in range(1_000)]
    facts = collect_lengths(rows)

    (suspect,) = find_suspects(facts).named

    assert suspect.label == "n from 700 characters"
    assert np.count_nonzero(facts.find_members(suspect.names)) == 300


def test_items_without_a_number_are_in_no_span_and_are_not_suspected() -> None:
    unknown = [(None, 100, 90)]
    rows = [(k, 100, 0) for k in range(3)]
    facts = collect_lengths(unknown + rows)

    report = find_suspects(facts)

    assert not report.named
    judged = {suspect.names[0].value: suspect.rate.judged for suspect in report.suspects}
    assert {"≥ 1": 200, "< 1": 100, "≥ 2": 100, "< 2": 200} == judged
    for suspect in report.suspects:
        assert not facts.find_members(suspect.names)[0]


def test_numbers_that_nobody_knows_are_nothing_to_suspect() -> None:
    facts = collect_lengths([(None, 10, 5)])

    assert not find_suspects(facts).suspects
