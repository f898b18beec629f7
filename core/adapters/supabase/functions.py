"""Calls one function of the database."""

from typing import Any

from supabase import Client

from core.adapters.supabase.errors import translate_errors
from core.errors import InvalidRequest


def call_function(client: Client, function: str, **parameters: Any) -> Any:  # noqa: ANN401 - JSON, validated by the caller
    """Call a function of the database and return its JSON."""
    with translate_errors():
        return client.rpc(function, parameters).execute().data


def make_refusal(reason: str | None, what: str = "this") -> InvalidRequest:
    """Return the error of a function that refused `what`, with the reason that it gave."""
    return InvalidRequest(reason or f"The database refused {what} without saying why.")
