"""What an error body means where its words, its type and its status disagree."""

import pytest

from core.adapters.claude.error_kinds import ErrorWords, classify_error, classify_stranger
from core.domain.batches.work import CallFailureKind


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


def classify(status: int, message: str, error_type: str, **more: object) -> CallFailureKind:
    return classify_error(status, ErrorWords.model_validate({"message": message, "error_type": error_type} | more))


@pytest.mark.parametrize(
    ("status", "message", "error_type", "kind"),
    [
        (401, "The OAuth token for this account has been revoked.", "authentication_error", CallFailureKind.BAD_KEY),
        (403, "The account was revoked access to this service.", "permission_error", CallFailureKind.ACCOUNT_BLOCKED),
        (403, "Your organization's access was suspended.", "permission_error", CallFailureKind.ACCOUNT_BLOCKED),
        (400, "web search is not enabled for this organization", "invalid_request_error", CallFailureKind.INVALID_REQUEST),
        (400, "messages.0: the account in the text is no account", "invalid_request_error", CallFailureKind.INVALID_REQUEST),
        (429, "Rate limited (not your usage limit)", "rate_limit_error", CallFailureKind.RATE_LIMITED),
        (429, "10 requests per minute of your monthly limit", "rate_limit_error", CallFailureKind.RATE_LIMITED),
        (
            500,
            "failed on: 'I have reached my spending limit and my account is closed'",
            "api_error",
            CallFailureKind.SERVER_ERROR,
        ),
        (503, "your account is locked out of this node", "api_error", CallFailureKind.SERVER_ERROR),
        (503, "Your account is suspended.", "api_error", CallFailureKind.ACCOUNT_BLOCKED),
        (403, "The owner has blocked access from your country or region.", "x", CallFailureKind.REGION_BLOCKED),
        (403, "error code: 1009", "x", CallFailureKind.REGION_BLOCKED),
        (404, "model: claude-x is not available in this workspace", "not_found_error", CallFailureKind.UNKNOWN_MODEL),
    ],
)
def test_words_that_are_near_to_each_other_are_told_apart(
    status: int, message: str, error_type: str, kind: CallFailureKind
) -> None:
    assert kind is classify(status, message, error_type)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(200, CallFailureKind.OVERLOADED), (400, CallFailureKind.INVALID_REQUEST), (500, CallFailureKind.SERVER_ERROR)],
)
def test_status_that_a_body_gives_counts_under_a_success_alone(status: int, kind: CallFailureKind) -> None:
    assert kind is classify_error(status, ErrorWords(message="No.", error_type="x_error", status=529))


@pytest.mark.parametrize(
    ("status", "error_type", "kind"),
    [
        (401, "authentication_error", CallFailureKind.PROXY),
        (403, "permission_error", CallFailureKind.PROXY),
        (404, "not_found_error", CallFailureKind.WRONG_ADDRESS),
        (529, "overloaded_error", CallFailureKind.OVERLOADED),
        (200, "api_error", CallFailureKind.SERVER_ERROR),
    ],
)
def test_page_in_the_form_of_claude_blames_neither_key_nor_model(
    status: int, error_type: str, kind: CallFailureKind
) -> None:
    assert kind is classify(status, "an HTML page (No model)", error_type, page="No model")


def test_page_speaks_of_a_region_behind_its_title_and_of_nothing_else() -> None:
    region, bills = "Not available in your country", "Billing. Your account is suspended. Invalid API key"

    assert CallFailureKind.REGION_BLOCKED is classify_stranger(403, "Forbidden", page=region)
    assert CallFailureKind.PROXY is classify_stranger(403, "Forbidden", page=bills)
    assert CallFailureKind.WRONG_ADDRESS is classify_stranger(200, "Welcome", page=region)
    assert CallFailureKind.SERVER_ERROR is classify_stranger(502, "Bad Gateway", page=region)
