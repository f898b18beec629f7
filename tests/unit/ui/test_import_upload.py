"""What the page takes of a data set, and what the server lets through."""

import tomllib
from pathlib import Path

from core.ui.analytics.import_upload import MOST_MEGABYTES


def test_the_server_takes_no_larger_file_than_the_page_asks_for() -> None:
    with Path(".streamlit/config.toml").open("rb") as file:
        assert MOST_MEGABYTES == tomllib.load(file)["server"]["maxUploadSize"]
