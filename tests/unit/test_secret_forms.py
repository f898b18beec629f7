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
    f"x-api-key: {SECRET}",
    f"api-key: {SECRET}",
    f"api_key: {SECRET}",
    f"(b'x-api-key', b'{SECRET}')",
    f"Ocp-Apim-Subscription-Key: {SECRET}",
    f"Authorization: Token {SECRET}",
    f"Proxy-Authorization: Digest username={SECRET}",
    f"Authorization: AWS4-HMAC-SHA256 Credential=x/20261127, Signature={SECRET}",
    f"refresh_token: {SECRET}",
    f"refresh_token={SECRET}",
    f"access_token = {SECRET}",
    f"Set-Cookie: session={SECRET}; Path=/",
    f"cookie: a=1; b={SECRET}",
    f"aws_secret_access_key = {SECRET}",
    f"AWS_SECRET_ACCESS_KEY={SECRET}",
    f"aws_session_token: {SECRET}",
    f"AKIA{SECRET.upper()}",
    f"ASIA{SECRET.upper()}",
    f"AIzaSy{SECRET}",
    f"ya29.{SECRET}",
    f"ghp_{SECRET}",
    f"gho_{SECRET}",
    f"github_pat_{SECRET}",
    f"glpat-{SECRET}",
    f"xoxb-{SECRET}",
    f"xapp-1-{SECRET}",
    f"https://hooks.slack.com/services/T0/B0/{SECRET}",
    f"https://example.webhook.office.com/webhookb2/{SECRET}/IncomingWebhook/1",
    f"https://discord.com/api/webhooks/1/{SECRET}",
    f"https://discordapp.com/api/webhooks/1/{SECRET}",
    f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
    f"-----BEGIN PRIVATE KEY-----\n{SECRET}",
    f"https://host/hook?token={SECRET}",
    f"https://host/hook?api-version=1&sp=%2F&sig={SECRET}",
    f"https://host/hook?a=1&amp;sig={SECRET}#x",
    f"https://host/o?X-Amz-Signature={SECRET}&x=1",
    f'password="two words {SECRET}"',
    f"{{'password': 'two words, {SECRET}; and more'}}",
    f'{{"client_secret": "two \\"quoted\\" words {SECRET}"}}',
]


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
