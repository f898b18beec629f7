"""Recipes beside an export, so that a trainer reads it as it is meant: its length, and loss on the assistant alone. Pure.

Facts of the trainers as of 2026-11: TRL 1.16, Axolotl 0.19, LLaMA-Factory 0.9.5, Unsloth's documentation.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from core.domain.datasets.splits import Split
from core.domain.datasets.training_formats import TrainingFormat
from core.domain.record import Record

EXAMPLE_MODEL = "Qwen/Qwen3-4B-Instruct-2507"
"""TRL has a chat template for it that marks the assistant's tokens, and it has no thoughts: Qwen3-4B would be trained to
think nothing before each answer."""

CARD = "README.md"
DATASET_INFO = "dataset_info.json"
"""LLaMA-Factory looks for it by this name."""
MESSAGES = (TrainingFormat.MESSAGES_PARQUET, TrainingFormat.MESSAGES_JSONL)


class Export(Record):
    """What an export holds: its formats and splits, and the length that cuts nothing."""

    name: str
    formats: tuple[TrainingFormat, ...]
    splits: tuple[Split, ...]
    length: int


def choose_recipe_name(name: str) -> str:
    """Return a data set's name as trainers take it: letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-") or "dataset"


def find_path(form: TrainingFormat, split: Split) -> str:
    """Return where the rows of a split are, from the folder of the export."""
    return f"data/{form.value}/{split.value}.{form.suffix}"


def list_recipes(export: Export) -> dict[str, str]:
    """Return the texts of the recipes by path; those only whose format is exported."""
    recipes: dict[str, str] = {}
    if form := _choose_format(export, *MESSAGES, TrainingFormat.PROMPT_COMPLETION):
        recipes["recipes/trl_sft.py"] = _write_trl(export, form)
    if form := _choose_format(export, *MESSAGES, TrainingFormat.SHAREGPT):
        recipes["recipes/axolotl.yaml"] = _write_axolotl(export, form)
        recipes["recipes/llamafactory.yaml"] = _write_llamafactory(export, form)
        info = _describe_for_llamafactory(export)
        recipes[DATASET_INFO] = json.dumps(info, indent=2, ensure_ascii=False) + "\n"
    if form := _choose_format(export, *MESSAGES):
        recipes["recipes/unsloth_sft.py"] = _write_unsloth(export, form)
    return recipes


def find_foreign(paths: Iterable[str]) -> str | None:
    """Return the first of the paths in a folder that no export writes, so that none is taken for one which is not."""
    everything = Export(name="any", formats=tuple(TrainingFormat), splits=tuple(Split), length=1)
    written = {find_path(form, split) for form in TrainingFormat for split in Split} | {CARD, *list_recipes(everything)}
    return next((path for path in paths if path not in written), None)


def _choose_format(export: Export, *readable: TrainingFormat) -> TrainingFormat | None:
    """Return the first of the formats that a trainer reads which is exported."""
    return next((form for form in readable if form in export.formats), None)


def _name_loader(form: TrainingFormat) -> str:
    return "parquet" if form is TrainingFormat.MESSAGES_PARQUET else "json"


def _write_trl(export: Export, form: TrainingFormat) -> str:
    files = {split.value: find_path(form, split) for split in export.splits}
    evaluates = Split.VALIDATION in export.splits
    if form is TrainingFormat.PROMPT_COMPLETION:
        loss = "completion_only_loss=True,  # On the answer of each row alone."
    else:
        loss = "assistant_only_loss=True,  # TRL marks the assistant in the templates of Qwen, Llama 3, Gemma and others."
    return f'''"""Fine-tune with TRL: `python recipes/trl_sft.py [MODEL]`, from the folder of this data set."""

import sys

from datasets import load_dataset
from peft import LoraConfig
from transformers.utils import is_torch_bf16_gpu_available
from trl import SFTConfig, SFTTrainer

MODEL = sys.argv[1] if len(sys.argv) > 1 else "{EXAMPLE_MODEL}"
data = load_dataset("{_name_loader(form)}", data_files={files!r})
settings = SFTConfig(
    output_dir="trained",
    max_length={export.length},  # TRL would cut at 1024; nothing here is longer than this.
    {loss}
    per_device_train_batch_size=1,
    gradient_accumulation_steps=8,
    num_train_epochs=2,
    learning_rate=2e-4,
    eval_strategy="{"epoch" if evaluates else "no"}",
    bf16=is_torch_bf16_gpu_available(),
)
trainer = SFTTrainer(
    model=MODEL,
    args=settings,
    train_dataset=data["train"],
    eval_dataset={'data["validation"]' if evaluates else "None"},
    peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear"),
)
trainer.train()
trainer.save_model()
'''


def _write_axolotl(export: Export, form: TrainingFormat) -> str:
    lines = [
        "# Fine-tune with Axolotl: `axolotl train recipes/axolotl.yaml`, from the folder of this data set.",
        f"base_model: {EXAMPLE_MODEL}",
        "adapter: lora",
        "lora_r: 16",
        "lora_alpha: 32",
        "lora_target_linear: true",
        "chat_template: tokenizer_default",
        f"sequence_len: {export.length}  # Axolotl's own 512 would drop what is longer.",
        "excess_length_strategy: raise",
        "datasets:",
        *_list_axolotl_data(form, Split.TRAIN),
    ]
    if Split.VALIDATION in export.splits:
        lines += ["test_datasets:", *_list_axolotl_data(form, Split.VALIDATION)]
    lines += [
        "micro_batch_size: 1",
        "gradient_accumulation_steps: 8",
        "num_epochs: 2",
        "optimizer: adamw_torch",
        "learning_rate: 0.0002",
        "output_dir: ./trained",
    ]
    return "\n".join(lines) + "\n"


def _list_axolotl_data(form: TrainingFormat, split: Split) -> list[str]:
    if form is TrainingFormat.SHAREGPT:
        fields = ["    field_messages: conversations", "    message_property_mappings: {role: from, content: value}"]
    else:
        fields = ["    field_messages: messages"]
    return [
        f"  - path: {find_path(form, split)}",
        f"    ds_type: {_name_loader(form)}",
        "    split: train",
        "    type: chat_template",
        *fields,
        "    roles_to_train: [assistant]",
        "    train_on_eos: turn",
    ]


def _write_llamafactory(export: Export, form: TrainingFormat) -> str:
    lines = [
        "# Fine-tune with LLaMA-Factory, from the folder of this data set:",
        "# `llamafactory-cli train recipes/llamafactory.yaml`",
        f"model_name_or_path: {EXAMPLE_MODEL}",
        "template: qwen3_nothink  # The chat template of the model, by LLaMA-Factory's name for it.",
        "stage: sft",
        "do_train: true",
        "finetuning_type: lora",
        "lora_rank: 16",
        "lora_alpha: 32",
        "lora_target: all",
        "dataset_dir: .",
        f"dataset: {_name_entry(export, form, Split.TRAIN)}",
    ]
    if Split.VALIDATION in export.splits:
        lines += [f"eval_dataset: {_name_entry(export, form, Split.VALIDATION)}", "eval_strategy: epoch"]
    lines += [
        f"cutoff_len: {export.length}  # LLaMA-Factory would cut at 2048; nothing here is longer than this.",
        "train_on_prompt: false  # Loss on the assistant alone, and",
        "mask_history: false  # on all of its turns.",
        "per_device_train_batch_size: 1",
        "gradient_accumulation_steps: 8",
        "num_train_epochs: 2",
        "learning_rate: 0.0002",
        "logging_steps: 10",
        "output_dir: trained",
    ]
    return "\n".join(lines) + "\n"


def _name_entry(export: Export, form: TrainingFormat, split: Split) -> str:
    return f"{export.name}-{form.value}-{split.value}"


def _write_unsloth(export: Export, form: TrainingFormat) -> str:
    files = {split.value: find_path(form, split) for split in export.splits}
    return f'''"""Fine-tune with Unsloth (needs a GPU): `python recipes/unsloth_sft.py`, from the folder of this data set."""

from unsloth import FastLanguageModel
from unsloth.chat_templates import train_on_responses_only

from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

MODEL = "{EXAMPLE_MODEL.replace("Qwen/", "unsloth/")}"
LENGTH = {export.length}  # Unsloth's own 2048 cuts what is longer; nothing here is longer than this.
model, tokenizer = FastLanguageModel.from_pretrained(MODEL, max_seq_length=LENGTH, load_in_4bit=True)
model = FastLanguageModel.get_peft_model(model, r=16, lora_alpha=32)
data = load_dataset("{_name_loader(form)}", data_files={files!r})


def write_text(row):
    return {{"text": tokenizer.apply_chat_template(row["messages"], tokenize=False)}}


train = data["train"].map(write_text, remove_columns=data["train"].column_names)
trainer = SFTTrainer(
    model=model,
    processing_class=tokenizer,
    train_dataset=train,
    args=SFTConfig(output_dir="trained", dataset_text_field="text", max_length=LENGTH, num_train_epochs=2),
)
# Loss on the assistant's turns alone; the marks are those of the chat template.
trainer = train_on_responses_only(
    trainer, instruction_part="<|im_start|>user\\n", response_part="<|im_start|>assistant\\n"
)
trainer.train()
'''


def _describe_for_llamafactory(export: Export) -> dict[str, Any]:
    """Return `dataset_info.json`: an entry for each split of the formats that LLaMA-Factory reads."""
    entries: dict[str, Any] = {}
    for form in export.formats:
        match form:
            case TrainingFormat.MESSAGES_JSONL | TrainingFormat.MESSAGES_PARQUET:
                columns = {"messages": "messages"}
                tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
            case TrainingFormat.SHAREGPT:
                columns = {"messages": "conversations"}
                tags = {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt"}
            case TrainingFormat.PROMPT_COMPLETION:
                continue  # LLaMA-Factory has no such form.
        for split in export.splits:
            entries[_name_entry(export, form, split)] = {
                "file_name": find_path(form, split),
                "formatting": "sharegpt",
                "columns": columns,
                "tags": {**tags, "system_tag": "system"},
            }
    return entries
