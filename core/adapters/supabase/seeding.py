"""Inserts the scaffolding that ships with Bright Run, as the service role."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from postgrest import CountMethod
from postgrest.types import JSON
from supabase import Client

from core.adapters.supabase.errors import translate_errors
from core.adapters.supabase.session import open_service
from core.domain.record import Record


@dataclass(frozen=True, kw_only=True)
class SupabaseSeeder:
    """Adds missing rows; never changes or deletes one."""

    client: Client

    def insert_missing(self, table: str, records: Sequence[Record], key: str) -> None:
        """Insert the records whose key (column names, comma separated) does not exist yet."""
        rows: list[dict[str, JSON]] = [record.model_dump(mode="json", exclude={"updated_at"}) for record in records]
        with translate_errors():
            self.client.table(table).upsert(rows, on_conflict=key, ignore_duplicates=True).execute()

    def count_active_topics(self, keys: Sequence[str]) -> int:
        """Return how many of these topics are active."""
        topics = self.client.table("training_topics").select("id", count=CountMethod.exact, head=True)
        with translate_errors():
            return topics.is_("is_active", "true").in_("topic_key", keys).execute().count or 0


@contextmanager
def open_seeder(url: str, secret_key: str) -> Generator[SupabaseSeeder]:
    """Open a seeder with the service role's rights."""
    with open_service(url, secret_key) as client:
        yield SupabaseSeeder(client=client)
