"""The worker's use case: lease items, ask Claude, judge the reply, record what came of it.

One asyncio loop keeps up to `concurrency` items in flight. A slot is used again only when its result is in the database.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import assert_never
from uuid import uuid4

import structlog

from core.domain.batch import BatchId, BatchSettings
from core.domain.error_stack import describe_error, describe_stack
from core.domain.judgement import judge_reply
from core.domain.message_line import make_line
from core.domain.pacing import Pace, begin_pace, find_storm, pace_after_failure, pace_after_reply, read_headroom
from core.domain.pricing import compute_cost_usd
from core.domain.prompt import Prompt, render_prompt
from core.domain.reply import Reply, StopReason, TokenUsage
from core.domain.retry import GiveUp, RetryLater, RetryLimits, StopBatch, decide_retry, raise_limit
from core.domain.verdict import Accepted, Confidence, Failed, FailureType
from core.domain.work import (
    Attempt,
    BatchPlan,
    CallFailure,
    CallFailureKind,
    ChatRequest,
    ItemAccepted,
    ItemFailed,
    ItemReleased,
    ItemResult,
    LeasedItem,
)
from core.errors import BrightRunError, PlanUnreadable, ServiceUnavailable, TemplateInvalid
from core.ports import ChatModel, PaceBoard, WorkStore
from core.services.recording import ResultRecorder

log = structlog.get_logger(__name__)

MAX_HOLD_SECONDS = 5.0
"""Another worker may learn meanwhile that calls are welcome, or an analyst cancel, so a held-back loop looks this often."""
IDLE_WAIT_SECONDS = 1.0
"""How long a loop with free slots waits before it asks for items again."""


@dataclass(kw_only=True)
class GenerationService:
    """Runs batches. `worker` names this process in leases and attempts."""

    store: WorkStore
    model: ChatModel
    worker: str
    lease_seconds: float
    retry_limits: RetryLimits
    pace_board: PaceBoard
    learning: asyncio.Lock = field(default_factory=asyncio.Lock)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set on SIGTERM: calls in flight finish and are recorded, nothing more is leased."""

    async def run_batch(self, batch_id: BatchId) -> None:
        """Work on a batch until it has no item left for this worker."""
        try:
            plan = await self.store.get_plan(batch_id)
        except PlanUnreadable as error:
            # Every job of it would end here, and the reconciler rings for an open batch every few seconds.
            log.error("plan_unreadable", batch_id=str(batch_id), error=str(error))  # noqa: TRY400 - the message says it all
            await self.store.pause(batch_id, f"Paused automatically: {error}")
            return
        if plan is None:
            log.warning("batch_not_found", batch_id=str(batch_id))
            return
        async with ResultRecorder.open(self.store) as recorder:
            await _BatchRun(service=self, plan=plan, recorder=recorder).run()

    async def generate_item(self, plan: BatchPlan, item: LeasedItem) -> ItemResult:
        """Make one attempt at an item and decide what it means; whatever is raised on the way is a result, too."""
        if item.lost_leases >= self.retry_limits.max_attempts:
            return _fail_unattempted(plan, item, _describe_lost(item))
        try:
            return await self._attempt(_apply_item(plan, item), item)
        except TemplateInvalid as error:
            return _fail_unattempted(plan, item, str(error))
        except Exception as error:
            log.exception("item_failed", batch_id=str(plan.id), item_id=str(item.item_id))
            because = make_line(f"The item failed in a way that nobody foresaw: {describe_error(error)}")
            return _fail_unattempted(plan, item, because, error_stack=describe_stack(error))

    async def _attempt(self, plan: BatchPlan, item: LeasedItem) -> ItemResult:
        prompt = _render(plan, item)
        started_at = datetime.now(UTC)
        answer = await self._ask(plan, item, prompt)
        attempt = self._describe_attempt(plan, prompt, answer, started_at)
        await self._learn(plan, answer)
        try:
            result = self._judge(plan, item, prompt, attempt, answer)
        except Exception as error:
            # A defect of ours: the reply is paid for, so it is kept as a failure instead of being asked for again.
            log.exception("judging_failed", batch_id=str(plan.id), item_id=str(item.item_id))
            text = answer.text if isinstance(answer, Reply) else None
            failure = _failure(f"Judging the reply failed: {describe_error(error)}", FailureType.VALIDATION_ERROR)
            result = _fail(plan, item, prompt, attempt, failure, reply_text=text, error_stack=describe_stack(error))
        _log_attempt(plan, item, result)
        return result

    async def _ask(self, plan: BatchPlan, item: LeasedItem, prompt: Prompt) -> Reply | CallFailure:
        """Call Claude. What leaves the call as an exception was foreseen by nobody, and is told with where it came from."""
        begun = time.monotonic()
        try:
            return await self.model.complete(ChatRequest(prompt=prompt, settings=plan.settings))
        except Exception as error:
            log.exception("call_failed", batch_id=str(plan.id), item_id=str(item.item_id))
            return CallFailure(
                kind=CallFailureKind.UNEXPECTED,
                message=make_line(f"The call failed in a way that nobody foresaw: {describe_error(error)}"),
                duration_ms=round((time.monotonic() - begun) * 1000),
                simulated=False,
                error_stack=describe_stack(error),
            )

    async def read_pace(self, plan: BatchPlan) -> Pace:
        """Return how many calls may be in flight, as all workers have learnt it."""
        try:
            known = await self.pace_board.read(plan.settings.model)
        except Exception:
            log.exception("pace_not_read", batch_id=str(plan.id))
            known = None
        return known or begin_pace(plan.settings.concurrency, datetime.now(UTC))

    async def _learn(self, plan: BatchPlan, answer: Reply | CallFailure) -> None:
        """Adapt the pace to an answer. A pace that cannot be learnt costs speed at most; the answer may be paid for."""
        try:
            await self._adapt_pace(plan, answer)
        except Exception:
            log.exception("pace_not_learnt", batch_id=str(plan.id))

    async def _adapt_pace(self, plan: BatchPlan, answer: Reply | CallFailure) -> None:
        """Learn from an answer, share the pace, note it for the monitor; pause the batch in a lasting storm."""
        now = datetime.now(UTC)
        async with self.learning:
            before = await self.read_pace(plan)
            if isinstance(answer, Reply):
                headroom = read_headroom(answer.raw.headers)
                after = pace_after_reply(before, headroom, ceiling=plan.settings.concurrency, now=now)
            else:
                after = pace_after_failure(before, answer, now=now)
            if after != before:
                await self.pace_board.write(plan.settings.model, after)
        if (after.limit, after.reason) != (before.limit, before.reason):
            log.info("pace_changed", batch_id=str(plan.id), limit=after.limit, reason=after.reason)
            await self.note_pace(plan, after)
        try:
            if (because := find_storm(after, now)) is not None:
                await self.store.pause(plan.id, because)
        except BrightRunError as error:
            log.warning("batch_not_paused", batch_id=str(plan.id), error=str(error))

    async def note_pace(self, plan: BatchPlan, pace: Pace) -> None:
        """Write the pace to the batch, where the database leases by it and the monitor shows it."""
        try:
            await self.store.set_pace(plan.id, pace.limit, pace.reason)
        except BrightRunError as error:
            log.warning("pace_not_noted", batch_id=str(plan.id), error=str(error))

    def _judge(
        self, plan: BatchPlan, item: LeasedItem, prompt: Prompt, attempt: Attempt, answer: Reply | CallFailure
    ) -> ItemResult:
        if isinstance(answer, Reply):
            verdict = judge_reply(answer)
            if isinstance(verdict, Accepted):
                return ItemAccepted(item=item, attempt=attempt, prompt_text=prompt.text, conversation=verdict.conversation)
            raised = raise_limit(answer, plan.settings, raised_before=item.max_tokens is not None)
            if raised is not None:
                cut = attempt.model_copy(update={"failure_type": verdict.failure_type, "failure_pattern": verdict.pattern})
                return ItemReleased(item=item, attempt=cut, raised_max_tokens=raised)
            return _fail(plan, item, prompt, attempt, verdict, reply_text=answer.text)
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
                failure = _failure(because, failure_type)
                return _fail(plan, item, prompt, attempt, failure, error_stack=answer.error_stack)
            case StopBatch(because=because):
                failure = _failure(because, FailureType.API_ERROR)
                return _fail(plan, item, prompt, attempt, failure, stop_batch_because=because)
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


@dataclass(kw_only=True)
class _BatchRun:
    """The loop over one batch: what is in flight, and the heartbeat that keeps its leases."""

    service: GenerationService
    plan: BatchPlan
    recorder: ResultRecorder
    in_flight: dict[asyncio.Task[None], LeasedItem] = field(default_factory=dict)

    async def run(self) -> None:
        # What an earlier worker noted may be long out of date, and the database leases by it.
        await self.service.note_pace(self.plan, await self.service.read_pace(self.plan))
        async with self._heartbeat():
            while not self.service.stopping.is_set():
                wait_seconds = await self._take_items()
                if wait_seconds is None and not self.in_flight:
                    break
                await self._wait(wait_seconds)
            if self.in_flight:
                await asyncio.wait(self.in_flight)

    async def _take_items(self) -> float | None:
        """Fill the free slots. Return the seconds until asking again makes sense; None: when a call ends."""
        pace = await self.service.read_pace(self.plan)
        held_seconds = pace.wait_seconds(datetime.now(UTC))
        free = min(self.plan.settings.concurrency, pace.limit) - len(self.in_flight)
        if held_seconds > 0:
            free = 0  # Asked all the same: the batch may have been cancelled meanwhile.
        elif free <= 0:
            return None
        try:
            lease = await self.service.store.lease(self.plan.id, self.service.worker, free, self.service.lease_seconds)
        except BrightRunError as error:
            # What is in flight is paid for, so the loop waits instead of ending. Without any, the next job may do better.
            if not self.in_flight and not isinstance(error, ServiceUnavailable):
                raise
            log.warning("items_not_leased", batch_id=str(self.plan.id), error=str(error))
            return IDLE_WAIT_SECONDS
        for item in lease.items:
            task = asyncio.create_task(self._process(item), name=f"item {item.position}")
            self.in_flight[task] = item
            task.add_done_callback(self._forget)
        if lease.status is None or not lease.status.is_active or lease.next_available_in_seconds is None:
            return None
        if held_seconds > 0:
            return min(held_seconds, MAX_HOLD_SECONDS)
        if lease.next_available_in_seconds <= 0:
            # Items are there, but the batch's concurrency is used up, by this worker or by others.
            return None if self.in_flight else IDLE_WAIT_SECONDS
        # Who cancels or pauses meanwhile must not wait for a delay to pass, nor keep this worker from other batches.
        return min(lease.next_available_in_seconds, MAX_HOLD_SECONDS)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self.in_flight.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("item_crashed", batch_id=str(self.plan.id), error=str(error), exc_info=error)

    async def _wait(self, wait_seconds: float | None) -> None:
        """Wait until a call ends, an item becomes available, or the worker is asked to stop."""
        stop = asyncio.create_task(self.service.stopping.wait())
        try:
            await asyncio.wait({*self.in_flight, stop}, timeout=wait_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()

    async def _process(self, item: LeasedItem) -> None:
        result = await self.service.generate_item(self.plan, item)
        try:
            outcome = await self.recorder.record(result)
        except Exception as error:  # noqa: BLE001 - whatever it is, the reply is paid for
            # Recording it again would be refused again, and giving the item back would pay for the same reply again.
            rejected = describe_rejected(result, error, self.plan.settings)
            try:
                outcome = await self.recorder.record(rejected)
            except Exception as again:
                log.exception("failure_rejected", batch_id=str(self.plan.id), item_id=str(item.item_id))
                outcome = await self.recorder.record(describe_unstorable(rejected, again))
        if outcome.outcome != "recorded":
            log.warning(outcome.outcome, batch_id=str(self.plan.id), item_id=str(item.item_id))

    @asynccontextmanager
    async def _heartbeat(self) -> AsyncGenerator[None]:
        task = asyncio.create_task(self._extend_leases(), name="heartbeat")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _extend_leases(self) -> None:
        while True:
            await asyncio.sleep(self.service.lease_seconds / 3)
            items = tuple(self.in_flight.values())
            if not items:
                continue
            try:
                await self.service.store.extend(self.plan.id, items, self.service.lease_seconds)
            except BrightRunError as error:
                # The results say later whether the leases held; a call that is paid for is not broken off.
                log.warning("leases_not_extended", batch_id=str(self.plan.id), items=len(items), error=str(error))


def describe_rejected(result: ItemResult, error: Exception, settings: BatchSettings) -> ItemFailed:
    """Make of a result that could not be recorded a failure that can, the reply's bytes included."""
    details = make_line(f"The reply could not be stored: {describe_error(error)}")
    attempt = result.attempt
    failure = _failure(details, FailureType.VALIDATION_ERROR)
    return ItemFailed(
        item=result.item,
        attempt=None if attempt is None else attempt.model_copy(update=_FAILED_BY_US),
        prompt_text="" if isinstance(result, ItemReleased) else result.prompt_text,
        settings=settings if attempt is None else attempt.settings,
        failure=failure,
        stop_batch_because=result.stop_batch_because if isinstance(result, ItemFailed) else None,
        error_stack=describe_stack(error),
    )


def describe_unstorable(rejected: ItemFailed, error: Exception) -> ItemFailed:
    """Make of a failure that could not be recorded either one of which nothing came from outside.

    The item must close, or it would be called, and paid for, again and again. It closes under an attempt of another id, so
    that what is on disk under the first one, the paid reply with its bytes, stays there and is set aside.
    """
    attempt = rejected.attempt
    bare = None
    if attempt is not None:
        unsaid = {
            "id": uuid4(),
            "raw": None,
            "http_status": None,
            "stop_reason": None,
            "request_id": None,
            "usage": TokenUsage(),
        }
        told = {"error_type": None, "error_message": None, "cost_usd": None, "model": attempt.settings.model}
        bare = attempt.model_copy(update=unsaid | told)
    return rejected.model_copy(update={"attempt": bare, "prompt_text": "", "error_stack": describe_stack(error)})


_FAILED_BY_US = {"failure_type": FailureType.VALIDATION_ERROR, "failure_pattern": None}


def _describe_lost(item: LeasedItem) -> str:
    return (
        f"Given up: {item.lost_leases} workers in a row took this item and were gone before they had a result (killed, out "
        "of memory, or their machine stopped). Look into the worker's log, then retry the item."
    )


def _price(model: str, usage: TokenUsage) -> Decimal | None:
    """Return what a reply cost; a price that cannot be computed is not known, and costs no reply."""
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
    )


def _failure(details: str, failure_type: FailureType) -> Failed:
    return Failed(failure_type=failure_type, confidence=Confidence.HIGH, details=details)


def _fail_unattempted(plan: BatchPlan, item: LeasedItem, because: str, *, error_stack: str | None = None) -> ItemFailed:
    """Close an item without a call."""
    return ItemFailed(
        item=item,
        attempt=None,
        prompt_text="",
        settings=plan.settings,
        failure=_failure(because, FailureType.API_ERROR),
        error_stack=error_stack,
    )


def _fail(
    plan: BatchPlan,
    item: LeasedItem,
    prompt: Prompt,
    attempt: Attempt,
    failure: Failed,
    *,
    reply_text: str | None = None,
    stop_batch_because: str | None = None,
    error_stack: str | None = None,
) -> ItemFailed:
    return ItemFailed(
        item=item,
        attempt=attempt.model_copy(update={"failure_type": failure.failure_type, "failure_pattern": failure.pattern}),
        prompt_text=prompt.text,
        settings=plan.settings,
        failure=failure,
        reply_text=reply_text,
        stop_batch_because=stop_batch_because,
        error_stack=error_stack,
    )


def _log_attempt(plan: BatchPlan, item: LeasedItem, result: ItemResult) -> None:
    attempt = result.attempt
    if attempt is None:
        return
    facts = {
        "batch_id": str(plan.id),
        "position": item.position,
        "attempt": item.attempt_number,
        "result": result.kind,
        "stop_reason": attempt.stop_reason,
        "input_tokens": attempt.usage.input_tokens,
        "output_tokens": attempt.usage.output_tokens,
        "max_tokens": plan.settings.max_tokens,
        "cost_usd": None if attempt.cost_usd is None else float(attempt.cost_usd),
        "duration_ms": attempt.duration_ms,
        "request_id": attempt.request_id,
        "failure_type": attempt.failure_type,
        "pattern": attempt.failure_pattern,
        "error": attempt.error_message,
    }
    if attempt.stop_reason == StopReason.MAX_TOKENS:
        log.warning("reply_cut_by_max_tokens", **facts)
    else:
        log.info("attempt", **facts)
