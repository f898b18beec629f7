"""Run TRL's recipe as it is, in its own environment: `run_trl.py SCRATCH`, from the folder of the data set.

Parquet goes through the template of the recipe's own model, which has no marks: TRL is to put one with marks in its place.
"""

import json
import runpy
import sys
from pathlib import Path

import trl
from prepared_rows import describe_rows, write_report
from tiny_model import make_tiny_model

scratch = Path(sys.argv[1])
tokenizer = make_tiny_model(scratch / "model", json.loads((scratch / "texts.json").read_text()))
if Path("data/messages-parquet").is_dir():
    templates = Path(trl.__file__).with_name("chat_templates")
    tokenizer.chat_template = (templates / "qwen3_instruct_2507.jinja").read_text()
    tokenizer.save_pretrained(scratch / "model")
sys.argv = ["recipes/trl_sft.py", str(scratch / "model")]
trainer = runpy.run_path(sys.argv[0])["trainer"]
write_report(
    scratch,
    splits={
        "train": describe_rows(tokenizer, trainer.train_dataset),
        "validation": describe_rows(tokenizer, trainer.eval_dataset),
    },
    log=trainer.state.log_history,
    steps=trainer.state.global_step,
)
