"""Results of leased items, as a worker brings them: plausible, and the same wherever a test needs some."""

from core.domain.batches.work import ItemAccepted, ItemFailed, LeasedItem
from core.domain.verdict.conversation import Conversation
from core.domain.verdict.parsing import parse_conversation
from core.domain.verdict.reply import TokenUsage
from core.domain.verdict.verdict import Confidence, Failed, FailurePattern, FailureType
from tests.factories import TURNS, make_attempt, make_conversation_json, make_settings


def parse() -> Conversation:
    parsed = parse_conversation(make_conversation_json())
    assert isinstance(parsed, Conversation)
    return parsed


def accept(item: LeasedItem, **attempt: object) -> ItemAccepted:
    return ItemAccepted(item=item, attempt=make_attempt(**attempt), prompt_text="p", conversation=parse())


def accept_other(item: LeasedItem) -> ItemAccepted:
    """A conversation that says something that no other says."""
    accepted = accept(item)
    first, *others = accepted.conversation.turns
    own = first.model_copy(update={"content": f"My question has the number {item.item_id}, and I ask it here."})
    conversation = accepted.conversation.model_copy(update={"turns": (own, *others)})
    return accepted.model_copy(update={"conversation": conversation})


def fail(item: LeasedItem, *, stop_batch_because: str | None = None, **attempt: object) -> ItemFailed:
    """A reply whose fourth turn stops at a lone backslash."""
    failure = Failed(
        failure_type=FailureType.TRUNCATION,
        pattern=FailurePattern.LONE_BACKSLASH,
        confidence=Confidence.HIGH,
        details="turn 4 (assistant) stops at: the \\",
        turn_index=3,
    )
    return ItemFailed(
        item=item,
        attempt=make_attempt(failure_type="truncation", **attempt),
        prompt_text="Write. \0",
        settings=make_settings(),
        failure=failure,
        reply_text='{"turns": []}',
        stop_batch_because=stop_batch_because,
    )


def fail_short(item: LeasedItem, *, stop_reason: str = "end_turn", output_tokens: int = 1_100) -> ItemFailed:
    """A reply that was cut: in a turn long before its limit, or at the limit."""
    is_cut = stop_reason == "end_turn"
    return ItemFailed(
        item=item,
        attempt=make_attempt(
            failure_type="truncation",
            stop_reason=stop_reason,
            prompt_length=8_750,
            usage=TokenUsage(input_tokens=2_500, output_tokens=output_tokens),
            request_id=f"req_{item.position}",
        ),
        prompt_text="Write.",
        settings=make_settings(),
        failure=Failed(
            failure_type=FailureType.TRUNCATION,
            pattern=FailurePattern.LONE_BACKSLASH if is_cut else FailurePattern.UNEXPECTED_STOP_REASON,
            confidence=Confidence.HIGH,
            details="turn 4 stops at: the \\",
            turn_index=3,
        ),
        reply_text=make_conversation_json((*TURNS[:3], "It isn't \\")),
    )
