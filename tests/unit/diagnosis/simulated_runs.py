"""Batches with the simulator's faults, scopes and all, but without its prose: judged and counted, no database asked."""

from datetime import UTC, datetime
from typing import Any

from core.domain.batches.work import BatchPlan, ChatRequest, LeasedItem
from core.domain.diagnosis.fingerprint import fingerprint_failure
from core.domain.diagnosis.outcomes import (
    ACCEPTED,
    BatchOutcome,
    Combination,
    FailureSignature,
    OutcomeCells,
    Outcomes,
    QuarterHourCount,
    ScaffoldingLabel,
    TokenCount,
)
from core.domain.scaffolding.prompt import Prompt, render_prompt
from core.domain.verdict.judgement import judge_reply
from core.domain.verdict.reply import Reply, TokenUsage
from core.domain.verdict.verdict import Accepted
from core.embedded.simulator.faults import FaultKind, FaultRule, draw_fault, hash_to_unit_interval, parse_fault_spec
from core.embedded.simulator.message_request import MessageRequest
from core.embedded.simulator.scene import read_scene
from core.services.diagnostics import DiagnosisReport, DiagnosticsService
from tests.factories import (
    TURNS,
    make_conversation_json,
    make_items,
    make_plan,
    make_reply,
    make_scaffolding,
    make_selection,
)
from tests.fakes.diagnostics import ScriptedDiagnosticStore

GOOD = make_reply()
REPLIES = {
    FaultKind.CUT_STRING: make_reply(
        make_conversation_json((*TURNS[:3], "What you are really telling me is \\")),
        usage=TokenUsage(input_tokens=2500, output_tokens=1100),
    ),
    FaultKind.MAX_TOKENS: make_reply(
        '{"turns": [', stop_reason="max_tokens", usage=TokenUsage(input_tokens=2500, output_tokens=24_576)
    ),
    FaultKind.REFUSAL: make_reply("", stop_reason="refusal"),
}


def diagnose_grid(faults: str, *, seed: int = 0, batches: tuple[dict[str, Any], ...] = ({},)) -> DiagnosisReport:
    """Judge the 90 items of the grid once for each of the settings, and diagnose them together."""
    plans = [make_plan(make_selection(3, 5, 6), **settings) for settings in batches]
    outcomes = count_outcomes(plans, parse_fault_spec(faults), seed)
    return DiagnosticsService(store=ScriptedDiagnosticStore(outcomes=outcomes)).diagnose()


def list_named(report: DiagnosisReport) -> list[set[tuple[str, str]]]:
    """The named suspects, each as all its names."""
    return [{(name.field, name.value) for name in suspect.names} for suspect in report.suspects.named]


def count_outcomes(plans: list[BatchPlan], rules: tuple[FaultRule, ...], seed: int) -> Outcomes:
    """Let each item be answered and judged, one cell an item. Numbers of combinations and kinds begin with 1."""
    combinations: dict[Combination, int] = {}
    kinds: dict[FailureSignature, int] = {}
    cells: list[tuple[int, int, int, int | None]] = []
    for slot, plan in enumerate(plans):
        for item in make_items(plan):
            prompt = _render(plan, item)
            reply = _answer(ChatRequest(prompt=prompt, settings=plan.settings), rules, seed)
            combination = combinations.setdefault(_describe(plan, item, prompt), len(combinations) + 1)
            kind = _find_kind(reply)
            number = ACCEPTED if kind is None else kinds.setdefault(kind, len(kinds) + 1)
            share = None if kind is None else round(10_000 * (reply.usage.output_tokens or 0) / plan.settings.max_tokens)
            cells.append((combination, slot, number, share))
    failed = sum(kind != ACCEPTED for _, _, kind, _ in cells)
    shares = tuple(cell[3] for cell in cells)
    return Outcomes(
        combinations=tuple(each.model_copy(update={"id": number}) for each, number in combinations.items()),
        kinds=tuple(each.model_copy(update={"id": number}) for each, number in kinds.items()),
        batches=tuple(
            BatchOutcome(slot=slot, id=plan.id, name=f"Batch {slot}", created_at=datetime(2026, 11, 22, slot, tzinfo=UTC))
            for slot, plan in enumerate(plans)
        ),
        cells=OutcomeCells(
            combination=tuple(cell[0] for cell in cells),
            slot=tuple(cell[1] for cell in cells),
            kind=tuple(cell[2] for cell in cells),
            items=(1,) * len(cells),
            simulated=(1,) * len(cells),
            share_low=shares,
            share_high=shares,
        ),
        quarter_hours=(QuarterHourCount(quarter_hour=1_980_000, judged=len(cells), failed=failed),),
        tokens=(TokenCount(share_bin=0, accepted=len(cells) - failed, failed=failed),),
        labels=_list_labels(),
        simulated=True,
    )


def _answer(request: ChatRequest, rules: tuple[FaultRule, ...], seed: int) -> Reply:
    prompt, settings = request.prompt, request.settings
    message = MessageRequest(
        model=settings.model,
        system=prompt.system,
        user=prompt.user,
        max_tokens=settings.max_tokens,
        is_structured=settings.structured_outputs,
        tool_name=None,
        stop_sequences=(),
        input_chars=len(prompt.text),
    )
    labels = read_scene(prompt.system, prompt.user).labels | message.labels
    fault = draw_fault(rules, labels, hash_to_unit_interval(seed, settings.model, settings.structured_outputs, prompt.text))
    return GOOD if fault is None else REPLIES[fault]


def _render(plan: BatchPlan, item: LeasedItem) -> Prompt:
    snapshot = plan.snapshot
    return render_prompt(
        snapshot.templates[item.template_id],
        snapshot.personas[item.persona_id],
        snapshot.arcs[item.emotional_arc_id],
        snapshot.topics[item.training_topic_id],
    )


def _describe(plan: BatchPlan, item: LeasedItem, prompt: Prompt) -> Combination:
    return Combination(
        id=0,
        persona_id=item.persona_id,
        emotional_arc_id=item.emotional_arc_id,
        training_topic_id=item.training_topic_id,
        template_id=item.template_id,
        model=plan.settings.model,
        max_tokens=plan.settings.max_tokens,
        effort=plan.settings.effort,
        structured_outputs=plan.settings.structured_outputs,
        conversation_category="core",
        prompt_chars=len(prompt.text) // 100 * 100,
    )


def _find_kind(reply: Reply) -> FailureSignature | None:
    verdict = judge_reply(reply)
    if isinstance(verdict, Accepted):
        return None
    return FailureSignature(
        id=0,
        failure_type=verdict.failure_type,
        stop_reason=reply.stop_reason,
        truncation_pattern=verdict.pattern,
        fingerprint=fingerprint_failure(
            failure_type=verdict.failure_type,
            pattern=verdict.pattern,
            stop_reason=reply.stop_reason,
            reply_text=reply.text,
            turn_index=verdict.turn_index,
            message=verdict.details,
        ),
    )


def _list_labels() -> dict[Any, ScaffoldingLabel]:
    rows = make_scaffolding()
    return {
        **{each.id: ScaffoldingLabel(label=each.name) for each in (*rows.personas, *rows.arcs)},
        **{each.id: ScaffoldingLabel(label=each.name, category=each.category) for each in rows.topics},
        **{each.id: ScaffoldingLabel(label=f"{each.name} v{each.version}") for each in rows.templates},
    }
