"""Run Axolotl's recipe, in its own environment: `run_axolotl.py SCRATCH`, from the folder of the data set.

What its `train` command does, with a look at the rows before it trains. What is not the recipe's is named below: the model,
where prepared rows go, and what makes it run without a GPU.
"""

import json
import sys
from pathlib import Path

from axolotl.cli.config import load_cfg
from axolotl.common.datasets import load_datasets
from axolotl.train import train
from prepared_rows import describe_rows, read_state, write_report
from tiny_model import make_tiny_model

WITHOUT_GPU = {
    "bf16": False,
    "fp16": False,
    "lora_mlp_kernel": False,
    "lora_qkv_kernel": False,
    "lora_o_kernel": False,
    "dataset_num_proc": 1,
}
STEPS = 20
"""One more than two epochs of the sample are for Axolotl."""


def main(scratch: Path) -> None:
    """Train and report; not while the module is imported, which processes that Axolotl starts do again."""
    tokenizer = make_tiny_model(scratch / "model", json.loads((scratch / "texts.json").read_text()))
    recipe = load_cfg(
        "recipes/axolotl.yaml",
        base_model=str(scratch / "model"),
        dataset_prepared_path=str(scratch / "prepared"),
        max_steps=STEPS,
        **WITHOUT_GPU,
    )
    prepared = load_datasets(cfg=recipe)
    splits = {
        "train": describe_rows(tokenizer, prepared.train_dataset),
        "validation": describe_rows(tokenizer, prepared.eval_dataset),
    }
    train(cfg=recipe, dataset_meta=prepared)
    log, steps = read_state(Path("trained"))
    write_report(scratch, splits=splits, log=log, steps=steps)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
