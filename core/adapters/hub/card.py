"""Data set cards with YAML for the Hub, written by the Hub's own library."""

from collections.abc import Sequence
from typing import Any

from huggingface_hub import DatasetCardData

from core.domain.datasets.recipes import find_path
from core.domain.datasets.splits import Split
from core.domain.datasets.training_formats import TrainingFormat

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))


def add_hub_data(
    text: str, *, name: str, formats: Sequence[TrainingFormat], splits: Sequence[Split], rows: int, licence: str
) -> str:
    """Return the card with its front matter: a configuration for each format, with the files of each split.

    All configurations of a card are read by one loader, that of the first: a format in another kind of file has none.
    """
    configs: list[dict[str, Any]] = [
        {
            "config_name": form.value,
            "default": number == 0,
            "data_files": [{"split": split.value, "path": find_path(form, split)} for split in splits],
        }
        for number, form in enumerate(form for form in formats if form.suffix == formats[0].suffix)
    ]
    data: Any = DatasetCardData(  # Its types are partly unknown.
        language=["en"],
        license=licence,
        pretty_name=name,
        size_categories=[next((size for most, size in SIZES if rows < most), "100K<n<1M")],
        task_categories=["text-generation"],
        configs=configs,
    )
    return f"---\n{data.to_yaml()}\n---\n\n{text}"
