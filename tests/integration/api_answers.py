"""Answers that providers, resellers and proxies give in place of a reply, and what is right for each of them.

`api_answers.jsonl` has what can be written as text: status, headers and body as a server sends them, the kind of failure,
what follows, and a word that whoever reads about it must find. Here are those that are too long or no text.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from core.domain.batches.work import CallFailureKind
from tests.fakes.answering_server import Answer

JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html; charset=utf-8"}


class Follows(StrEnum):
    """What is to follow an answer."""

    RETRY = "retry"
    STOP_BATCH = "stop_batch"
    GIVE_UP = "give_up"
    REFUSAL = "refusal"


@dataclass(frozen=True, kw_only=True)
class ApiCase:
    """An answer, its kind, what follows, and what whoever reads about it must find."""

    name: str
    answer: Answer
    kind: CallFailureKind
    follows: Follows
    says: str


def make_error(error_type: str, message: str) -> bytes:
    """Return an error body as Claude sends it."""
    return json.dumps({"type": "error", "error": {"type": error_type, "message": message}, "request_id": "req_1"}).encode()


def make_broken(name: str, body: bytes, status: int = 500) -> ApiCase:
    """Return an answer that nobody can read: it may pass."""
    answer = Answer(status=status, headers=JSON, body=body)
    return ApiCase(name=name, answer=answer, kind=CallFailureKind.SERVER_ERROR, follows=Follows.RETRY, says="")


def read_cases() -> list[ApiCase]:
    """Return every case."""
    cases = [
        ApiCase(
            name="page in UTF-16",
            answer=Answer(
                status=403, headers=HTML, body="<html><title>Blocked by a firewall</title></html>".encode("utf-16")
            ),
            kind=CallFailureKind.PROXY,
            follows=Follows.STOP_BATCH,
            says="an HTML page (Blocked by a firewall)",
        ),
        make_broken("bytes that are no UTF-8", b"\xff\xfe\x00broken"),
        make_broken("nesting without end", b'{"error": ' * 50_000),
        make_broken("a million letters", b"x" * 1_000_000),
        make_broken("a page of a million letters", b"<!doctype html><!--" + b"<!--" * 250_000, 502),
    ]
    for line in Path(__file__).with_suffix(".jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        answer = Answer(status=row["status"], headers=row["headers"], body=row["body"].encode())
        kind, follows = CallFailureKind(row["kind"]), Follows(row["follows"])
        cases.append(ApiCase(name=row["name"], answer=answer, kind=kind, follows=follows, says=row["says"]))
    return cases


def find_case(name: str) -> ApiCase:
    """Return the case of a name."""
    return next(case for case in read_cases() if case.name == name)
