"""What an empty Streamlit page costs: the lower bound of every load time, and of every press."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from core.embedded.addresses import LOOPBACK, choose_ports
from core.embedded.application import check_address, page_url
from core.errors import StackError

SCRIPT = """
import streamlit as st

st.set_page_config(layout="wide")
st.subheader("Empty")
st.session_state.presses = st.session_state.get("presses", 0) + st.button("Press", key="press")
st.text(st.session_state.presses)
"""
START_SECONDS = 60
NAME = "empty"


@contextmanager
def serve_empty_page(folder: Path) -> Generator[str]:
    """Serve a page with a heading, a button and a number of presses, without the product's settings; yield its address."""
    script = folder / "empty.py"
    script.write_text(SCRIPT)
    port = choose_ports([NAME], {})[NAME]
    options = {
        "server.headless": "true",
        "server.address": LOOPBACK,
        "server.port": str(port),
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "streamlit", "run", str(script), *words]
    with subprocess.Popen(  # noqa: S603 - our own Python
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            until = monotonic() + START_SECONDS
            while check_address(f"{page_url(port)}/_stcore/health") is not None:
                if monotonic() > until or server.poll() is not None:
                    raise StackError(f"An empty page of Streamlit did not start within {START_SECONDS} s.")
                sleep(0.2)
            yield page_url(port)
        finally:
            server.terminate()
