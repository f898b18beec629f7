"""An analyst who calls functions in SQL, as the API does for them: hundreds of calls in the time of a few through HTTP."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from core.config import Settings


@dataclass(frozen=True, kw_only=True)
class ActingAnalyst:
    connection: psycopg.Connection

    def call(self, statement: LiteralString, *values: object) -> Any:
        """Return the JSON that a function answers."""
        row = self.connection.execute(
            statement, [Jsonb(value) if isinstance(value, dict | list) else value for value in values]
        ).fetchone()
        assert row is not None
        return row[0]


@contextmanager
def act_as(settings: Settings, user_id: UUID) -> Iterator[ActingAnalyst]:
    """Act with the rights and the identity of an analyst; each call is a transaction."""
    with psycopg.connect(settings.require_db_url(), autocommit=True) as connection:
        claims = json.dumps({"sub": str(user_id), "role": "authenticated"})
        connection.execute(
            "select set_config('request.jwt.claims', %s, false), set_config('request.jwt.claim.sub', %s, false)",
            (claims, str(user_id)),
        )
        connection.execute("set role authenticated")
        yield ActingAnalyst(connection=connection)
