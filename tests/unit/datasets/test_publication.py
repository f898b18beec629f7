"""A version on its way to the Hub: what is sent, what a dry run says, what is noted."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr

from core.adapters.files.dataset_folder import write_folder
from core.adapters.hub.card import add_hub_data
from core.domain.datasets.plans import DatasetVersion
from core.domain.datasets.splits import SplitRule
from core.domain.datasets.training_formats import TrainingFormat
from core.domain.datasets.versions import FrozenConversation
from core.errors import InvalidRequest
from core.services.dataset_export import DatasetExporter, ExportOptions
from core.services.dataset_publication import DatasetPublisher, Publication, describe_publication
from core.services.datasets import DatasetService
from tests.trainers.sample import describe_version, make_sample

OPTIONS = ExportOptions(formats=(TrainingFormat.SHAREGPT,))


@dataclass
class ScriptedHub:
    """Notes what is pushed with which token."""

    pushed: list[tuple[str, str, bool, list[str]]] = field(default_factory=list[tuple[str, str, bool, list[str]]])
    noted: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    _token: str = ""

    def open(self, token: SecretStr) -> "ScriptedHub":
        self._token = token.get_secret_value()
        return self

    def push(self, folder: Path, repository: str, *, is_private: bool, message: str) -> str:
        names = sorted(path.name for path in folder.rglob("*") if path.is_file())
        self.pushed.append((self._token, repository, is_private, names))
        return f"https://hub/{repository}"

    def note_export(self, *noted: Any) -> None:
        self.noted.append(noted)


def publish(
    hub: ScriptedHub, token: str | None, repository: str = "owner/name", options: ExportOptions = OPTIONS
) -> Publication:
    conversations = make_sample()
    dataset, version = describe_version(conversations)

    def read(_: DatasetVersion) -> Iterator[FrozenConversation]:
        return iter(conversations)

    publisher = DatasetPublisher(
        datasets=cast("DatasetService", hub),
        exporter=DatasetExporter(read_version=read, add_hub_data=add_hub_data),
        write_folder=lambda target: write_folder(target, force=False),
        open_hub=hub.open,
    )
    given = None if token is None else SecretStr(token)
    return publisher.publish(dataset, version, options, repository, is_private=True, token=given)


def test_a_version_is_pushed_with_the_token_and_noted() -> None:
    hub = ScriptedHub()

    publication = publish(hub, "hf_secret")

    ((token, repository, is_private, names),) = hub.pushed
    assert ("hf_secret", "owner/name", True) == (token, repository, is_private)
    assert {"README.md", "train.jsonl", "dataset_info.json"} <= set(names)
    assert "https://hub/owner/name" == publication.address
    assert 1 == len(hub.noted)
    assert "hf_secret" not in repr(publication)


def test_without_a_token_nothing_is_pushed_and_what_would_be_is_said() -> None:
    hub = ScriptedHub()

    publication = publish(hub, None)

    assert ([], []) == (hub.pushed, hub.noted)
    assert publication.bytes_by_file["data/sharegpt/train.jsonl"] > 1_000
    _, version = describe_version(make_sample())
    assert "would be uploaded to owner/name (private)" in describe_publication(publication, version)


def test_a_split_that_got_nothing_is_told() -> None:
    tiny = OPTIONS.model_copy(update={"split": SplitRule(validation_share=0.1, test_share=0.001)})

    assert ["The test split got nothing"] == [
        note.split(":")[0] for note in publish(ScriptedHub(), None, options=tiny).notes
    ]
    assert () == publish(ScriptedHub(), None).notes


@pytest.mark.parametrize("repository", ["", "name", "a/b/c", "owner/na me", "owner/näme"])
def test_what_is_no_name_of_a_repository_is_said_before_anything_is_written(repository: str) -> None:
    with pytest.raises(InvalidRequest, match="OWNER/NAME"):
        publish(ScriptedHub(), "hf_secret", repository)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (SplitRule(held_out_topics=frozenset({"no_such"})), "no topic no_such in this version"),
        (SplitRule(held_out_personas=frozenset({"nobody"})), "no persona nobody in this version"),
        (SplitRule(held_out_personas=frozenset(each.persona for each in make_sample())), "Nothing is left to train on"),
    ],
)
def test_splits_that_cannot_be_are_said(rule: SplitRule, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        publish(ScriptedHub(), None, options=OPTIONS.model_copy(update={"split": rule}))
