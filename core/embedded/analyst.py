"""The local analyst: an ordinary account, signed up through the API, so that pages act with a JWT here as anywhere."""

import httpx

from core.certificates import load_authorities
from core.errors import StackError

EMAIL = "analyst@brightrun.local"


def ensure_analyst(api_url: str, publishable_key: str, password: str) -> None:
    """Sign the analyst up unless the account is there; raise StackError if it cannot sign in."""
    account = {"email": EMAIL, "password": password}
    headers = {"apikey": publishable_key}
    with httpx.Client(base_url=api_url, headers=headers, timeout=20, verify=load_authorities()) as client:
        try:
            reply = client.post("/auth/v1/token?grant_type=password", json=account)
            if not reply.is_success:
                reply = client.post("/auth/v1/signup", json=account)
        except httpx.HTTPError as error:
            raise StackError(f"The local analyst could not be signed up: the API does not answer ({error}).") from error
    if not reply.is_success:
        answer = f"{reply.status_code}: {reply.text[:300]}"
        raise StackError(f"The local analyst {EMAIL} can neither sign in nor up: the API answers {answer}")
