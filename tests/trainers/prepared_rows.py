"""What a trainer made of the rows, as the check judges it. Runs inside a trainer's environment."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

IGNORED = -100
"""The label of a token without loss."""


def describe_rows(tokenizer: Any, rows: Iterable[Mapping[str, Sequence[int]]]) -> list[dict[str, Any]]:
    """Return of each row how many tokens it has, and the texts that are trained on, one for each stretch of labels."""
    return [
        {
            "tokens": len(row["input_ids"]),
            "trained_tokens": sum(label != IGNORED for label in row["labels"]),
            "trained": [
                tokenizer.decode(list(stretch)) for ignored, stretch in groupby(row["labels"], IGNORED.__eq__) if not ignored
            ],
        }
        for row in rows
    ]


def write_report(
    scratch: Path, *, splits: Mapping[str, list[dict[str, Any]]], log: Sequence[Mapping[str, Any]], steps: int
) -> None:
    """Hand over to the check: the prepared rows of each split, the losses that were logged, the number of steps."""
    losses = [entry["loss"] for entry in log if "loss" in entry]
    (scratch / "report.json").write_text(json.dumps({"splits": splits, "losses": losses, "steps": steps}))


def read_state(trained: Path) -> tuple[list[dict[str, Any]], int]:
    """Return the log and the number of steps, from the newest state that a trainer left in its output folder."""
    states = sorted(trained.rglob("trainer_state.json"), key=lambda path: path.stat().st_mtime)
    state = json.loads(states[-1].read_text())
    return state["log_history"], state["global_step"]
