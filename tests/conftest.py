"""What holds for every test: logs as in the product, no time limit on an example of a property, one stack for all."""

from hypothesis import settings

from core.logs import configure_logging

# The library's default draws every traceback with all its variables.
configure_logging()

pytest_plugins = ["tests.support.stack", "tests.support.stores"]

# Hypothesis fails an example that takes longer than 200 ms: on a busy machine that says nothing about the code.
settings.register_profile("bright-run", parent=settings(), deadline=None)
settings.load_profile("bright-run")
