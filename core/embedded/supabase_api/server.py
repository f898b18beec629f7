"""The API's process: configuration, keys, health.

It makes its schemas `auth` and `storage` when it starts, so it starts before the migrations; it reads the tables once, so it
starts again after migrations that changed something. Stored files lie under the configuration's folder, `.temp/storage`.
"""

import os
from pathlib import Path

import httpx

from core.embedded.addresses import LOOPBACK
from core.embedded.folder import StackFolder
from core.embedded.program import Program
from core.embedded.state import StackSecrets
from core.embedded.supabase_api.installation import SOURCE, find_entry, find_node

NAME = "api"
RANK = 20
CONFIGURATION = """\
[api]
port = {port}

[db]
driver = "postgres"
url = "env(SUPABASE_API_DB_URL)"

[auth]
enabled = true
jwt_secret = "env(SUPABASE_JWT_SECRET)"
jwt_expiry = 3600
enable_signup = true
publishable_key = "env(SUPABASE_PUBLISHABLE_KEY)"
secret_key = "env(SUPABASE_SECRET_KEY)"

[auth.email]
enable_confirmations = false

[storage]
enabled = true
file_size_limit = "50MiB"
"""


def api_url(port: int) -> str:
    """Return the address, the value of SUPABASE_URL."""
    return f"http://{LOOPBACK}:{port}"


def api_program(folder: StackFolder, installation: Path, port: int, secrets: StackSecrets, database_url: str) -> Program:
    """Return the API in the foreground, its configuration written."""
    configuration = folder.api / "supabase" / "config.toml"
    configuration.parent.mkdir(mode=0o700, exist_ok=True)
    configuration.write_text(CONFIGURATION.format(port=port))
    return Program(
        name=NAME,
        argv=(
            str(find_node()),
            "--import",
            (SOURCE / "hide_keys.mjs").as_uri(),
            "--import",
            (SOURCE / "postgrest_values.mjs").as_uri(),
            str(find_entry(installation)),
            "start",
            "--no-admin",
        ),
        folder=folder.api,
        rank=RANK,
        environment={
            "PATH": os.defpath,
            "HOME": str(folder.api),
            "TZ": "UTC",
            "LITE_TELEMETRY": "0",
            "DO_NOT_TRACK": "1",
            "EXPERIMENTAL_STORAGE": "1",
            "SUPABASE_API_DB_URL": database_url,
            "SUPABASE_JWT_SECRET": secrets.jwt_secret,
            "SUPABASE_PUBLISHABLE_KEY": secrets.publishable_key,
            "SUPABASE_SECRET_KEY": secrets.secret_key,
        },
    )


def check_api(url: str, publishable_key: str, secret_key: str | None) -> str | None:
    """Return None if the API (embedded or hosted) accepts the keys, otherwise what is wrong."""
    probes = [("/auth/v1/settings", "publishable", publishable_key)]
    if secret_key is not None:
        probes.append(("/rest/v1/", "secret", secret_key))
    for path, kind, key in probes:
        try:
            reply = httpx.get(url + path, headers={"apikey": key}, timeout=10)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return f"{url} does not answer ({error})"
        if reply.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            return f"{url} does not accept the {kind} key"
        if not reply.is_success:
            return f"{url}{path} answers {reply.status_code}"
    return None
