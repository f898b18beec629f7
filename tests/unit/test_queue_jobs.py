"""What may stand in the queue, and what is refused."""

from uuid import UUID

import pytest

from core.domain.batches.queue_jobs import (
    MOST_REQUEST_BYTES,
    BatchJob,
    RefusedJob,
    TokenCountJob,
    clean_name,
    find_batch,
    name_job,
    read_job,
)
from core.domain.batches.work import ChatRequest
from core.domain.scaffolding.prompt import Prompt
from tests.factories import make_settings

BATCH = "5d1fd3c1-6f0f-4a3e-9a4f-0d7c2f5b9e11"
BATCH_JOB, COUNT_JOB = f"{BATCH}_0123abcd", "8a3e9a4f-6f0f-4a3e-9a4f-0d7c2f5b9e11"
REQUEST = ChatRequest(prompt=Prompt(system="s", user="u"), settings=make_settings())


def test_a_batch_and_a_token_count_are_read() -> None:
    assert BatchJob(batch_id=UUID(BATCH)) == read_job(BATCH_JOB, "worker.run_batch", [BATCH])  # type: ignore[arg-type]
    assert TokenCountJob(request=REQUEST) == read_job(COUNT_JOB, "worker.count_tokens", [REQUEST.model_dump_json()])


@pytest.mark.parametrize(
    "function",
    ["os.system", "eval", "worker.main", "worker.run_job", "worker.run_batch ", "WORKER.RUN_BATCH", "run_batch", ""],
)
def test_any_other_function_is_refused(function: str) -> None:
    assert RefusedJob(function=function.replace(" ", "?"), reason="no such function") == read_job(
        BATCH_JOB, function, [BATCH]
    )


@pytest.mark.parametrize(
    ("job_id", "arguments"),
    [
        (BATCH_JOB, []),
        (BATCH_JOB, [BATCH, BATCH]),
        (BATCH_JOB, [None]),
        (BATCH_JOB, [5]),
        (BATCH_JOB, [[BATCH]]),
        (BATCH_JOB, [{"batch_id": BATCH}]),
        (BATCH_JOB, [BATCH.upper()]),
        (BATCH_JOB, [f"{{{BATCH}}}"]),
        (BATCH_JOB, [f"urn:uuid:{BATCH}"]),
        (BATCH_JOB, [BATCH.replace("-", "")]),
        (BATCH_JOB, [f"{BATCH}\n"]),
        (BATCH_JOB, ["../../etc/passwd"]),
        (BATCH_JOB, [COUNT_JOB]),
        (BATCH, [BATCH]),
        (f"{BATCH}_", [BATCH]),
        (f"{BATCH}_0123ABCD", [BATCH]),
        (f"{BATCH}_0123abcd_0", [BATCH]),
        ("any", [BATCH]),
    ],
)
def test_a_batch_job_with_anything_but_its_batch_is_refused(job_id: str, arguments: list[object]) -> None:
    assert isinstance(read_job(job_id, "worker.run_batch", arguments), RefusedJob)


@pytest.mark.parametrize(
    ("job_id", "arguments"),
    [
        (COUNT_JOB, []),
        (COUNT_JOB, [{}]),
        (COUNT_JOB, ["{}"]),
        (COUNT_JOB, ["not JSON"]),
        (COUNT_JOB, ["\ud800"]),
        (COUNT_JOB, ["[" * 100_000]),
        (COUNT_JOB, [REQUEST.model_dump_json(), 1]),
        (COUNT_JOB, [REQUEST.model_dump_json() + " " * MOST_REQUEST_BYTES]),
        (COUNT_JOB, [REQUEST.model_dump_json().replace("24576", "-1")]),
        (BATCH_JOB, [REQUEST.model_dump_json()]),
    ],
)
def test_a_token_count_without_a_request_of_bounded_size_is_refused(job_id: str, arguments: list[object]) -> None:
    assert isinstance(read_job(job_id, "worker.count_tokens", arguments), RefusedJob)


def test_names_that_others_chose_are_short_plain_words() -> None:
    assert clean_name("os.system") == "os.system"
    assert clean_name("a\nb\x1b[31m\N{BELL}<b>") == "a?b??31m??b?"
    assert clean_name("x" * 10_000) == "x" * 57 + "..."


def test_a_jobs_name_leads_back_to_its_batch() -> None:
    assert UUID(BATCH) == find_batch(name_job(UUID(BATCH), "0123abcd"))  # type: ignore[arg-type]
    assert find_batch(COUNT_JOB) is None
