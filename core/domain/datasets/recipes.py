"""Recipes beside an export, so that a trainer reads it as it is meant: its length, and loss on the assistant alone. Pure.

Facts of the trainers as of 2026-11: TRL 1.16, Axolotl 0.19, LLaMA-Factory 0.9.5, Unsloth's documentation.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from core.domain.datasets.splits import Split
from core.domain.datasets.training_formats import TrainingFormat
from core.domain.record import Record

EXAMPLE_MODEL = "Qwen/Qwen3-4B"
"""TRL has a chat template for it that marks the assistant's tokens."""


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
    messages = _find_messages(export.formats)
    recipes: dict[str, str] = {}
    if messages is not None:
        recipes["recipes/trl_sft.py"] = _write_trl(export, messages)
        recipes["recipes/axolotl.yaml"] = _write_axolotl(export, messages)
        recipes["recipes/unsloth_sft.py"] = _write_unsloth(export, messages)
    if info := _describe_for_llamafactory(export):
        recipes["dataset_info.json"] = json.dumps(info, indent=2, ensure_ascii=False) + "\n"
    return recipes


def _find_messages(formats: Sequence[TrainingFormat]) -> TrainingFormat | None:
    wanted = (TrainingFormat.MESSAGES_PARQUET, TrainingFormat.MESSAGES_JSONL)
    return next((form for form in wanted if form in formats), None)


def _name_loader(form: TrainingFormat) -> str:
    return "parquet" if form is TrainingFormat.MESSAGES_PARQUET else "json"


def _write_trl(export: Export, form: TrainingFormat) -> str:
    files = {split.value: find_path(form, split) for split in export.splits}
    evaluation = 'data.get("validation")' if Split.VALIDATION in export.splits else "None"
    return f'''"""Fine-tune with TRL: `python recipes/trl_sft.py [MODEL]`, from the folder of this data set."""

import sys

from datasets import load_dataset
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

MODEL = sys.argv[1] if len(sys.argv) > 1 else "{EXAMPLE_MODEL}"
data = load_dataset("{_name_loader(form)}", data_files={files!r})
settings = SFTConfig(
    output_dir="trained",
    max_length={export.length},  # TRL would cut at 1024; nothing here is longer than this.
    assistant_only_loss=True,  # TRL marks the assistant in the templates of Qwen, Llama 3, Gemma and others.
    per_device_train_batch_size=1,
    gradient_accumulation_steps=8,
    num_train_epochs=2,
    learning_rate=2e-4,
)
trainer = SFTTrainer(
    model=MODEL,
    args=settings,
    train_dataset=data["train"],
    eval_dataset={evaluation},
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
    return [
        f"  - path: {find_path(form, split)}",
        f"    ds_type: {_name_loader(form)}",
        "    split: train",
        "    type: chat_template",
        "    field_messages: messages",
        "    roles_to_train: [assistant]",
        "    train_on_eos: turn",
    ]


def _write_unsloth(export: Export, form: TrainingFormat) -> str:
    files = {split.value: find_path(form, split) for split in export.splits}
    return f'''"""Fine-tune with Unsloth (needs a GPU): `python recipes/unsloth_sft.py`, from the folder of this data set."""

from unsloth import FastLanguageModel
from unsloth.chat_templates import train_on_responses_only

from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

LENGTH = {export.length}  # Unsloth's own 2048 cuts what is longer; nothing here is longer than this.
model, tokenizer = FastLanguageModel.from_pretrained("unsloth/Qwen3-4B", max_seq_length=LENGTH, load_in_4bit=True)
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
            entries[f"{export.name}-{form.value}-{split.value}"] = {
                "file_name": find_path(form, split),
                "formatting": "sharegpt",
                "columns": columns,
                "tags": {**tags, "system_tag": "system"},
            }
    return entries
