"""NAME and NAME@VERSION on the command line, where names may hold an @ themselves."""

from types import SimpleNamespace
from typing import cast

import pytest

from core.cli.dataset.dataset_summary import find_version
from core.domain.datasets.plans import Dataset
from core.errors import InvalidRequest, NotFound
from core.services.datasets import DatasetService


def find(text: str, *names: str) -> tuple[object, object]:
    """Return name and number of what is found among data sets of these names."""

    def get(name: str) -> str:
        if name not in names:
            raise NotFound(f"There is no data set {name!r}.")
        return name

    def get_version(dataset: Dataset, number: int | None) -> int | None:
        assert isinstance(dataset, str)
        return number

    return find_version(cast("DatasetService", SimpleNamespace(get=get, get_version=get_version)), text)


@pytest.mark.parametrize(
    ("text", "name", "number"),
    [("a/b", "a/b", None), ("a/b@2", "a/b", 2), ("x@y", "x@y", None), ("x@y@3", "x@y", 3), ("c@7", "c@7", None)],
)
def test_a_full_name_comes_before_name_and_version(text: str, name: str, number: int | None) -> None:
    assert (name, number) == find(text, "a/b", "x@y", "c", "c@7")


def test_both_names_and_versions_can_be_reached() -> None:
    assert ("a/b@2", None) == find("a/b@2", "a/b", "a/b@2")
    assert ("a/b@2", 1) == find("a/b@2@1", "a/b", "a/b@2")
    assert ("a/b", 1) == find("a/b@1", "a/b", "a/b@2")


@pytest.mark.parametrize(
    ("text", "words"), [("none", "no data set 'none'"), ("none@2", "no data set 'none'"), ("a@x", "number of a version")]
)
def test_what_is_not_there_is_said(text: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        find(text, "a")
