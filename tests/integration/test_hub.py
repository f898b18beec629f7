"""The push to the Hub: what a token that is wrong or a Hub that does not answer come to."""

import socket
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.adapters.hub.repository import HubRepository
from core.errors import HubUnavailable, InvalidRequest
from tests.support.hub import run_hub

SECRET = "hf_secretsecretsecret"


def push(endpoint: str, folder: Path, repository: str = "owner/name", *, silence_seconds: float = 30) -> str:
    (folder / "README.md").write_text("A card.")
    hub = HubRepository(SecretStr(SECRET), endpoint, silence_seconds=silence_seconds)
    return hub.push(folder, repository, is_private=True, message="m")


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_refused_is_said_without_it(tmp_path: Path, status: int) -> None:
    with run_hub(status) as endpoint, pytest.raises(InvalidRequest, match="needs the right to write") as refused:
        push(endpoint, tmp_path)
    assert SECRET not in str(refused.value)


def test_a_hub_that_fails_or_does_not_answer_is_said(tmp_path: Path) -> None:
    with run_hub(500) as endpoint, pytest.raises(HubUnavailable, match="500"):
        push(endpoint, tmp_path)
    with pytest.raises(HubUnavailable, match="does not answer"):
        push("http://127.0.0.1:9", tmp_path)


def test_a_name_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="OWNER/NAME"):
        push("http://127.0.0.1:9", tmp_path, "a/b/c")


def test_a_hub_that_takes_the_request_and_says_nothing_is_not_waited_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(HubUnavailable, match="does not answer"):
        push(f"http://127.0.0.1:{silent.getsockname()[1]}", tmp_path, silence_seconds=0.2)
