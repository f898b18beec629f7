"""A data set as a repository on the Hugging Face Hub."""

from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    HTTPError,  # pyright: ignore[reportPrivateImportUsage] - of whichever library it sends with
)
from huggingface_hub.utils import get_session
from pydantic import SecretStr

from core.errors import HubUnavailable, InvalidRequest

FORBIDDEN = (401, 403)
SILENCE_SECONDS = 60.0
"""How long the Hub may say nothing; its library would wait for ever."""


class HubRepository:
    """Uploads a folder in one commit, so that nobody finds half a data set there."""

    def __init__(self, token: SecretStr, endpoint: str | None = None, *, silence_seconds: float = SILENCE_SECONDS) -> None:
        self._silence_seconds = silence_seconds
        self._api = HfApi(endpoint=endpoint, token=token.get_secret_value(), library_name="brightrun")

    def push(self, folder: Path, repository: str, *, is_private: bool, message: str) -> str:
        """Make the repository if it is not there, upload, and return its address.

        Raises InvalidRequest where name or token are refused, HubUnavailable where the Hub does not answer.
        """
        get_session().timeout = self._silence_seconds
        try:
            made = self._api.create_repo(repository, repo_type="dataset", private=is_private, exist_ok=True)
            self._api.upload_folder(
                repo_id=made.repo_id, folder_path=folder, repo_type="dataset", commit_message=message, delete_patterns="*"
            )
        except HFValidationError as error:
            raise InvalidRequest(f"{repository!r} is no name of a repository. Write OWNER/NAME.") from error
        except HfHubHTTPError as error:
            status = error.response.status_code
            if status in FORBIDDEN:
                raise InvalidRequest(
                    f"The Hub refused the token ({status}). It needs the right to write to {repository}."
                ) from error
            raise HubUnavailable(
                f"The Hub answered with {status}. Nothing was published. Try it later once more."
            ) from error
        except (HTTPError, OSError) as error:
            raise HubUnavailable("The Hub does not answer. Nothing was published; check the network.") from error
        return str(made)
