"""How database and storage do, asked with the analyst's rights."""

from dataclasses import dataclass

from core.adapters.supabase.errors import translate_errors
from core.adapters.supabase.session import Analyst
from core.domain.health import ClaudeHealth, DatabaseHealth, StorageUse

BUCKET = "failed-generation-files"


@dataclass(frozen=True, kw_only=True)
class SupabaseProbe:
    """Implements DatabaseProbe."""

    analyst: Analyst

    def read_database(self) -> DatabaseHealth:
        with translate_errors():
            return DatabaseHealth.model_validate(self.analyst.client.rpc("read_database_health").execute().data)

    def measure_storage(self) -> StorageUse:
        with translate_errors():
            client = self.analyst.client
            client.storage.from_(BUCKET).list(options={"limit": 1})  # does the storage itself answer?
            return StorageUse.model_validate(client.rpc("measure_storage").execute().data)

    def read_claude(self) -> ClaudeHealth:
        with translate_errors():
            return ClaudeHealth.model_validate(self.analyst.client.rpc("read_claude_health").execute().data)
