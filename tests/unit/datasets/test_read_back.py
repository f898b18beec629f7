"""Exports as the `datasets` library reads them, by the configurations of the card, and through a chat template."""

from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from datasets import get_dataset_config_names, get_dataset_default_config_name, load_dataset

from core.adapters.files.dataset_folder import write_folder
from core.adapters.hub.card import add_hub_data
from core.domain.datasets.splits import SplitRule
from core.domain.datasets.training_formats import TrainingFormat, make_rows
from core.domain.verdict.conversation import Role
from core.services.dataset_export import DatasetExporter, ExportOptions
from tests.trainers.chat_tokenizer import make_tokenizer
from tests.trainers.sample import describe_version, make_sample

SYSTEM = "Be kind."


def export(place: Path, *formats: TrainingFormat) -> str:
    conversations = make_sample()
    dataset, version = describe_version(conversations)
    exporter = DatasetExporter(read_version=lambda _: iter(conversations), add_hub_data=add_hub_data)
    options = ExportOptions(formats=formats, split=SplitRule(validation_share=0.1, test_share=0.1), system=SYSTEM)
    with write_folder(place, force=False) as folder:
        exporter.export(dataset, version, options, folder)
    return str(place)


def read_rows(folder: str, name: str, cache: Path) -> list[dict[str, Any]]:
    splits = load_dataset(folder, name, cache_dir=str(cache))
    assert ["test", "train", "validation"] == sorted(splits)
    return sorted((row for split in splits.values() for row in split), key=identify)


def identify(row: dict[str, Any]) -> tuple[str, int]:
    return row["conversation_id"], row.get("message_number", 0)


def list_rows(form: TrainingFormat) -> list[dict[str, Any]]:
    return sorted((row for each in make_sample() for row in make_rows(each, form, SYSTEM)), key=identify)


@pytest.mark.parametrize("form", TrainingFormat)
def test_an_export_is_read_back_as_it_was(form: TrainingFormat, tmp_path: Path) -> None:
    folder = export(tmp_path / "set", form)

    assert list_rows(form) == read_rows(folder, form.value, tmp_path / "cache")


@pytest.mark.parametrize("formats", [tuple(TrainingFormat), tuple(reversed(TrainingFormat)), tuple(TrainingFormat)[1:]])
def test_every_configuration_of_a_card_can_be_read(formats: tuple[TrainingFormat, ...], tmp_path: Path) -> None:
    folder = export(tmp_path / "set", *formats)

    names = get_dataset_config_names(folder)

    assert formats[0].value == get_dataset_default_config_name(folder)
    for name in names:
        assert list_rows(TrainingFormat(name)) == read_rows(folder, name, tmp_path / "cache")


def test_a_chat_template_marks_what_the_assistant_says(tmp_path: Path) -> None:
    folder = export(tmp_path / "set", TrainingFormat.MESSAGES_PARQUET)
    rows = {row["conversation_id"]: row["messages"] for row in read_rows(folder, "messages-parquet", tmp_path / "cache")}
    tokenizer = make_tokenizer([message["content"] for messages in rows.values() for message in messages])

    for conversation in make_sample():
        rendered = tokenizer.apply_chat_template(
            rows[str(conversation.id)], return_dict=True, return_assistant_tokens_mask=True
        )
        marked = zip(rendered["assistant_masks"], rendered["input_ids"], strict=True)
        stretches = [(is_marked, [token for _, token in part]) for is_marked, part in groupby(marked, itemgetter(0))]
        answers = [turn.content for turn in conversation.turns if turn.role is Role.ASSISTANT]
        assert [f"{answer}<|im_end|>" for answer in answers] == [
            tokenizer.decode(part) for is_marked, part in stretches if is_marked
        ]
        assert tokenizer.decode(stretches[0][1]).startswith(f"<|im_start|>system\n{SYSTEM}<|im_end|>")
