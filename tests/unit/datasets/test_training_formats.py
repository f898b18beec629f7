"""Rows as trainers read them."""

import ast
import json

import pytest
import yaml

from core.domain.datasets.recipes import Export, choose_recipe_name, list_recipes
from core.domain.datasets.splits import Split
from core.domain.datasets.training_formats import TrainingFormat, list_messages, make_rows
from tests.support.datasets import TEXTS, make_frozen, make_turns

CLAIMED = {
    "prompt",
    "completion",
    "text",
    "texts",
    "label",
    "chosen",
    "rejected",
    "tools",
    "images",
    "instruction",
    "output",
    "system",
    "train",
    "weight",
}
"""Column names that trainers give a meaning."""


@pytest.mark.parametrize("form", TrainingFormat)
def test_metadata_has_no_name_that_a_trainer_claims(form: TrainingFormat) -> None:
    data = {"messages", "conversations", "prompt", "completion"}

    for row in make_rows(make_frozen(), form, "Be kind."):
        assert not (set(row) - data) & CLAIMED
        assert json.loads(json.dumps(row)) == row


def test_messages_alternate_and_end_with_the_assistant() -> None:
    messages = list_messages(make_turns(*TEXTS, "And then?"), "Be kind.")

    assert ["system", "user", "assistant", "user", "assistant"] == [each["role"] for each in messages]
    assert list(TEXTS) == [each["content"] for each in messages[1:]]


def test_sharegpt_names_speakers_as_its_readers_do() -> None:
    (row,) = make_rows(make_frozen(), TrainingFormat.SHAREGPT)

    assert [("human", TEXTS[0]), ("gpt", TEXTS[1])] == [(each["from"], each["value"]) for each in row["conversations"]][:2]


def test_prompt_and_completion_have_a_row_for_each_answer() -> None:
    rows = list(make_rows(make_frozen(), TrainingFormat.PROMPT_COMPLETION))

    assert [TEXTS[1], TEXTS[3]] == [row["completion"][0]["content"] for row in rows]
    assert [1, 3] == [len(row["prompt"]) for row in rows]


def test_recipes_name_files_lengths_and_the_assistant_alone() -> None:
    export = Export(name="money-talks", formats=tuple(TrainingFormat), splits=(Split.TRAIN, Split.VALIDATION), length=4096)

    recipes = list_recipes(export)

    axolotl = yaml.safe_load(recipes["recipes/axolotl.yaml"])
    assert (4096, "raise") == (axolotl["sequence_len"], axolotl["excess_length_strategy"])
    assert ["assistant"] == axolotl["datasets"][0]["roles_to_train"]
    assert "data/messages-parquet/validation.parquet" == axolotl["test_datasets"][0]["path"]
    info = json.loads(recipes["dataset_info.json"])
    assert "data/sharegpt/train.jsonl" == info["money-talks-sharegpt-train"]["file_name"]
    assert not any("prompt-completion" in name for name in info)
    for name in ("recipes/trl_sft.py", "recipes/unsloth_sft.py"):
        ast.parse(recipes[name])
        assert "4096" in recipes[name]
    assert "assistant_only_loss=True" in recipes["recipes/trl_sft.py"]
    assert "train_on_responses_only" in recipes["recipes/unsloth_sft.py"]


def test_a_recipe_for_llama_factory_sets_length_and_loss_and_names_what_its_index_has() -> None:
    export = Export(name="money-talks", formats=tuple(TrainingFormat), splits=(Split.TRAIN, Split.VALIDATION), length=4096)

    recipes = list_recipes(export)

    recipe = yaml.safe_load(recipes["recipes/llamafactory.yaml"])
    assert (4096, False, False) == (recipe["cutoff_len"], recipe["train_on_prompt"], recipe["mask_history"])
    assert {recipe["dataset"], recipe["eval_dataset"]} <= set(json.loads(recipes["dataset_info.json"]))
    assert "qwen3_nothink" == recipe["template"]


def test_prompt_and_completion_alone_have_a_recipe_of_trl_with_loss_on_the_completion() -> None:
    recipes = list_recipes(Export(name="x", formats=(TrainingFormat.PROMPT_COMPLETION,), splits=(Split.TRAIN,), length=512))

    assert ["recipes/trl_sft.py"] == list(recipes)
    assert "completion_only_loss=True" in recipes["recipes/trl_sft.py"]
    assert "assistant_only_loss" not in recipes["recipes/trl_sft.py"]
    ast.parse(recipes["recipes/trl_sft.py"])


def test_sharegpt_alone_has_recipes_of_those_that_read_it() -> None:
    recipes = list_recipes(Export(name="x", formats=(TrainingFormat.SHAREGPT,), splits=(Split.TRAIN,), length=512))

    assert {"recipes/axolotl.yaml", "recipes/llamafactory.yaml", "dataset_info.json"} == set(recipes)
    (data,) = yaml.safe_load(recipes["recipes/axolotl.yaml"])["datasets"]
    assert ("conversations", {"role": "from", "content": "value"}) == (
        data["field_messages"],
        data["message_property_mappings"],
    )


@pytest.mark.parametrize(
    ("name", "expected"), [("Geld & Gefühle 1", "geld-gef-hle-1"), ("../../etc", "etc"), ("金", "dataset")]
)
def test_names_of_recipes_are_plain(name: str, expected: str) -> None:
    assert expected == choose_recipe_name(name)
