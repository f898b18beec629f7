"""What looks like a secret is hidden, and nothing else."""

import pytest

from core.domain.secret_forms import HIDDEN, hide_secrets

SECRET = "0123456789abcdef"
TEXTS_WITH_SECRETS = [
    f"sk-ant-api03-{SECRET}",
    f"sb_secret_{SECRET}",
    f"sb_publishable_{SECRET}",
    f"Authorization: Bearer {SECRET}",
    f"authorization: basic {SECRET}==",
    f"eyJhbGciOiJIUzI1NiJ9.{SECRET}.{SECRET}",
    f"eyJhbGciOiJIUzI1NiJ9.{SECRET}",
    f"redis://:{SECRET}@127.0.0.1:6379/0",
    f"rediss://worker:p@ss/{SECRET}@host refused",
    f"postgresql://login:{SECRET}@127.0.0.1:5432/postgres",
    f"host=127.0.0.1 user=login password={SECRET} dbname=x",
    f"PGPASSWORD='{SECRET}'",
    f'{{"refresh_token": "{SECRET}", "expires_in": 3600}}',
    f"{{'password': '{SECRET}'}}",
    f"GET /auth/v1/verify?token_hash={SECRET}&type=recovery",
    f"https://host/rest/v1/?apikey={SECRET}",
    f"Illegal header value b'{SECRET}'",
]


@pytest.mark.parametrize("text", TEXTS_WITH_SECRETS)
def test_keys_tokens_and_passwords_are_hidden(text: str) -> None:
    for shown in (hide_secrets(text), hide_secrets(repr(f"before\n{text}\nafter")), hide_secrets(f"a {text} b {text} c")):
        assert SECRET not in shown
        assert HIDDEN in shown


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:54321/rest/v1/batches?select=id",
        "analyst@example.com at http://127.0.0.1:8501",
        "max_tokens=24576 input_tokens=12 lease_token=3f2a",
        "Password: at least six characters",
        "ask-me-anything and task-force",
        "the bearer of news",
    ],
)
def test_what_is_no_secret_is_shown(text: str) -> None:
    assert text == hide_secrets(text)
