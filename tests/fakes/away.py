"""A part that does not answer."""

from typing import Any


class Away:
    """Any port, every call of which raises the same error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, _name: str) -> Any:
        def fail(*_arguments: object, **_options: object) -> object:
            raise self._error

        return fail
