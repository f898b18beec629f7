"""What the API writes passes through `hide_secrets.mjs` before it is in a log."""

import json
import subprocess

import pytest

from core.embedded.supabase_api.installation import SOURCE, find_node

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"  # a made-up JWT


@pytest.mark.parametrize(
    ("said", "hidden"),
    [
        ("Secret key sb_secret_of_this_stack", "sb_secret_of_this_stack"),
        ("connect postgres://supabase_api:pass.word@127.0.0.1", "pass.word"),
        (f"Authorization: Bearer {TOKEN}", TOKEN),
        ("apikey sb_secret_of_another", "sb_secret_of_another"),
        ("GET http://localhost/auth/v1/verify?token=0a1b2c&type=recovery", "0a1b2c"),
        ('{"refresh_token":"v1.abc","expires_in":3600}', "v1.abc"),
        ("{ password: 'correct horse' }", "correct"),
    ],
)
def test_secrets_and_tokens_are_hidden(said: str, hidden: str) -> None:
    code = f"console.log({json.dumps(said)}); console.error({json.dumps(said)})"
    command = [find_node(), "--import", (SOURCE / "hide_secrets.mjs").as_uri(), "-e", code]
    secrets = {"SUPABASE_SECRET_KEY": "sb_secret_of_this_stack", "PGPASSWORD": "pass.word"}
    shown = subprocess.run(command, env=secrets, capture_output=True, text=True, check=True)
    for text in (shown.stdout, shown.stderr):
        assert hidden not in text
        assert "(hidden)" in text
        assert text[:3] == said[:3]
