"""Calls one function of the database."""

from typing import Any

from postgrest.exceptions import APIError, generate_default_error_message
from pydantic import TypeAdapter, ValidationError
from supabase import AsyncClient, Client

from core.adapters.supabase.errors import translate_errors
from core.errors import InvalidRequest


def call_function(client: Client, function: str, **parameters: Any) -> Any:  # noqa: ANN401 - JSON, validated by the caller
    """Call a function of the database and return its JSON."""
    with translate_errors():
        return client.rpc(function, parameters).execute().data


async def send_to_function(client: AsyncClient, function: str, body: bytes) -> bytes:
    """Send arguments that are JSON already, and return the function's JSON; supabase-py itself would encode them again."""
    postgrest = client.postgrest
    headers = {**postgrest.headers, "content-type": "application/json"}
    with translate_errors():
        response = await postgrest.session.post(str(postgrest.base_url / "rpc" / function), content=body, headers=headers)
        if response.is_success:
            return response.content
        try:
            raise APIError(TypeAdapter(dict[str, Any]).validate_json(response.content))
        except ValidationError:  # A proxy's page
            raise APIError(generate_default_error_message(response)) from None


def make_refusal(reason: str | None, what: str = "this") -> InvalidRequest:
    """Return the error of a function that refused `what`, with the reason that it gave."""
    return InvalidRequest(reason or f"The database refused {what} without saying why.")
