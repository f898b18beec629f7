"""What looks like a secret is hidden, and nothing else."""

import pytest

from core.domain.secret_forms import HIDDEN, hide_secrets
from tests.support.secrets import SECRET, TEXTS_WITH_SECRETS


@pytest.mark.parametrize("text", TEXTS_WITH_SECRETS)
def test_keys_tokens_and_passwords_are_hidden(text: str) -> None:
    for shown in (hide_secrets(text), hide_secrets(repr(f"before\n{text}\nafter")), hide_secrets(f"a {text} b {text} c")):
        assert SECRET not in shown
        assert SECRET.upper() not in shown
        assert HIDDEN in shown


def test_what_stands_around_a_secret_is_shown() -> None:
    said = f"a {{'password': 'two words {SECRET}', 'user': 'me'}} b"

    assert hide_secrets(said) == f"a {{'password': '{HIDDEN}', 'user': 'me'}} b"
    assert hide_secrets(f"GET /x?sig={SECRET}&page=2 failed") == f"GET /x?sig={HIDDEN}&page=2 failed"
    assert hide_secrets(f"x-api-key: {SECRET}, user: me") == f"x-api-key: {HIDDEN}, user: me"


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:54321/rest/v1/batches?select=id",
        "analyst@example.com at http://127.0.0.1:8501",
        "max_tokens=24576 input_tokens=12 lease_token=3f2a",
        "Password: at least six characters",
        "ask-me-anything and task-force",
        "the bearer of news",
        "x-api-key header is required",
        "invalid x-api-key: check it",
        "authorization: not allowed",
        "api_key: Field required",
        'password: ""',
        "https://host/list?keyword=cats&sigma=2",
        "-----BEGIN CERTIFICATE-----",
    ],
)
def test_what_is_no_secret_is_shown(text: str) -> None:
    assert text == hide_secrets(text)
