import pytest
from postgrest.exceptions import APIError
from supabase_auth.errors import AuthApiError

from core.adapters.supabase.errors import translate_errors
from core.errors import BrightRunError, DatabaseRejected, DatabaseUnavailable, NotSignedIn


def translate(code: str, message: str = "no") -> BrightRunError:
    with pytest.raises(BrightRunError) as caught, translate_errors():
        raise APIError({"code": code, "message": message, "details": None, "hint": None})
    return caught.value


@pytest.mark.parametrize(
    "code", ["08006", "40P01", "40001", "53300", "55P03", "57014", "57P01", "58030", "PGRST002", "429", "500", "503", "546"]
)
def test_what_may_go_well_a_moment_later_is_an_outage(code: str) -> None:
    assert isinstance(translate(code), DatabaseUnavailable)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("deadlock detected", DatabaseUnavailable),
        ("terminating connection due to administrator command", DatabaseUnavailable),
        ("the database system is starting up", DatabaseUnavailable),
        ('invalid input syntax for type uuid: "deadlock detected"', DatabaseRejected),
    ],
)
def test_an_error_of_postgres_without_its_code_is_known_by_its_words(said: str, kind: type[BrightRunError]) -> None:
    assert isinstance(translate("SUP", f"PostgresError: {said}"), kind)


@pytest.mark.parametrize("code", ["57014", "SUP"])
def test_a_question_that_took_too_long_says_so(code: str) -> None:
    error = translate(code, "PostgresError: canceling statement due to statement timeout")

    assert isinstance(error, DatabaseUnavailable)
    assert "Ask for less" in str(error)


@pytest.mark.parametrize("code", ["23505", "42703", "22P02", "PGRST116", "404", ""])
def test_what_would_be_refused_again_is_a_rejection(code: str) -> None:
    assert isinstance(translate(code), DatabaseRejected)


@pytest.mark.parametrize("code", ["PGRST301", "401"])
def test_key_that_is_not_accepted_is_a_matter_of_signing_in(code: str) -> None:
    assert isinstance(translate(code), NotSignedIn)


def test_too_many_attempts_are_not_called_a_wrong_password() -> None:
    with pytest.raises(NotSignedIn) as caught, translate_errors():
        raise AuthApiError("Too many attempts for this account. Wait 8 s, then try again", 429, "over_request_rate_limit")
    assert "Wait 8 s" in str(caught.value)
    assert "password" not in str(caught.value)
