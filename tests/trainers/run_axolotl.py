"""Run Axolotl's recipe, in its own environment: `run_axolotl.py SCRATCH`, from the folder of the data set.

What its `train` command does, with a look at the rows before it trains. The model and the place of prepared rows are all
that is not the recipe's.
"""

import json
import sys
from pathlib import Path

from axolotl.cli.config import load_cfg
from axolotl.common.datasets import load_datasets
from axolotl.train import train
from prepared_rows import describe_rows, read_state, write_report
from tiny_model import make_tiny_model

scratch = Path(sys.argv[1])
tokenizer = make_tiny_model(scratch / "model", json.loads((scratch / "texts.json").read_text()))
recipe = load_cfg("recipes/axolotl.yaml", base_model=str(scratch / "model"), dataset_prepared_path=str(scratch / "prepared"))
prepared = load_datasets(cfg=recipe)
splits = {
    "train": describe_rows(tokenizer, prepared.train_dataset),
    "validation": describe_rows(tokenizer, prepared.eval_dataset),
}
train(cfg=recipe, dataset_meta=prepared)
log, steps = read_state(Path("trained"))
write_report(scratch, splits=splits, log=log, steps=steps)
