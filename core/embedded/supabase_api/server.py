"""The API's process: configuration, guard, keys, health.

It reads the tables once, so it is restarted after migrations that changed something. Stored files are under the
configuration's folder, `.temp/storage`.
"""

import os
from pathlib import Path

import httpx

from core.certificates import load_authorities
from core.embedded.addresses import LOOPBACK
from core.embedded.folder import StackFolder, make_private_folder
from core.embedded.program import Program, run_program
from core.embedded.state import StackSecrets
from core.embedded.supabase_api.installation import SOURCE, find_entry, find_node
from core.errors import StackError

NAME = "api"
RANK = 20
ENVIRONMENT = {
    "PATH": os.defpath,
    "TZ": "UTC",
    "LITE_TELEMETRY": "0",
    "DO_NOT_TRACK": "1",
    "EXPERIMENTAL_STORAGE": "1",
}
HOOKS = ("hide_secrets.mjs", "made_schemas.mjs", "postgrest_values.mjs", "guard.mjs")
CONFIGURATION = """\
[api]
port = {port}

[db]
# Its address and password are in PGHOST and its like, so that nothing can show them with the configuration.
driver = "postgres"

[db.migrations]
# Ours are applied by `brightrun migrate`; the API's role may create nothing.
enabled = false

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


def make_schemas(folder: StackFolder, installation: Path, secrets: StackSecrets, database: dict[str, str]) -> None:
    """Create the API's schemas `auth` and `storage`; `database` are libpq's variables for the superuser."""
    program = Program(
        name="make-schemas",
        argv=(str(find_node()), str(SOURCE / "make_schemas.mjs"), str(installation / "node_modules")),
        folder=folder.api,
        rank=RANK,
        environment=ENVIRONMENT | {"HOME": str(folder.api), "SUPABASE_JWT_SECRET": secrets.jwt_secret} | database,
    )
    finished = run_program(folder, program)
    if finished.returncode != 0:
        said = (finished.stdout + finished.stderr)[-2000:]
        raise StackError(f"The schemas of the Supabase API could not be made:\n{said}")


def api_program(
    folder: StackFolder, installation: Path, port: int, secrets: StackSecrets, database: dict[str, str]
) -> Program:
    """Write the API's configuration and return it as a program; `database` are libpq's variables for its role."""
    configuration = folder.api / "supabase" / "config.toml"
    make_private_folder(configuration.parent)
    configuration.write_text(CONFIGURATION.format(port=port))
    hooks = [word for hook in HOOKS for word in ("--import", (SOURCE / hook).as_uri())]
    return Program(
        name=NAME,
        argv=(
            str(find_node()),
            *hooks,
            str(find_entry(installation)),
            "start",
            "--no-admin",
        ),
        folder=folder.api,
        rank=RANK,
        environment=ENVIRONMENT
        | {
            "HOME": str(folder.api),
            "SUPABASE_JWT_SECRET": secrets.jwt_secret,
            "SUPABASE_PUBLISHABLE_KEY": secrets.publishable_key,
            "SUPABASE_SECRET_KEY": secrets.secret_key,
        }
        | database,
    )


def check_guarded_api(url: str, publishable_key: str, secret_key: str) -> str | None:
    """Return None if the embedded API accepts the keys and its guard is active, otherwise what is wrong."""
    problem = check_api(url, publishable_key, secret_key)
    if problem is not None:
        return problem
    headers = {"apikey": publishable_key, "host": "guard.invalid"}  # The API itself, without the guard, would answer this.
    try:
        reply = httpx.get(f"{url}/auth/v1/settings", headers=headers, timeout=10, verify=load_authorities())
    except httpx.HTTPError as error:
        return f"{url} does not answer ({error})"
    if reply.status_code == httpx.codes.MISDIRECTED_REQUEST.value:
        return None
    return f"{url} has no guard: core/embedded/supabase_api/guard.mjs does not fit this version of the API"


def check_api(url: str, publishable_key: str, secret_key: str | None) -> str | None:
    """Return None if the API (embedded or hosted) accepts the keys, otherwise what is wrong."""
    probes = [("/auth/v1/settings", "publishable", publishable_key)]
    if secret_key is not None:
        probes.append(("/rest/v1/", "secret", secret_key))
    for path, kind, key in probes:
        try:
            reply = httpx.get(url + path, headers={"apikey": key}, timeout=10, verify=load_authorities())
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return f"{url} does not answer ({error})"
        if reply.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            return f"{url} does not accept the {kind} key"
        if not reply.is_success:
            return f"{url}{path} answers {reply.status_code}"
    return None
