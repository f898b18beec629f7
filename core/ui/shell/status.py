"""How a batch status looks: the same word, icon and colour on every page."""

from typing import Literal, assert_never

from core.domain.batches.batch import BatchStatus
from core.domain.batches.monitor import ItemStatus
from core.domain.diagnosis.alerts import AlertSeverity
from core.domain.diagnosis.health import PartState
from core.domain.record import Record
from core.domain.scaffolding.records import Tier

BadgeColor = Literal["red", "orange", "yellow", "blue", "green", "violet", "gray"]
TIER_COLORS: dict[Tier, BadgeColor] = {Tier.TEMPLATE: "blue", Tier.SCENARIO: "green", Tier.EDGE_CASE: "violet"}


class StatusLook(Record):
    """The icon distinguishes statuses without colour."""

    icon: str
    color: BadgeColor


def find_status_look(status: BatchStatus) -> StatusLook:
    """Return icon and colour of a status."""
    match status:
        case BatchStatus.QUEUED:
            return StatusLook(icon=":material/schedule:", color="gray")
        case BatchStatus.PROCESSING:
            return StatusLook(icon=":material/sync:", color="blue")
        case BatchStatus.PAUSED:
            return StatusLook(icon=":material/pause_circle:", color="yellow")
        case BatchStatus.COMPLETED:
            return StatusLook(icon=":material/check_circle:", color="green")
        case BatchStatus.FAILED:
            return StatusLook(icon=":material/error:", color="red")
        case BatchStatus.CANCELLED:
            return StatusLook(icon=":material/cancel:", color="gray")
        case _:
            assert_never(status)


def name_tier(tier: str) -> str:
    """Return a tier in words, as `edge case`."""
    return tier.replace("_", " ")


def name_item_status(status: ItemStatus) -> str:
    """Return how pages call an item's status; the database calls accepted ones completed."""
    match status:
        case ItemStatus.COMPLETED:
            return "accepted"
        case ItemStatus.QUEUED | ItemStatus.PROCESSING | ItemStatus.FAILED | ItemStatus.CANCELLED:
            return status.value
        case _:
            assert_never(status)


def find_item_color(status: ItemStatus) -> BadgeColor:
    """Return the colour of an item's status: that of the batch status with the same name."""
    return find_status_look(BatchStatus(status)).color


def find_part_look(state: PartState) -> StatusLook:
    """Return icon and colour of a part's state."""
    match state:
        case PartState.UP:
            return StatusLook(icon=":material/check_circle:", color="green")
        case PartState.PROBLEM:
            return StatusLook(icon=":material/warning:", color="orange")
        case PartState.DOWN:
            return StatusLook(icon=":material/error:", color="red")
        case PartState.UNKNOWN:
            return StatusLook(icon=":material/help:", color="gray")
        case _:
            assert_never(state)


def find_severity_look(severity: AlertSeverity) -> StatusLook:
    """Return icon and colour of an alert."""
    match severity:
        case AlertSeverity.CRITICAL:
            return StatusLook(icon=":material/error:", color="red")
        case AlertSeverity.WARNING:
            return StatusLook(icon=":material/warning:", color="orange")
        case _:
            assert_never(severity)
