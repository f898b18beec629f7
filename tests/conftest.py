"""Logs as they are in the product: the default of the library draws every traceback with all its variables."""

from core.logs import configure_logging

configure_logging()
