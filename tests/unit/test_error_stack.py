"""What is kept of an exception: where it came from, and nothing that must stay secret."""

import pytest

from core.domain.diagnosis.error_stack import LONGEST_STACK, describe_error, describe_stack

SECRET = "0123456789abcdef"


def look_up(password: str) -> None:
    raise KeyError(f"sk-ant-api03-{password}")


def fail_deeply(password: str) -> None:
    try:
        look_up(password)
    except KeyError as error:
        raise ValueError(f"redis://user:{password}@host:6379 refused") from error


def test_stack_names_functions_and_causes_but_no_values() -> None:
    with pytest.raises(ValueError, match="refused") as caught:
        fail_deeply(SECRET)
    stack, line = describe_stack(caught.value), describe_error(caught.value)

    assert "in fail_deeply" in stack
    assert "KeyError" in stack
    assert "ValueError: redis://[hidden]@host:6379 refused" in stack
    assert line == "ValueError: redis://[hidden]@host:6379 refused"
    assert SECRET not in stack


def test_stack_of_an_endless_recursion_is_short() -> None:
    def call_itself() -> None:
        call_itself()

    with pytest.raises(RecursionError) as caught:
        call_itself()

    assert len(describe_stack(caught.value)) <= LONGEST_STACK


def test_error_that_says_nothing_is_its_name_and_a_long_one_is_a_line() -> None:
    assert describe_error(MemoryError()) == "MemoryError"
    assert len(describe_error(ValueError("x\n" * 10_000))) <= 300
