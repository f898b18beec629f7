"""Streamlit's server, with all that the pages are made of loaded before the first of them is asked for.

`python -m core.ui.server Home.py` takes the options of `streamlit run Home.py`, which works, too: its first page waits two
to three seconds for libraries. As one part of a stack, `--after FILE` before all that, it loads while other parts start.
"""

import gc
import logging
import sys
import time
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

from streamlit.web.cli import main

import core.ui
from core.ui.shell.session import open_early

AFTER = "--after"
POLL_SECONDS = 0.05

logger = logging.getLogger(__name__)


def load_pages() -> None:
    """Import the modules of the pages; a page reports a module that it cannot import."""
    for module in walk_packages(core.ui.__path__, "core.ui."):
        try:
            import_module(module.name)
        except Exception:
            logger.exception("page_not_loaded: %s", module.name)


def _keep_loaded() -> None:
    """Take all that is loaded out of what Python's garbage collector looks through.

    Streamlit collects after each run of a page, before all of the page is sent: with every library in it that holds the
    rest of the page back for as long as drawing it took.
    """
    gc.collect()
    gc.freeze()


def serve(words: list[str]) -> None:
    """Load, wait until the file after `--after` exists if one is named, sign in, and serve until the process is stopped."""
    load_pages()
    if words[:1] == [AFTER]:
        file, words = Path(words[1]), words[2:]
        while not file.exists():
            time.sleep(POLL_SECONDS)
    open_early()
    _keep_loaded()
    main(["run", *words], prog_name="streamlit")


if __name__ == "__main__":
    serve(sys.argv[1:])
