"""What one analyst may take of the database, and that it is nobody else's."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from core.adapters.supabase.session import Analyst
from core.config import Settings
from core.domain.datasets.importing import LONGEST_DETAILS, LONGEST_TEXT
from tests.integration.acting import ActingAnalyst, act_as
from tests.support.calls import make_item, make_request, require_word
from tests.support.stack import sign_up

SUBMIT = "select public.submit_batch(%s)"
BEGIN = "select public.begin_import(%s)"
STAGE = "select public.stage_import(%s, %s)"


@pytest.fixture
def neighbour(seeded: Settings) -> Iterator[ActingAnalyst]:
    with sign_up(seeded) as opened, act_as(seeded, opened.user_id) as acting:
        yield acting


def add_batches(settings: Settings, owner: UUID, number: int, status: str) -> None:
    with psycopg.connect(settings.require_db_url()) as connection:
        connection.execute(
            "insert into public.batches (name, status, conversation_category, model, max_tokens, structured_outputs,"
            " selection, snapshot, created_by) select 'Old', %s, 'core', 'm', 1, true, '{}', '{}', %s"
            " from generate_series(1, %s)",
            (status, owner, number),
        )


@contextmanager
def allow(settings: Settings, amount: int) -> Iterator[None]:
    """Let an analyst have so much of everything: what is really allowed takes minutes to fill."""
    with psycopg.connect(settings.require_db_url(), autocommit=True) as connection:
        row = connection.execute("select pg_get_functiondef('public.most_of_an_analyst'::regproc)").fetchone()
        assert row is not None
        connection.execute(
            "create or replace function public.most_of_an_analyst(what text) returns bigint language sql stable"
            f" set search_path = '' as $$ select {amount:d}::bigint $$"  # pyright: ignore[reportArgumentType]
        )
        try:
            yield
        finally:
            connection.execute(row[0])


def test_a_hundred_batches_may_be_open_and_others_are_not_concerned(
    seeded: Settings, analyst: Analyst, acting: ActingAnalyst, neighbour: ActingAnalyst
) -> None:
    add_batches(seeded, analyst.user_id, 99, "paused")
    add_batches(seeded, analyst.user_id, 50, "completed")

    last = acting.call(SUBMIT, make_request())
    refused = acting.call(SUBMIT, make_request())

    assert require_word(last, "submitted")
    assert not require_word(refused, "submitted")
    assert "100 batches that have not ended" in refused["reason"]
    assert require_word(neighbour.call(SUBMIT, make_request()), "submitted")
    acting.call("select public.control_batch(%s, 'cancel')", last["batch_id"])
    assert require_word(acting.call(SUBMIT, make_request()), "submitted")


def test_retries_and_comparisons_are_batches_too(seeded: Settings, analyst: Analyst, acting: ActingAnalyst) -> None:
    batch_id = acting.call(SUBMIT, make_request())["batch_id"]
    with psycopg.connect(seeded.require_db_url()) as connection:
        connection.execute("update public.batch_items set status = 'failed' where batch_id = %s", (batch_id,))
    add_batches(seeded, analyst.user_id, 99, "queued")

    refused = acting.call("select public.retry_failed_items(%s, '{}')", batch_id)

    assert "100 batches that have not ended" in refused["reason"]


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_what_was_stopped_still_takes_room(
    seeded: Settings, acting: ActingAnalyst, neighbour: ActingAnalyst, status: str
) -> None:
    with allow(seeded, 100_000):
        answers: list[dict[str, Any]] = []
        for _ in range(100):
            answers.append(acting.call(SUBMIT, make_request()))
            if answers[-1]["outcome"] != "submitted":
                break
            acting.call("select public.control_batch(%s, 'cancel')", answers[-1]["batch_id"])
            with psycopg.connect(seeded.require_db_url()) as connection:
                connection.execute("update public.batches set status = %s where id = %s", (status, answers[-1]["batch_id"]))

        assert 2 < len(answers) < 100
        assert "wait or were stopped" in answers[-1]["reason"]
        assert require_word(neighbour.call(SUBMIT, make_request()), "submitted")


def begin(acting: ActingAnalyst) -> Any:
    return acting.call(BEGIN, {"name": "a", "files": [{"digest": uuid4().hex * 2, "name": "a"}]})


def test_a_text_is_as_long_as_an_import_writes_it(acting: ActingAnalyst) -> None:
    import_id = begin(acting)["import_id"]
    for field, most in (("details", LONGEST_DETAILS), ("text", LONGEST_TEXT)):
        item = make_item(0)
        item["failure"][field] = "x" * most
        assert require_word(acting.call(STAGE, import_id, [item]), "staged")
        item["failure"][field] += "x"
        assert not require_word(acting.call(STAGE, import_id, [item]), "staged")


def test_the_name_of_a_file_is_as_long_as_an_import_writes_it(acting: ActingAnalyst) -> None:
    def name(text: str) -> Any:
        return acting.call(BEGIN, {"name": "a", "files": [{"digest": uuid4().hex * 2, "name": text}]})

    assert require_word(name("x" * 200), "begun")
    assert not require_word(name("x" * 201), "begun")


def test_twenty_imports_may_be_under_way(seeded: Settings, acting: ActingAnalyst, neighbour: ActingAnalyst) -> None:
    begun = [begin(acting) for _ in range(21)]

    assert all(require_word(answer, "begun") for answer in begun[:20])
    assert "have begun and not ended" in begun[20]["reason"]
    assert require_word(begin(neighbour), "begun")
    with psycopg.connect(seeded.require_db_url()) as connection:
        connection.execute(
            "update public.imports set created_at = now() - interval '2 days' where id = %s", (begun[0]["import_id"],)
        )
    assert require_word(begin(acting), "begun")


def test_imports_take_the_room_that_was_sent_until_their_batch_is_deleted(
    seeded: Settings, acting: ActingAnalyst, neighbour: ActingAnalyst
) -> None:
    import_id = begin(acting)["import_id"]
    assert require_word(acting.call(STAGE, import_id, [make_item(0), make_item(1)]), "staged")
    with psycopg.connect(seeded.require_db_url()) as connection:
        row = connection.execute("select bytes from public.import_sizes where import_id = %s", (import_id,)).fetchone()
        assert row is not None
        assert 3_000 < row[0] < 6_000
        connection.execute("update public.import_sizes set bytes = 999998500 where import_id = %s", (import_id,))

    refused = acting.call(STAGE, import_id, [make_item(2), make_item(3)])
    assert "more than 1 GB together" in refused["reason"]
    batch_id = acting.call("select public.finish_import(%s)", import_id)["batch_id"]
    other_id = begin(acting)["import_id"]
    assert "more than 1 GB together" in acting.call(STAGE, other_id, [make_item(0)])["reason"]
    assert "more than 1 GB together" in begin(acting)["reason"]

    theirs = begin(neighbour)["import_id"]
    assert require_word(neighbour.call(STAGE, theirs, [make_item(0)]), "staged")
    with psycopg.connect(seeded.require_db_url()) as connection:
        connection.execute("delete from public.batches where id = %s", (batch_id,))
    assert require_word(begin(acting), "begun")
    assert require_word(acting.call(STAGE, other_id, [make_item(0)]), "staged")
