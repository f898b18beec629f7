"""What the stack remembers between two starts: addresses and generated secrets."""

import secrets
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from core.embedded.folder import StackFolder, write_private
from core.errors import StackError


class StackState(BaseModel):
    """Where the parts listen and how the supervisor is reached."""

    model_config = ConfigDict(frozen=True)

    ports: dict[str, int] = {}
    supervisor_socket: Path | None = None
    page_url: str | None = None


class StackSecrets(BaseModel):
    """Generated once for a folder: the data in it is bound to them."""

    model_config = ConfigDict(frozen=True)

    database_password: str
    api_database_password: str
    jwt_secret: str
    publishable_key: str
    secret_key: str
    queue_password: str
    analyst_password: str


def read_state(folder: StackFolder) -> StackState:
    """Return what the last start left, or nothing remembered; an unreadable file is only forgotten addresses."""
    try:
        return StackState.model_validate_json(folder.state_file.read_text())
    except (FileNotFoundError, ValidationError):
        return StackState()


def write_state(folder: StackFolder, state: StackState) -> None:
    """Remember for the next start, and for `down` and `doctor`."""
    write_private(folder.state_file, state.model_dump_json(indent=2))


def obtain_secrets(folder: StackFolder) -> StackSecrets:
    """Return the secrets of this folder, generated on the first start."""
    try:
        return StackSecrets.model_validate_json(folder.secrets_file.read_text())
    except FileNotFoundError:
        if folder.database.exists():
            message = f"{folder.secrets_file} is missing, so the data in {folder.path} cannot be opened. " + START_AFRESH
            raise StackError(message) from None
    except ValidationError as error:
        raise StackError(f"{folder.secrets_file} is damaged ({error.error_count()} problems). {START_AFRESH}") from error
    fresh = StackSecrets(
        database_password=secrets.token_urlsafe(32),
        api_database_password=secrets.token_urlsafe(32),
        jwt_secret=secrets.token_urlsafe(48),
        publishable_key=f"sb_publishable_{secrets.token_urlsafe(24)}",
        secret_key=f"sb_secret_{secrets.token_urlsafe(32)}",
        queue_password=secrets.token_urlsafe(32),
        analyst_password=secrets.token_urlsafe(24),
    )
    write_private(folder.secrets_file, fresh.model_dump_json(indent=2))
    return fresh


def renew_api_password(folder: StackFolder) -> StackSecrets:
    """Return the secrets with a new password for the API's role, as at every start: earlier versions let anybody read it."""
    renewed = obtain_secrets(folder).model_copy(update={"api_database_password": secrets.token_urlsafe(32)})
    write_private(folder.secrets_file, renewed.model_dump_json(indent=2))
    return renewed


START_AFRESH = "Restore it from a backup, or set BRIGHTRUN_HOME to another folder to start with empty data."
