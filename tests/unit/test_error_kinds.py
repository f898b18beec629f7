"""What an error body means where its words, its type and its status disagree."""

import pytest

from core.adapters.claude.error_kinds import ErrorWords, classify_error
from core.domain.work import CallFailureKind


@pytest.mark.parametrize("status", [407, 511])
def test_a_proxy_that_wants_a_sign_in_is_not_a_wrong_key(status: int) -> None:
    words = ErrorWords(message="Authentication required", error_type="authentication_error")

    assert CallFailureKind.PROXY is classify_error(status, words)


@pytest.mark.parametrize(
    "message",
    ["This page was blocked by your network's web filter policy", "Your organization's proxy blocked this address"],
)
def test_what_a_network_blocks_is_no_refusal_of_claude(message: str) -> None:
    assert CallFailureKind.PROXY is classify_error(403, ErrorWords(message=message, is_envelope=False))


def test_what_claude_blocks_is_a_refusal() -> None:
    words = ErrorWords(
        message="Output blocked by content filtering policy", error_type="invalid_request_error", is_envelope=True
    )

    assert CallFailureKind.CONTENT_FILTERED is classify_error(400, words)
