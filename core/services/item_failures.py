"""Records of failed items: after a call, without one, and where a result could not be stored."""

from uuid import uuid4

from core.domain.batches.batch import BatchSettings
from core.domain.batches.work import Attempt, BatchPlan, ItemFailed, ItemReleased, ItemResult, LeasedItem
from core.domain.diagnosis.error_stack import describe_error, describe_stack
from core.domain.message_line import make_line
from core.domain.scaffolding.prompt import Prompt
from core.domain.verdict.reply import TokenUsage
from core.domain.verdict.verdict import Confidence, Failed, FailureType


def make_failure(details: str, failure_type: FailureType) -> Failed:
    """Return a failure that is known without judging a reply."""
    return Failed(failure_type=failure_type, confidence=Confidence.HIGH, details=details)


def fail_unattempted(plan: BatchPlan, item: LeasedItem, because: str, *, error_stack: str | None = None) -> ItemFailed:
    """Close an item without a call."""
    return ItemFailed(
        item=item,
        attempt=None,
        prompt_text="",
        settings=plan.settings,
        failure=make_failure(because, FailureType.API_ERROR),
        error_stack=error_stack,
    )


def fail_item(
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
    """Close an item after a call; the attempt says what the failure is, too."""
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


def describe_rejected(result: ItemResult, error: Exception, settings: BatchSettings) -> ItemFailed:
    """Turn a result that could not be recorded into a failure that can, with the reply's bytes."""
    details = make_line(f"The reply could not be stored: {describe_error(error)}")
    attempt = result.attempt
    failure = make_failure(details, FailureType.VALIDATION_ERROR)
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
    """Turn a failure that could not be recorded either into one without any foreign data.

    The item must close, or it would be called and paid for again and again. It closes with another attempt id, so that the
    paid reply on disk under the first id stays there and is set aside.
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


def describe_lost(item: LeasedItem) -> str:
    """Say why an item is given up after its workers were lost."""
    return (
        f"Given up: {item.lost_leases} workers in a row took this item and were gone before they had a result (killed, out "
        "of memory, or their machine stopped). Look into the worker's log, then retry the item."
    )
