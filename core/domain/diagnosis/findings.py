"""A suspect in plain words, and what to do next."""

from collections.abc import Mapping
from enum import StrEnum
from typing import assert_never

from core.domain.diagnosis.fingerprint import label_fingerprint
from core.domain.diagnosis.intervals import Rate
from core.domain.diagnosis.plain_names import NONE, name_failure_type, name_pattern, name_stop_reason
from core.domain.diagnosis.sample_size import estimate_more_items
from core.domain.diagnosis.suspects import ALPHA_SINGLE, FEWEST_FAILED, Suspect, SuspectReport, SuspectStatus
from core.domain.percentages import format_percent, format_percent_range
from core.domain.record import Record
from core.domain.verdict.reply import StopReason
from core.domain.verdict.verdict import FailurePattern, FailureType

MOST_REQUEST_IDS = 5
LEAD_P, LEAD_P_OF_FEW = 0.25, 0.01
"""Largest p-value of a lead: corrected for the comparisons, and uncorrected where too few items could prove anything."""
_CERTAIN_P, _LIKELY_P = 0.001, 0.05
_NEARLY_ALL = 0.8
_LEAST_P = 1e-20
_PLAIN_P = 0.001
_NEAR_LIMIT = 0.95

_CUT_AT_QUOTE = (FailurePattern.LONE_BACKSLASH, FailurePattern.ESCAPED_QUOTE, FailurePattern.ESCAPED_TEXT)


class Evidence(Record):
    """What a group of failures has in common, as counts; NONE stands for a missing stop_reason or pattern.

    `share_low` and `share_high` are the least and the greatest share of max_tokens used, None where no reply was counted;
    `far_below_limit` failures used less than a fifth of it. `all_counted` is False where some of the failures have no count
    or, as far as the data can tell, may have none. `simulated` failures have a simulated reply.
    """

    failures: int
    simulated: int = 0
    failure_types: Mapping[str, int] = {}
    patterns: Mapping[str, int] = {}
    stop_reasons: Mapping[str, int] = {}
    fingerprints: Mapping[str, int] = {}
    share_low: float | None = None
    share_high: float | None = None
    far_below_limit: int = 0
    all_counted: bool = True
    imported: bool = False
    """All were read from files: they have no prompts to send again."""
    request_ids: tuple[str, ...] = ()


class StepKind(StrEnum):
    """What an analyst may do about a finding."""

    RAISE_MAX_TOKENS = "raise_max_tokens"
    COMPARE_STRUCTURED_OUTPUT = "compare_structured_output"
    CHECK_ESCAPING = "check_escaping"
    CHANGE_PROMPT = "change_prompt"
    CHANGE_EFFORT = "change_effort"
    COMPARE_MODEL = "compare_model"
    RETRY_LATER = "retry_later"
    REPORT_TO_PROVIDER = "report_to_provider"


_NEEDS_NO_ITEMS = frozenset({StepKind.CHECK_ESCAPING, StepKind.REPORT_TO_PROVIDER})


class NextStep(Record):
    """One thing to do, in words."""

    kind: StepKind
    text: str


class Finding(Record):
    """A named suspect, explained: what was found, what its failures have in common, and the figures behind it."""

    suspect: Suspect
    evidence: Evidence
    headline: str
    explanation: str
    figures: str
    next_steps: tuple[NextStep, ...]


class Lead(Record):
    """What comes nearest to a cause where none is proven, with the figures behind it.

    About `more_items` more would prove it if they fail as often; None if no number of them would.
    """

    suspect: Suspect
    sentence: str
    figures: str
    more_items: int | None


def describe_finding(suspect: Suspect, evidence: Evidence, total_failed: int) -> Finding:
    """Say what was found and what to do next."""
    sentences = [_describe_common(evidence), _judge_limit(evidence)]
    if suspect.not_told_apart:
        others = ", ".join(name.label for name in suspect.not_told_apart)
        sentences.append(f"The data cannot tell it apart from {others}.")
    if evidence.simulated:
        sentences.append(f"{'These' if evidence.simulated == evidence.failures else 'Some of these'} replies are simulated.")
    return Finding(
        suspect=suspect,
        evidence=evidence,
        headline=(
            f"{suspect.rate.failed:,} of {total_failed:,} failures come from {suspect.label}: {_compare_rates(suspect)}, "
            f"{word_chance(suspect.p_corrected)}."
        ),
        explanation=" ".join(sentence for sentence in sentences if sentence),
        figures=f"{_list_figures(suspect)}{_describe_tokens(evidence)}",
        next_steps=choose_next_steps(suspect, evidence),
    )


def describe_lead(report: SuspectReport) -> Lead | None:
    """Say what comes nearest to a cause where none is proven; None where chance explains all of it well."""
    lead = min((each for each in report.suspects if _may_lead(each)), key=lambda each: each.p_value, default=None)
    if lead is None:
        return None
    more = estimate_more_items(lead.rate, lead.rest, comparisons=report.compared, alpha=ALPHA_SINGLE)
    advice = "" if more is None else f": generate about {more:,} more"
    return Lead(
        suspect=lead,
        sentence=(
            f"Nearest to a cause comes {lead.label}, with {lead.rate.failed:,} of {report.failed:,} failures: "
            f"{_compare_rates(lead)}, which could be chance. Not enough data{advice}."
        ),
        figures=_list_figures(lead),
        more_items=more,
    )


def word_chance(p_value: float) -> str:
    """Say in words how likely a difference is chance."""
    if p_value <= _CERTAIN_P:
        return "almost certainly not chance"
    return "probably not chance" if p_value <= _LIKELY_P else "could be chance"


def _compare_rates(suspect: Suspect) -> str:
    here, elsewhere = suspect.rate.value, suspect.rest.value
    if here is None or elsewhere is None:
        return "nothing to compare"
    return f"{format_percent(here)} fail here, {format_percent(elsewhere)} elsewhere"


def _list_figures(suspect: Suspect) -> str:
    corrected = (
        "" if suspect.status is SuspectStatus.TOO_FEW else f", {format_p(suspect.p_corrected)} after Holm's correction"
    )
    return (
        f"{format_failure_rate(suspect.rate)} here, {format_failure_rate(suspect.rest)} elsewhere (95 % intervals); "
        f"{format_p(suspect.p_value)} by Fisher's exact test{corrected}."
    )


def _may_lead(suspect: Suspect) -> bool:
    if suspect.difference is None or suspect.difference <= 0 or suspect.rate.failed < FEWEST_FAILED:
        return False
    match suspect.status:
        case SuspectStatus.UNPROVEN:
            return suspect.p_corrected <= LEAD_P
        case SuspectStatus.TOO_FEW:
            return suspect.p_value <= LEAD_P_OF_FEW
        case SuspectStatus.NAMED | SuspectStatus.EXPLAINED:
            return False
        case _:
            assert_never(suspect.status)


def choose_next_steps(suspect: Suspect, evidence: Evidence) -> tuple[NextStep, ...]:
    """Return what fits the finding, the likeliest remedy first; only items that were made here can be compared."""
    steps = _list_steps(suspect, evidence)
    return tuple(step for step in steps if step.kind in _NEEDS_NO_ITEMS) if evidence.imported else steps


def _list_steps(suspect: Suspect, evidence: Evidence) -> tuple[NextStep, ...]:
    steps: list[NextStep] = []
    stopped = evidence.stop_reasons.get(StopReason.MAX_TOKENS, 0)
    if _is_most(stopped, evidence):
        steps.append(
            _step(StepKind.RAISE_MAX_TOKENS, "Raise max output tokens, or ask for shorter conversations, and compare.")
        )
        steps.append(_step(StepKind.CHANGE_EFFORT, "Lower the effort: thinking counts towards max output tokens."))
        return tuple(steps)
    if _is_most(evidence.stop_reasons.get(StopReason.MODEL_CONTEXT_WINDOW_EXCEEDED, 0), evidence):
        return (_step(StepKind.CHANGE_PROMPT, "Shorten the prompt: prompt and reply fill the context window."),)
    if _is_most(evidence.failure_types.get(FailureType.API_ERROR, 0), evidence):
        steps.append(_step(StepKind.RETRY_LATER, "Retry the failed items later, with a lower concurrency."))
    if _is_most(sum(evidence.patterns.get(pattern, 0) for pattern in _CUT_AT_QUOTE), evidence):
        steps.append(_step(StepKind.CHECK_ESCAPING, "Look at the template's instructions on escaping and quotation marks."))
    has_structure = evidence.failure_types.get(FailureType.API_ERROR, 0) + evidence.failure_types.get(FailureType.REFUSAL, 0)
    if not _is_most(has_structure, evidence):
        steps.append(
            _step(StepKind.COMPARE_STRUCTURED_OUTPUT, "Turn structured output off for the same combinations and compare.")
        )
    if _names_field(suspect, "model"):
        steps.append(_step(StepKind.COMPARE_MODEL, "Run the same combinations with another model and compare."))
    steps.append(_step(StepKind.CHANGE_PROMPT, "Change the template of these items, or the effort, and compare."))
    if evidence.request_ids and not _is_most(stopped, evidence):
        ids = ", ".join(evidence.request_ids[:MOST_REQUEST_IDS])
        steps.append(
            _step(StepKind.REPORT_TO_PROVIDER, f"If it persists, report it to the provider with these request ids: {ids}")
        )
    return tuple(steps)


def format_failure_rate(rate: Rate) -> str:
    """Return a rate with its interval, as `28 % (21-36 %)`."""
    if rate.value is None or rate.low is None or rate.high is None:
        return "no items"
    return f"{format_percent(rate.value)} ({format_percent_range(rate.low, rate.high)})"


def format_p(p_value: float) -> str:
    """Return a p-value as people read it: `p = 0.012`, `p = 3e-7`, `p < 1e-20`."""
    if p_value < _LEAST_P:
        return "p < 1e-20"
    if p_value >= _PLAIN_P:
        return f"p = {p_value:.2g}"
    digit, _, power = f"{p_value:.0e}".partition("e")
    return f"p = {digit}e{int(power)}"


def _describe_common(evidence: Evidence) -> str:
    parts: list[str] = []
    pattern, count = _most_common(evidence.patterns)
    failure_type, type_count = _most_common(evidence.failure_types)
    if pattern not in ("", NONE) and _is_most(count, evidence):
        parts.append(f"{_count_of(count, evidence)} have the pattern “{name_pattern(pattern)}”")
    elif failure_type and _is_most(type_count, evidence):
        parts.append(f"{_count_of(type_count, evidence)} are of the type “{name_failure_type(failure_type)}”")
    else:
        fingerprint, shared = _most_common(evidence.fingerprints)
        if shared:
            parts.append(f"{_count_of(shared, evidence)} share the failure signature “{label_fingerprint(fingerprint)}”")
    if distance := _word_distance_to_limit(evidence):
        parts.append(distance)
    stop_reason, stopped = _most_common(evidence.stop_reasons)
    if stop_reason not in ("", NONE) and _is_most(stopped, evidence):
        parts.append(f"stop reason “{name_stop_reason(stop_reason)}”")
    return f"{', '.join(parts)}." if parts else ""


def _word_distance_to_limit(evidence: Evidence) -> str:
    """Say how far below max_tokens the replies stopped; nothing where they did not, or hardly."""
    if evidence.share_high is None:
        return ""
    if _is_most(evidence.far_below_limit, evidence):
        words = f"{'all' if evidence.far_below_limit == evidence.failures else 'most'} stopped far below the limit"
    elif evidence.share_high < _NEAR_LIMIT:
        words = "all stopped below the limit"
    else:
        return ""
    return words if evidence.all_counted else f"{words} (of those with a count)"


def _describe_tokens(evidence: Evidence) -> str:
    if evidence.share_low is None or evidence.share_high is None:
        return ""
    is_one = format_percent(evidence.share_low) == format_percent(evidence.share_high)
    used = format_percent(evidence.share_low) if is_one else format_percent_range(evidence.share_low, evidence.share_high)
    return f" {used} of max output tokens used{'' if evidence.all_counted else ' (of those with a count)'}."


def _judge_limit(evidence: Evidence) -> str:
    """Judge only what the data shows: most stopped by the limit, or all below it."""
    if _is_most(evidence.stop_reasons.get(StopReason.MAX_TOKENS, 0), evidence):
        is_full = evidence.share_high is not None and evidence.share_high >= _NEAR_LIMIT
        return "The token limit is the cause." if is_full else ""
    if evidence.stop_reasons.get(StopReason.MAX_TOKENS) or evidence.share_high is None:
        return ""
    # An API error brings no reply, so it has neither.
    are_silent = evidence.stop_reasons.get(NONE, 0) > evidence.failure_types.get(FailureType.API_ERROR, 0)
    if are_silent and not evidence.all_counted:
        return ""
    if evidence.failure_types.get(FailureType.TRUNCATION, 0) + evidence.failure_types.get(FailureType.PARSE_ERROR, 0) == 0:
        return ""
    if evidence.share_high < _NEAR_LIMIT:
        return "The token limit is not the cause."
    return ""


def _count_of(count: int, evidence: Evidence) -> str:
    return "All" if count == evidence.failures else f"{count:,} of {evidence.failures:,}"


def _is_most(count: int, evidence: Evidence) -> bool:
    return evidence.failures > 0 and count >= _NEARLY_ALL * evidence.failures


def _most_common(counts: Mapping[str, int]) -> tuple[str, int]:
    return max(counts.items(), key=lambda entry: entry[1], default=("", 0))


def _names_field(suspect: Suspect, name: str) -> bool:
    return any(each.field == name for each in suspect.names)


def _step(kind: StepKind, text: str) -> NextStep:
    return NextStep(kind=kind, text=text)
