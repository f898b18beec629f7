"""What workers keep in order beside their work, with the service role's rights."""

from dataclasses import dataclass
from uuid import UUID

from pydantic import TypeAdapter
from supabase import Client

from core.adapters.supabase.functions import call_function
from core.domain.diagnosis.notices import clean_host


@dataclass(frozen=True, kw_only=True)
class SupabaseHouseKeeping:
    """Implements HouseKeeping."""

    client: Client

    def drop_old_replies(self, keep_days: int, most: int) -> int:
        dropped = call_function(self.client, "drop_old_replies", keep_days=keep_days, most=most)
        return TypeAdapter(int).validate_python(dropped)

    def note_spool(self, spool_id: UUID, host: str, files: int, oldest_seconds: float) -> None:
        call_function(
            self.client,
            "note_spool",
            spool_id=str(spool_id),
            host=clean_host(host),
            files=files,
            oldest_seconds=oldest_seconds,
        )
