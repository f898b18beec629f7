"""The health of database and storage, checked with the analyst's rights."""

from dataclasses import dataclass
from uuid import UUID

from pydantic import TypeAdapter

from core.adapters.supabase.errors import translate_errors
from core.adapters.supabase.failures import BUCKET
from core.adapters.supabase.functions import call_function
from core.adapters.supabase.session import Analyst
from core.domain.diagnosis.health import ClaudeHealth, DatabaseHealth, StorageUse


@dataclass(frozen=True, kw_only=True)
class SupabaseProbe:
    """Implements DatabaseProbe."""

    analyst: Analyst

    def read_database(self) -> DatabaseHealth:
        return DatabaseHealth.model_validate(call_function(self.analyst.client, "read_database_health"))

    def measure_storage(self) -> StorageUse:
        with translate_errors():
            self.analyst.client.storage.from_(BUCKET).list(options={"limit": 1})  # does the storage itself answer?
        return StorageUse.model_validate(call_function(self.analyst.client, "measure_room"))

    def dismiss_spool(self, spool_id: UUID) -> bool:
        return TypeAdapter(bool).validate_python(call_function(self.analyst.client, "dismiss_spool", spool_id=str(spool_id)))

    def read_claude(self) -> ClaudeHealth:
        return ClaudeHealth.model_validate(call_function(self.analyst.client, "read_claude_health"))
