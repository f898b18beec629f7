"""Calls that end without a response, told apart by what the library raised."""

import httpx2
import pytest

from core.adapters.claude.answer_limit import AnswerTooLarge
from core.adapters.claude.client import describe_broken_call
from core.domain.batches.work import CallFailureKind


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (httpx2.ProxyError("407 Proxy Authentication Required"), CallFailureKind.PROXY),
        (httpx2.ProxyError("403 Forbidden"), CallFailureKind.PROXY),
        (httpx2.ProxyError("502 Bad Gateway"), CallFailureKind.CONNECTION),
        (httpx2.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate in chain"), CallFailureKind.PROXY),
        (httpx2.ConnectError("[SSL: WRONG_VERSION_NUMBER] wrong version number"), CallFailureKind.WRONG_ADDRESS),
        (httpx2.UnsupportedProtocol("Request URL is missing a protocol"), CallFailureKind.WRONG_ADDRESS),
        (httpx2.ConnectError("[Errno -2] Name or service not known"), CallFailureKind.CONNECTION),
        (httpx2.ReadError(""), CallFailureKind.CONNECTION),
        (AnswerTooLarge("longer than 8192 KB"), CallFailureKind.WRONG_ADDRESS),
    ],
)
def test_cause_that_lasts_is_told_from_one_that_passes(cause: Exception, kind: CallFailureKind) -> None:
    assert describe_broken_call(cause)[0] is kind


def test_header_that_a_library_quotes_is_hidden() -> None:
    _, said = describe_broken_call(httpx2.LocalProtocolError("Illegal header value b'sk-ant-0123456789\\n'"))

    assert "0123456789" not in said
