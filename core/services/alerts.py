"""Alerts as the signed-in analyst sees them."""

from dataclasses import dataclass
from uuid import UUID

from core.domain.diagnosis.alerts import AlertBoard
from core.errors import NotFound
from core.ports import AlertStore


@dataclass(frozen=True, kw_only=True)
class AlertService:
    """Reads alerts and marks them as seen."""

    store: AlertStore

    def read(self) -> AlertBoard:
        """Return the analyst's alerts and those of the installation."""
        return self.store.read()

    def acknowledge(self, alert_id: UUID) -> None:
        """Mark an alert as seen: it is hidden while its condition lasts, unless that gets worse. Raises NotFound."""
        self._mark(alert_id, is_seen=True)

    def reopen(self, alert_id: UUID) -> None:
        """Undo an acknowledgement; raises NotFound."""
        self._mark(alert_id, is_seen=False)

    def _mark(self, alert_id: UUID, *, is_seen: bool) -> None:
        if not self.store.acknowledge(alert_id, is_seen=is_seen):
            raise NotFound("This alert is already resolved, or it is not yours.")
