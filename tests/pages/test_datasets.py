"""Datasets: plan, top up, approve, freeze, download, delete; and what reviewers do with a conversation."""

import io
import json
from collections.abc import Iterator
from typing import Any
from zipfile import ZipFile

import pytest
from streamlit.testing.v1 import AppTest

from core.config import Settings
from core.domain.datasets.plans import Dataset, ExportTarget, make_plan
from core.domain.datasets.records import ReviewStatus
from core.domain.datasets.training_formats import ASSISTANT_ROLE, TrainingFormat
from core.domain.datasets.versions import CountedStatus, ExclusionReason
from core.services.dataset_export import ExportOptions
from core.ui.datasets.export import write_archive
from core.ui.datasets.hub_push import TOKEN
from core.ui.shell.tables import draw_table
from tests.factories import make_selection, make_settings
from tests.support.pages import Pages, find_button, list_labels, open_pages, press, read_texts, said
from tests.support.results import accept, accept_other, fail
from tests.support.stores import lease, record

pytestmark = pytest.mark.usefixtures("warm_server")

DATASETS, CONVERSATIONS, MONITOR = "pages/Datasets.py", "pages/Conversations.py", "pages/Batch_Monitor.py"


def metric(app: AppTest, label: str) -> str:
    return next(each.value for each in app.metric if each.label == label)


def said_label(label: str) -> str:
    return label.replace("\\", "")


def read_progress(app: AppTest) -> str:
    return "\n".join(str(each.proto.text) for each in app.get("progress"))  # type: ignore[attr-defined]


def fill(pages: Pages, dataset: Dataset, *, failed: int = 0) -> None:
    """Top up and have all but some of it accepted, no two of them alike."""
    for submitted in pages.services.datasets.top_up(dataset, make_settings()):
        items = lease(pages.stores, submitted.batch_id, submitted.planned)
        record(pages.stores, *[fail(item) for item in items[:failed]], *[accept_other(item) for item in items[failed:]])


@pytest.fixture
def dataset(pages: Pages) -> Dataset:
    """A data set of two conversations that counts approved ones."""
    return pages.services.datasets.create("Two *of* them", CountedStatus.APPROVED, make_plan(make_selection(1, 1, 2)))


@pytest.fixture(scope="module")
def full(seeded: Settings) -> Iterator[tuple[Pages, Dataset]]:
    """The pages of an analyst with a full data set of three conversations, of which one failed at first."""
    with open_pages(seeded) as pages:
        made = pages.services.datasets.create("Full", CountedStatus.ACCEPTED, make_plan(make_selection(1, 1, 3)))
        fill(pages, made, failed=1)
        fill(pages, made)
        yield pages, made


def test_without_data_sets_the_page_offers_the_whole_plan_first(pages: Pages) -> None:
    app = press(pages.open(DATASETS), "New data set")

    assert "100 conversations" in read_texts(app)
    app.text_input(key="dataset_name").set_value("Money talks").run()
    press(app, "Create")

    (made,) = pages.services.datasets.list_all()
    assert ("Money talks", 100, 100) == (made.name, made.planned, made.combinations)
    assert "100" == metric(app, "To generate")


def test_create_waits_for_no_name_and_says_that_it_is_missing(pages: Pages) -> None:
    app = press(pages.open(DATASETS), "New data set")
    assert not find_button(app, "Create").disabled
    press(app, "Create")
    assert "The name is missing" in said(app.error[0])

    app.text_input(key="dataset_name").set_value("Money talks")  # Typed and pressed at once, as a browser sends it.
    press(app, "Create")
    assert ["Money talks"] == [each.name for each in pages.services.datasets.list_all()]


def test_a_name_that_is_taken_is_said_in_the_dialog(pages: Pages, dataset: Dataset) -> None:
    app = press(pages.open(DATASETS), "New data set")
    app.text_input(key="dataset_name").set_value(dataset.name).run()
    press(app, "Create")

    assert "You have a data set of this name" in said(app.error[0])


def test_an_own_choice_makes_a_plan_of_it(pages: Pages) -> None:
    app = press(pages.open(DATASETS), "New data set")
    app.selectbox(key="dataset_plan").set_value("Own choice").run()
    personas, topics = app.multiselect(key="dataset_personas"), app.multiselect(key="dataset_topics")
    personas.set_value(personas.value[:1]).run()
    topics.set_value(topics.value[:2]).run()
    app.number_input(key="dataset_copies").set_value(3).run()
    app.text_input(key="dataset_name").set_value("Mine").run()
    press(app, "Create")

    (made,) = pages.services.datasets.list_all()
    assert made.planned == 3 * made.combinations == 3 * 2 * 5


def test_a_data_set_is_topped_up_with_what_is_missing(pages: Pages, dataset: Dataset) -> None:
    app = press(pages.open(DATASETS, dataset=str(dataset.id)), "Top up")

    press(app, "Generate 2 conversations")

    assert "2 conversations queued" in read_texts(app)
    assert "0" == metric(app, "To generate")


def test_a_top_up_that_no_batch_holds_says_what_is_left(pages: Pages) -> None:
    made = pages.services.datasets.create("Large", CountedStatus.ACCEPTED, make_plan(make_selection(3, 5, 10), 1_000))

    app = press(pages.open(DATASETS, dataset=str(made.id)), "Top up")

    assert "**100,000 conversations** with" in read_texts(app)
    assert "A batch holds at most 100,000 conversations; 50,000 more need another top-up." in read_texts(app)
    assert "Generate 100,000 conversations" in list_labels(app)


def test_all_that_pass_are_approved_and_frozen(pages: Pages, dataset: Dataset) -> None:
    fill(pages, dataset)
    app = press(pages.open(DATASETS, dataset=str(dataset.id)), "Approve all")
    approve = [button for button in app.button if button.label == "Approve all"][-1]
    approve.click().run()
    assert "2 conversations approved; 0 of them had been read." in read_texts(app)
    assert "2" == metric(app, "Approved")

    press(app, "Freeze")
    freeze = [button for button in app.button if button.label == "Freeze"][-1]
    freeze.click().run()
    assert "2 simulated" in said(app.error[0])
    app.toggle(key="freeze_simulated").set_value(True).run()
    [button for button in app.button if button.label == "Freeze"][-1].click().run()
    assert not app.exception
    assert "Version 1: 2 conversations" in read_texts(app)


def test_what_no_version_takes_is_replaced_after_a_question(pages: Pages) -> None:
    plan = make_plan(make_selection(1, 1, 2))
    dataset = pages.services.datasets.create("Copies", CountedStatus.ACCEPTED, plan)
    for submitted in pages.services.datasets.top_up(dataset, make_settings()):
        record(pages.stores, *map(accept, lease(pages.stores, submitted.batch_id, 2)))  # Both say the same.
    pages.services.datasets.freeze(dataset, include_simulated=True)

    app = press(pages.open(DATASETS, dataset=str(dataset.id)), "Have them replaced")
    press(app, "Reject them")

    assert "1 conversation rejected. Top up generates others." in read_texts(app)
    assert "1" == metric(app, "To generate")
    press(app, "Undo 1 review")
    assert 0 == pages.services.datasets.find(dataset.id).missing


def test_approving_all_counts_what_was_read_and_is_undone(pages: Pages, dataset: Dataset) -> None:
    fill(pages, dataset)
    pages.open(CONVERSATIONS, conversation=str(pages.services.conversations.list_page().rows[0].id))
    app = press(pages.open(DATASETS, dataset=str(dataset.id)), "Approve all")
    assert "read or not. You can undo it." in read_texts(app)
    assert "Undo" not in "".join(list_labels(app))
    [button for button in app.button if button.label == "Approve all"][-1].click().run()
    assert "2 conversations approved; 1 of them had been read." in read_texts(app)

    press(app, "Undo 2 reviews")

    again = pages.services.datasets.find(dataset.id)
    assert (0, 2) == (again.approved, again.awaiting_review)
    assert "Undo" not in "".join(list_labels(app))
    assert "conversation" not in app.query_params


def test_review_leads_to_the_first_that_waits_and_on_to_the_next(pages: Pages, dataset: Dataset) -> None:
    fill(pages, dataset)
    app = press(pages.open(DATASETS, dataset=str(dataset.id)), "Review")
    app = pages.open(CONVERSATIONS, **dict(app.query_params.items()))
    assert "**0 of 2** reviewed" in read_progress(app)

    press(app, "Approve")
    press(app, "Reject")
    press(app, "Off topic")
    reviewed = pages.services.datasets.find(dataset.id)
    assert (1, 1, 0) == (reviewed.approved, reviewed.rejected, reviewed.awaiting_review)

    press(app, "Undo")
    press(app, "Undo")
    again = pages.services.datasets.find(dataset.id)
    assert (0, 0, 2) == (again.approved, again.rejected, again.awaiting_review)


def test_a_sample_is_a_queue_whose_link_keeps_it(pages: Pages, dataset: Dataset) -> None:
    fill(pages, dataset)
    app = press(pages.open(DATASETS, dataset=str(dataset.id)), "Sample")
    app.number_input(key="sample_size").set_value(1).run()
    app = press(app, "Read them")
    link = dict(app.query_params.items())
    app = pages.open(CONVERSATIONS, **link)
    assert "**0 of 1** reviewed" in read_progress(app)
    press(app, "Approve")
    assert "**1 of 1** reviewed" in read_progress(app)

    app = pages.open(CONVERSATIONS, **{name: value for name, value in link.items() if name != "conversation"})
    assert any("A random sample of 1" in said(each) for each in app.caption)
    press(app, "No sample")
    assert "No sample" not in list_labels(app)


def test_the_list_says_which_data_set_it_shows_and_leads_to_it(pages: Pages, dataset: Dataset) -> None:
    fill(pages, dataset)
    app = pages.open(CONVERSATIONS, dataset=str(dataset.id))

    assert {said_label(each) for each in list_labels(app)} >= {dataset.name, "Any data set"}
    press(app, "Any data set")
    assert "Any data set" not in list_labels(app)


def test_a_note_and_an_edit_are_kept_and_shown(pages: Pages, dataset: Dataset) -> None:
    fill(pages, dataset)
    row = pages.services.conversations.list_page().rows[0]
    app = press(pages.open(CONVERSATIONS, conversation=str(row.id)), "Note")
    app.text_area[0].set_value("Read *twice*.")
    press(app, "Save")
    assert "Read *twice*." in read_texts(app)

    press(app, "Edit")
    press(app, "Save")
    assert any("Nothing is changed yet" in said(each) for each in app.warning)
    app.text_area[0].set_value("Let us look at your")
    press(app, "Save")
    assert "would not pass the verdict" in said(app.error[0])
    app.text_area[0].set_value("Shall we look at your statement?").run()
    press(app, "Save")

    after = pages.services.conversations.get(row.id)
    assert "Shall we look at your statement?" == after.turns[0].content
    assert any("said before" in said(each) for each in app.caption)


def test_all_that_a_filter_shows_is_reviewed_after_a_question(pages: Pages, dataset: Dataset) -> None:
    fill(pages, dataset)
    app = press(pages.open(CONVERSATIONS, dataset=str(dataset.id)), "Review all 2")
    press(app, "Approve: all 2")

    assert "2 reviews changed; 0 of these conversations had been read." in read_texts(app)
    assert 2 == pages.services.datasets.find(dataset.id).approved
    press(app, "Undo the last review")
    assert 2 == pages.services.datasets.find(dataset.id).awaiting_review


def test_a_full_data_set_is_on_home_and_on_its_batches(full: tuple[Pages, Dataset]) -> None:
    pages, made = full
    version = pages.services.datasets.freeze(made, include_simulated=True)
    assert f"3 of 3 accepted · version {version.number}, not exported yet" in read_progress(pages.open())
    pages.services.datasets.note_export(version, ExportTarget.HUB, [TrainingFormat.SHAREGPT], "owner/name")
    assert f"version {version.number}, exported " in read_progress(pages.open())
    batch = pages.services.datasets.describe(made.id).batches[0]
    assert "Full" in list_labels(pages.open(MONITOR, batch=str(batch.id)))


def test_home_prefers_data_sets_with_something_in_them_and_leads_to_all(pages: Pages, dataset: Dataset) -> None:
    fill(pages, dataset)
    plan = make_plan(make_selection(1, 1, 1))
    for number in range(3):
        pages.services.datasets.create(f"Empty {number}", CountedStatus.APPROVED, plan)

    app = pages.open()
    shown = read_progress(app)
    assert all(name in shown for name in ("Two", "Empty 2", "Empty 1"))
    assert "Empty 0" not in shown
    assert shown.index("Two") < shown.index("Empty 2")

    press(app, "All data sets")
    assert "Datasets" == app.subheader[0].value
    (table,) = [each.value for each in app.dataframe if "filled" in each.value]
    assert 4 == len(table)


def open_cell(pages: Pages, made: Dataset) -> AppTest:
    cell = pages.services.datasets.describe(made.id).cells[0]
    app = pages.open(DATASETS, dataset=str(made.id))
    app.session_state["dataset_cell"] = made.id, (str(cell.persona_id), str(cell.emotional_arc_id))
    return app.run()


def test_a_cell_leads_to_the_generator_with_the_topics_of_the_plan(full: tuple[Pages, Dataset]) -> None:
    pages, made = full
    cells = pages.services.datasets.describe(made.id).cells
    keys = {topic.id: topic.topic_key for topic in pages.services.scaffolding.list_choices().topics}

    link = press(open_cell(pages, made), "Open in the generator").query_params

    assert (cells[0].persona_key, cells[0].arc_key) == (link["personas"], link["arcs"])
    assert {keys[cell.training_topic_id] for cell in cells} == set(link["topics"].split(","))


def test_a_cell_leads_to_its_failures_of_the_only_batch_or_says_that_they_are_of_all(
    full: tuple[Pages, Dataset], pages: Pages, dataset: Dataset
) -> None:
    fill(pages, dataset, failed=1)
    detail = pages.services.datasets.describe(dataset.id)
    (failed,) = [cell for cell in detail.cells if cell.failed]
    link = press(open_cell(pages, dataset), "Failures").query_params
    assert (str(failed.persona_id), str(failed.emotional_arc_id)) == (link["persona"], link["arc"])
    assert (str(failed.training_topic_id), str(detail.batches[0].id)) == (link["topic"], link["batch"])

    link = press(open_cell(*full), "Failures in all batches").query_params
    assert {"persona", "arc", "topic"} == set(link)


def test_an_archive_holds_data_recipes_and_card_and_is_the_same_twice(full: tuple[Pages, Dataset]) -> None:
    pages, made = full
    version = pages.services.datasets.freeze(made, include_simulated=True)
    options = ExportOptions(formats=tuple(TrainingFormat))

    archive = write_archive(pages.services, made, version, options)

    assert archive == write_archive(pages.services, made, version, options)
    latest = pages.services.datasets.find(made.id).latest_export
    assert latest is not None
    assert (version.number, ExportTarget.DOWNLOAD) == (latest.version, latest.target)
    with ZipFile(io.BytesIO(archive)) as files:
        names = files.namelist()
        rows = [json.loads(line) for line in files.read("data/messages-jsonl/train.jsonl").splitlines()]
    assert 3 == len(rows)
    assert {"README.md", "dataset_info.json", "data/messages-parquet/train.parquet"} <= set(names)


def open_export(full: tuple[Pages, Dataset]) -> AppTest:
    pages, made = full
    pages.services.datasets.freeze(made, include_simulated=True)
    return press(pages.open(DATASETS, dataset=str(made.id)), "Export")


def test_an_export_says_its_splits_and_what_they_share(full: tuple[Pages, Dataset]) -> None:
    app = open_export(full)
    assert ["The validation split got nothing: 10 % of 3 conversations are 0.3, which rounds to none."] == [
        said(each) for each in app.warning
    ]
    held_out = app.multiselect(key="export_held_out_topic")
    held_out.set_value(held_out.options[:1]).run()

    told = read_texts(app)
    assert "train **2** · test **1**" in told
    assert "Train and test share 0 combinations, 0 texts, 1 persona, 1 arc and 0 topics." in told
    assert app.number_input(key="export_test").disabled

    held_out = app.multiselect(key="export_held_out_topic")
    held_out.set_value(held_out.options).run()
    assert "Nothing is left to train on." in said(app.error[0])


def test_the_assistants_role_is_offered_as_the_system_message(full: tuple[Pages, Dataset]) -> None:
    app = open_export(full)
    app.radio(key="export_system").set_value("The assistant's role").run()

    assert ASSISTANT_ROLE == app.text_area(key="export_system_role").value


def test_a_push_without_a_token_shows_what_would_go(full: tuple[Pages, Dataset]) -> None:
    pages, made = full
    before = pages.services.datasets.find(made.id).latest_export
    app = open_export(full)
    app.segmented_control(key="export_place").set_value("Hugging Face Hub").run()
    app.text_input(key="push_repository").set_value("no name").run()
    push = next(button for button in app.button if button.label.startswith("Push version"))
    push.click().run()
    assert "Write OWNER/NAME" in said(app.error[0])

    app.text_input(key="push_repository").set_value("owner/name")
    next(button for button in app.button if button.label.startswith("Push version")).click().run()
    assert [] == [said(each) for each in app.error]
    assert "would be uploaded to owner/name (private)" in read_texts(app)
    assert "data/messages-jsonl/train.jsonl" in app.code[0].value
    assert before == pages.services.datasets.find(made.id).latest_export


def test_a_token_is_gone_after_the_press(full: tuple[Pages, Dataset]) -> None:
    app = open_export(full)
    app.segmented_control(key="export_place").set_value("Hugging Face Hub").run()
    app.text_input(key="push_repository").set_value("no name").run()
    app.text_input(key=f"{TOKEN}_0").set_value("hf_secretsecretsecret")
    next(button for button in app.button if button.label.startswith("Push version")).click().run()

    assert not app.exception
    assert "Write OWNER/NAME" in said(app.error[0])
    assert "" == app.text_input(key=f"{TOKEN}_1").value
    assert f"{TOKEN}_0" not in app.session_state


def test_a_version_says_how_long_it_is_for_the_tokenizer_given(full: tuple[Pages, Dataset]) -> None:
    pages, made = full
    app = press(pages.open(DATASETS, dataset=str(made.id)), "Freeze")
    app.toggle(key="freeze_simulated").set_value(True).run()
    app.file_uploader(key="freeze_tokenizer").upload("tokenizer.json", b"{}", "application/json").run()
    [button for button in app.button if button.label == "Freeze"][-1].click().run()
    assert "not a tokenizer.json" in said(app.error[0])

    pages.services.datasets.freeze(made, include_simulated=True)
    told = read_texts(pages.open(DATASETS, dataset=str(made.id)))
    assert "Tokens, estimated at four characters each" in told
    assert "No trainer's default cuts any of it." in told


def test_what_a_version_keeps_out_is_listed_with_its_reason_and_leads_to_the_conversation(
    full: tuple[Pages, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages, made = full
    before = pages.services.datasets.freeze(made, include_simulated=True)
    first, second, _ = pages.services.datasets.read_version(before)
    pages.services.conversations.review([first.id, second.id], ReviewStatus.REJECTED)
    version = pages.services.datasets.freeze(made, include_simulated=True)
    monkeypatch.setattr("core.ui.datasets.versions.MOST_EXCLUSIONS", 1)
    tables: dict[str, Any] = {}

    def draw(*arguments: Any, **how: Any) -> None:
        tables[how["key"]] = how
        draw_table(*arguments, **how)

    monkeypatch.setattr("core.ui.datasets.versions.draw_table", draw)

    app = pages.open(DATASETS, dataset=str(made.id))
    pages.services.conversations.review([first.id, second.id], ReviewStatus.PENDING_REVIEW)

    assert {ExclusionReason.REJECTED: 2} == version.exclusions
    (table,) = [each.value for each in app.dataframe if "reason" in each.value]
    assert ["Rejected by a reviewer"] == table["reason"].tolist()
    assert {str(first.id), str(second.id)} > set(table["conversation"])
    assert "and 1 more" in read_texts(app)
    opened: list[dict[str, str]] = []
    monkeypatch.setattr("core.ui.datasets.versions.open_dataset_conversations", lambda _, **link: opened.append(link))
    tables["dataset_kept_out_" + str(version.number)]["buttons"]["open"].act(0)
    assert [{"conversation": table["conversation"][0]}] == opened


def test_versions_are_compared(full: tuple[Pages, Dataset]) -> None:
    pages, made = full
    before = pages.services.datasets.freeze(made, include_simulated=True)
    first, *_ = pages.services.datasets.read_version(before)
    pages.services.conversations.review([first.id], ReviewStatus.REJECTED)
    after = pages.services.datasets.freeze(made, include_simulated=True)
    pages.services.conversations.review([first.id], ReviewStatus.PENDING_REVIEW)

    change = pages.services.datasets.compare(before, after)

    assert ((first.id,), (), (), 2) == (change.removed, change.added, change.edited, change.unchanged)


def test_a_data_set_is_deleted_after_a_question(pages: Pages, dataset: Dataset) -> None:
    app = press(pages.open(DATASETS, dataset=str(dataset.id)), "Delete")
    assert "Its batches and conversations stay." in read_texts(app)
    press(app, "Delete the data set")

    assert () == pages.services.datasets.list_all()


def test_a_wrong_id_is_said_and_the_list_offered(pages: Pages, dataset: Dataset) -> None:
    app = pages.open(DATASETS, dataset="00000000-0000-4000-8000-000000000000")

    assert "There is no data set" in read_texts(app)
    assert 1 == len(app.dataframe)
