"""Calls one function of the database."""

from typing import Any

from supabase import Client

from core.adapters.supabase.errors import translate_errors


def call_function(client: Client, function: str, **parameters: Any) -> Any:  # noqa: ANN401 - JSON, validated by the caller
    """Call a function of the database and return its JSON."""
    with translate_errors():
        return client.rpc(function, parameters).execute().data
