"""Alerts: what pages read and acknowledge, and what the worker keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from pydantic import TypeAdapter
from supabase import Client

from core.adapters.supabase.functions import call_function
from core.adapters.supabase.reading import keep_readable, read_record
from core.adapters.supabase.session import Analyst
from core.domain.diagnosis.alerts import AlertBoard, AlertEvaluation, RaisedAlert, StoredAlert
from core.errors import NotFound


@dataclass(frozen=True, kw_only=True)
class SupabaseAlertStore:
    """Implements AlertStore with the analyst's rights."""

    analyst: Analyst

    def read(self) -> AlertBoard:
        answer = call_function(self.analyst.client, "read_alerts")
        lists = {
            name: keep_readable(StoredAlert, answer[name], what, self.analyst.unreadable)
            for name, what in (("open", "alert"), ("acknowledged", "acknowledged alert"))
        }
        return read_record(AlertBoard, answer | lists, "list of alerts")

    def acknowledge(self, alert_id: UUID, *, is_seen: bool) -> None:
        answer = call_function(self.analyst.client, "acknowledge_alert", alert_id=str(alert_id), is_seen=is_seen)
        if not TypeAdapter(bool).validate_python(answer):
            raise NotFound("This alert is already resolved, or it is not yours.")


@dataclass(frozen=True, kw_only=True)
class SupabaseAlertRecorder:
    """Implements AlertRecorder with the service role's rights."""

    client: Client

    def begin(self, least_seconds: float, *, has_webhook: bool) -> AlertEvaluation | None:
        parameters = {"least_seconds": least_seconds, "has_webhook": has_webhook}
        answer = call_function(self.client, "begin_alert_evaluation", **parameters)
        return None if answer is None else AlertEvaluation.model_validate(answer)

    def save(self, evaluation_id: UUID, alerts: Sequence[RaisedAlert]) -> bool:
        raised = [alert.model_dump(mode="json") for alert in alerts]
        answer = call_function(self.client, "save_alerts", evaluation=str(evaluation_id), raised=raised)
        return TypeAdapter(bool).validate_python(answer)

    def claim_unsent(self, most: int) -> tuple[StoredAlert, ...]:
        return keep_readable(StoredAlert, call_function(self.client, "claim_alert_webhooks", most=most), "alert")

    def settle(self, alert_id: UUID, *, was_sent: bool) -> None:
        call_function(self.client, "settle_alert_webhook", alert_id=str(alert_id), was_sent=was_sent)
