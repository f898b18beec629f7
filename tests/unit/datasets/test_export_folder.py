"""The folder of an export: scanned it holds its data only, and nothing but an export is ever replaced."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.adapters.files.dataset_folder import write_folder
from core.adapters.hub.card import add_hub_data
from core.cli.main import app
from core.domain.datasets.splits import SplitRule
from core.domain.datasets.training_formats import TrainingFormat
from core.errors import InvalidRequest
from core.services.dataset_export import DatasetExporter, ExportOptions
from tests.support.datasets import make_frozen, make_turns
from tests.trainers.sample import describe_version


def export(place: Path, *, force: bool = False, formats: tuple[TrainingFormat, ...] = tuple(TrainingFormat)) -> None:
    conversations = tuple(
        make_frozen(position=number, topic=f"topic_{number}", text_hash=str(number), turns=make_turns(*_say(number)))
        for number in range(20)
    )
    exporter = DatasetExporter(read_version=lambda _: iter(conversations), add_hub_data=add_hub_data)
    options = ExportOptions(formats=formats, split=SplitRule(validation_share=0.1, test_share=0.1))
    with write_folder(place, force=force) as folder:
        exporter.export(*describe_version(conversations), options, folder)


def _say(number: int) -> tuple[str, str]:
    return f"I owe {number} thousand and do not know where to begin.", "Then we begin with the letter from the bank."


def test_a_scanned_export_has_nothing_to_tell(tmp_path: Path) -> None:
    export(tmp_path / "set")

    result = CliRunner().invoke(app, ["scan", str(tmp_path)])

    assert (0, "") == (result.exit_code, result.stderr)
    assert "0 turns flagged" in result.stdout
    assert "Unreadable" not in result.stdout


def test_what_stands_beside_the_data_is_read_where_it_is_named(tmp_path: Path) -> None:
    export(tmp_path / "set")

    result = CliRunner().invoke(app, ["scan", str(tmp_path / "set/dataset_info.json")])

    assert 2 == result.exit_code
    assert "no known format" in result.stderr


@pytest.mark.parametrize("form", TrainingFormat)
def test_an_export_replaces_an_earlier_one_and_an_empty_folder(tmp_path: Path, form: TrainingFormat) -> None:
    place = tmp_path / "set"
    place.mkdir()

    export(place, force=True)
    export(place, force=True, formats=(form,))
    with pytest.raises(InvalidRequest, match="--force"):
        export(place)

    assert [form.value] == [path.name for path in (place / "data").iterdir()]
    assert [place] == list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["precious.txt", "data/messages-jsonl/notes.jsonl", "recipes/outputs/adapter.bin"])
def test_what_holds_other_things_is_never_replaced(tmp_path: Path, name: str) -> None:
    place = tmp_path / "set"
    export(place)
    (place / name).parent.mkdir(exist_ok=True)
    (place / name).write_text("precious")

    for force in (True, False):
        with pytest.raises(InvalidRequest, match=rf"{name}.*Name another folder"):
            export(place, force=force)

    assert "precious" == (place / name).read_text()


def test_data_without_a_card_is_no_export(tmp_path: Path) -> None:
    place = tmp_path / "data/sharegpt/train.jsonl"
    place.parent.mkdir(parents=True)
    place.write_text("precious")

    with pytest.raises(InvalidRequest, match="no export"):
        export(tmp_path, force=True)

    assert "precious" == place.read_text()


def test_what_came_while_the_export_was_written_is_kept(tmp_path: Path) -> None:
    place = tmp_path / "set"
    place.mkdir()

    def write_while_another_does() -> None:
        with write_folder(place, force=True) as folder:
            folder.write_text("README.md", "card")
            (place / "late.txt").write_text("precious")

    with pytest.raises(InvalidRequest, match=r"late\.txt"):
        write_while_another_does()

    assert [place / "late.txt"] == list(place.iterdir())


@pytest.mark.parametrize("place", [".", "", "..", "/", "sub/.."])
def test_the_folder_that_one_is_in_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    (tmp_path / "here/sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")

    for force in (True, False):
        with pytest.raises(InvalidRequest, match="Name a new folder"):
            export(Path(place), force=force)


def test_neither_a_file_nor_a_link_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")

    for name in ("file", "link"):
        with pytest.raises(InvalidRequest, match="is no folder"):
            export(tmp_path / name, force=True)

    assert "precious" == (tmp_path / "file").read_text()
