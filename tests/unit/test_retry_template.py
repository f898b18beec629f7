from uuid import uuid4

import pytest

from core.domain.batches.monitor import RetryTemplate, find_retry_template
from core.domain.scaffolding.records import TemplateId


def make_template(name: str, version: int) -> RetryTemplate:
    return RetryTemplate(id=TemplateId(uuid4()), name=name, version=version, arc="Fear", is_used=False)


TEMPLATES = [make_template("Calm and clear", 1), make_template("Calm and clear", 2), make_template("Fair", 1)]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("Calm and clear", TEMPLATES[1]), ("calm and clear v1", TEMPLATES[0]), ("Fair", TEMPLATES[2]), ("Fair v2", None)],
    ids=["newest", "version", "only", "none"],
)
def test_a_template_is_found_by_name_and_version(wanted: str, found: RetryTemplate | None) -> None:
    assert find_retry_template(TEMPLATES, wanted) == found
