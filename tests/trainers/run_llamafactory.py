"""Run LLaMA-Factory's recipe, in its own environment: `run_llamafactory.py SCRATCH`, from the folder of the data set.

Its command saves the rows that it prepared. The model and that place are all that is not the recipe's.
"""

import json
import subprocess
import sys
from pathlib import Path

from datasets import load_from_disk
from prepared_rows import describe_rows, read_state, write_report
from tiny_model import make_tiny_model

scratch = Path(sys.argv[1])
tokenizer = make_tiny_model(scratch / "model", json.loads((scratch / "texts.json").read_text()))
command = [
    str(Path(sys.executable).with_name("llamafactory-cli")),
    "train",
    "recipes/llamafactory.yaml",
    f"model_name_or_path={scratch / 'model'}",
    f"tokenized_path={scratch / 'prepared'}",
]
subprocess.run(command, check=True)
prepared = load_from_disk(scratch / "prepared")
log, steps = read_state(Path("trained"))
write_report(
    scratch, splits={split: describe_rows(tokenizer, rows) for split, rows in prepared.items()}, log=log, steps=steps
)
