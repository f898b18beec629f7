"""The worker's use case: ask Claude for an item, judge the reply, decide the result (`BatchRun` leases and records)."""

import asyncio
import logging
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import assert_never
from uuid import uuid4

import structlog

from core.domain.batches.batch import BatchId
from core.domain.batches.pricing import compute_cost_usd
from core.domain.batches.retry import GiveUp, RetryLater, RetryLimits, StopBatch, decide_retry, raise_limit
from core.domain.batches.work import (
    Attempt,
    BatchPlan,
    CallFailure,
    CallFailureKind,
    ChatRequest,
    ItemAccepted,
    ItemReleased,
    ItemResult,
    LeasedItem,
)
from core.domain.diagnosis.error_stack import describe_error, describe_stack
from core.domain.message_line import make_line
from core.domain.scaffolding.prompt import Prompt, render_prompt, uses_variation
from core.domain.scaffolding.records import VariedValue
from core.domain.scaffolding.variations import Combination, draw_values
from core.domain.verdict.judgement import judge_reply
from core.domain.verdict.reply import Reply, StopReason, TokenUsage
from core.domain.verdict.verdict import Accepted, FailureType
from core.errors import PlanUnreadable, TemplateInvalid
from core.ports.claude import ChatModel
from core.ports.work import PaceBoard, WorkStore
from core.services.batch_run import BatchRun
from core.services.call_slots import CallSlots
from core.services.item_failures import describe_lost, fail_item, fail_unattempted, make_failure
from core.services.open_batches import OpenBatches
from core.services.recording import ResultRecorder
from core.services.shared_pace import ModelPace, SharedPace

log = structlog.get_logger(__name__)


@dataclass(kw_only=True)
class GenerationService:
    """Runs batches. `worker` names this process in leases and attempts."""

    store: WorkStore
    model: ChatModel
    worker: str
    lease_seconds: float
    retry_limits: RetryLimits
    pace_board: PaceBoard
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set on SIGTERM: calls in flight finish and are recorded, nothing more is leased."""
    slots: CallSlots = field(default_factory=CallSlots)
    _paces: dict[str, ModelPace] = field(default_factory=dict[str, ModelPace])

    async def run_batches(self, first: BatchId) -> None:
        """Work on a batch, and beside it on every other that this worker could help, until none is left.

        Raises what ended the run of the first batch, after the others have ended.
        """
        await OpenBatches(store=self.store, worker=self.worker, run_batch=self.run_batch, stopping=self.stopping).run(first)

    async def run_batch(self, batch_id: BatchId, recorder: ResultRecorder) -> None:
        """Work on a batch until it has no item left for this worker."""
        try:
            plan = await self.store.get_plan(batch_id)
        except PlanUnreadable as error:
            # Every job of it would end here, and the reconciler enqueues an open batch every few seconds.
            log.error("plan_unreadable", batch_id=str(batch_id), error=str(error))  # noqa: TRY400 - the message says it all
            await self.store.pause(batch_id, f"Paused automatically: {error}")
            return
        if plan is None:
            log.warning("batch_not_found", batch_id=str(batch_id))
            return
        pace = SharedPace(model=self.find_pace(plan.settings.model), store=self.store, plan=plan)
        await BatchRun(
            plan=plan,
            store=self.store,
            recorder=recorder,
            pace=pace,
            slots=self.slots,
            generate=lambda item: self.generate_item(plan, item, pace),
            worker=self.worker,
            lease_seconds=self.lease_seconds,
            stopping=self.stopping,
        ).run()

    def find_pace(self, model: str) -> ModelPace:
        """Return the pace of a model, which all batches that use it share."""
        return self._paces.setdefault(model, ModelPace(board=self.pace_board, model=model))

    async def generate_item(self, plan: BatchPlan, item: LeasedItem, pace: SharedPace) -> ItemResult:
        """Make one attempt at an item and return its result; an exception becomes a result, too."""
        if item.lost_leases >= self.retry_limits.max_attempts:
            return fail_unattempted(plan, item, describe_lost(item))
        try:
            return await self._attempt(_apply_item(plan, item), item, pace)
        except TemplateInvalid as error:
            return fail_unattempted(plan, item, str(error))
        except Exception as error:
            log.exception("item_failed", batch_id=str(plan.id), item_id=str(item.item_id))
            because = make_line(f"The item failed unexpectedly: {describe_error(error)}")
            return fail_unattempted(plan, item, because, error_stack=describe_stack(error))

    async def _attempt(self, plan: BatchPlan, item: LeasedItem, pace: SharedPace) -> ItemResult:
        prompt = _render(plan, item)
        started_at = datetime.now(UTC)
        answer = await self._ask(plan, item, prompt)
        attempt = self._describe_attempt(plan, prompt, answer, started_at)
        await pace.learn(answer)
        try:
            result = self._judge(plan, item, prompt, attempt, answer)
        except Exception as error:
            # A defect of ours: the reply is paid for, so it is kept as a failure instead of being generated again.
            log.exception("judging_failed", batch_id=str(plan.id), item_id=str(item.item_id))
            text = answer.text if isinstance(answer, Reply) else None
            failure = make_failure(f"Judging the reply failed: {describe_error(error)}", FailureType.VALIDATION_ERROR)
            result = fail_item(plan, item, prompt, attempt, failure, reply_text=text, error_stack=describe_stack(error))
        _log_attempt(plan, item, result)
        return result

    async def _ask(self, plan: BatchPlan, item: LeasedItem, prompt: Prompt) -> Reply | CallFailure:
        """Call Claude. An exception from the call is unexpected, and recorded with its stack."""
        begun = time.monotonic()
        try:
            return await self.model.complete(ChatRequest(prompt=prompt, settings=plan.settings))
        except Exception as error:
            log.exception("call_failed", batch_id=str(plan.id), item_id=str(item.item_id))
            return CallFailure(
                kind=CallFailureKind.UNEXPECTED,
                message=make_line(f"The call failed unexpectedly: {describe_error(error)}"),
                duration_ms=round((time.monotonic() - begun) * 1000),
                simulated=False,
                error_stack=describe_stack(error),
            )

    def _judge(
        self, plan: BatchPlan, item: LeasedItem, prompt: Prompt, attempt: Attempt, answer: Reply | CallFailure
    ) -> ItemResult:
        if isinstance(answer, Reply):
            verdict = judge_reply(answer)
            if isinstance(verdict, Accepted):
                return ItemAccepted(
                    item=item,
                    attempt=attempt,
                    prompt_text=prompt.text,
                    conversation=verdict.conversation,
                    variation=_draw(plan, item),
                )
            raised = raise_limit(answer, plan.settings, raised_before=item.max_tokens is not None)
            if raised is not None:
                cut = attempt.model_copy(update={"failure_type": verdict.failure_type, "failure_pattern": verdict.pattern})
                return ItemReleased(item=item, attempt=cut, raised_max_tokens=raised)
            return fail_item(plan, item, prompt, attempt, verdict, reply_text=answer.text)
        decision = decide_retry(
            answer,
            attempt_number=item.attempt_number,
            spent_seconds=item.spent_seconds + answer.duration_ms / 1000,
            limits=self.retry_limits,
            jitter=random.random(),  # noqa: S311 - spreads waits, keeps no secret
        )
        match decision:
            case RetryLater(delay_seconds=delay_seconds):
                waiting = attempt.model_copy(update={"wait_ms": round(delay_seconds * 1000)})
                return ItemReleased(item=item, attempt=waiting, delay_seconds=delay_seconds)
            case GiveUp(because=because, failure_type=failure_type):
                failure = make_failure(because, failure_type)
                return fail_item(plan, item, prompt, attempt, failure, error_stack=answer.error_stack)
            case StopBatch(because=because):
                failure = make_failure(because, FailureType.API_ERROR)
                return fail_item(plan, item, prompt, attempt, failure, stop_batch_because=because)
            case _:
                assert_never(decision)

    def _describe_attempt(
        self, plan: BatchPlan, prompt: Prompt, answer: Reply | CallFailure, started_at: datetime
    ) -> Attempt:
        common = Attempt(
            id=uuid4(),
            model=plan.settings.model,
            settings=plan.settings,
            prompt_length=len(prompt.text),
            started_at=started_at,
            duration_ms=answer.duration_ms,
            simulated=answer.simulated,
            worker=self.worker,
            request_id=answer.request_id,
            raw=answer.raw,
            usage=answer.usage,
        )
        if isinstance(answer, Reply):
            model = answer.model or plan.settings.model
            return common.model_copy(
                update={
                    "model": model,
                    "stop_reason": answer.stop_reason,
                    "http_status": answer.raw.status_code,
                    "cost_usd": _price(model, answer.usage),
                }
            )
        return common.model_copy(
            update={
                "failure_type": FailureType.API_ERROR,
                "http_status": answer.http_status,
                "error_type": answer.error_type or answer.kind,
                "error_message": answer.message,
                "cost_usd": _price(plan.settings.model, answer.usage),
            }
        )


def _price(model: str, usage: TokenUsage) -> Decimal | None:
    """Return the cost of a reply; None where it cannot be computed, so that the reply is still kept."""
    try:
        return compute_cost_usd(model, usage)
    except Exception:
        log.exception("reply_not_priced", model=model)
        return None


def _apply_item(plan: BatchPlan, item: LeasedItem) -> BatchPlan:
    if item.max_tokens is None:
        return plan
    return plan.model_copy(update={"settings": plan.settings.model_copy(update={"max_tokens": item.max_tokens})})


def _render(plan: BatchPlan, item: LeasedItem) -> Prompt:
    snapshot = plan.snapshot
    return render_prompt(
        snapshot.templates[item.template_id],
        snapshot.personas[item.persona_id],
        snapshot.arcs[item.emotional_arc_id],
        snapshot.topics[item.training_topic_id],
        _draw(plan, item),
    )


def _draw(plan: BatchPlan, item: LeasedItem) -> tuple[VariedValue, ...]:
    """Return what the item's prompt says of each axis: nothing for the first, or where the template does not ask."""
    if item.variation == 1 or not uses_variation(plan.snapshot.templates[item.template_id]):
        return ()
    combination = Combination(persona_id=item.persona_id, arc_id=item.emotional_arc_id, topic_id=item.training_topic_id)
    return draw_values(plan.snapshot.axes.values(), combination, item.variation)


def _log_attempt(plan: BatchPlan, item: LeasedItem, result: ItemResult) -> None:
    attempt = result.attempt
    if attempt is None:
        return
    facts = {
        "batch_id": str(plan.id),
        "position": item.position,
        "attempt": item.attempt_number,
        "stop_reason": attempt.stop_reason,
        "output_tokens": attempt.usage.output_tokens,
        "duration_ms": attempt.duration_ms,
    }
    if isinstance(result, ItemAccepted):
        log.info("accepted", **facts)  # One line for each of thousands: all else of it is in the database.
        return
    facts |= {
        "result": result.kind,
        "input_tokens": attempt.usage.input_tokens,
        "max_tokens": plan.settings.max_tokens,
        "cost_usd": None if attempt.cost_usd is None else float(attempt.cost_usd),
        "request_id": attempt.request_id,
        "failure_type": attempt.failure_type,
        "pattern": attempt.failure_pattern,
        "error": attempt.error_message,
    }
    is_cut = attempt.stop_reason == StopReason.MAX_TOKENS
    log.log(logging.WARNING if is_cut else logging.INFO, "reply_cut_by_max_tokens" if is_cut else "attempt", **facts)
