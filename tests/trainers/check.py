"""Let the trainers themselves read an export: `make check-trainers`, or some of them with TRAINERS="trl axolotl".

Each has an environment of its own under build/trainers, runs the recipe that lies beside the data with a tiny random model
on the CPU, and hands over what it made of the rows. Every row of every split must be there, uncut; what is trained on must
be what the assistant says and the end of its turn; and the loss must fall.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from math import nan
from pathlib import Path
from statistics import fmean
from typing import Any

from core.adapters.files.dataset_folder import write_folder
from core.adapters.hub.card import add_hub_data
from core.domain.datasets.splits import SplitRule
from core.domain.datasets.training_formats import TrainingFormat
from core.domain.datasets.versions import FrozenConversation
from core.domain.verdict.conversation import Role
from core.services.dataset_export import DatasetExporter, ExportOptions
from tests.trainers.environments import TRAINERS, NotInstalled, Trainer, install
from tests.trainers.sample import describe_version, make_sample

BUILD = Path("build/trainers")
HERE = Path(__file__).parent
SHARE = 0.1
SYSTEM = "You are a calm financial planner."
TURN_ENDS = ("<|im_end|>\n", "<|im_end|>")
"""Trainers differ in whether the line end after a turn is learned."""
FEWEST_STEPS = 20
LONGEST_DEFAULT = 2_048
"""No trainer takes more without being told: something in the sample must be longer."""


def export_format(conversations: tuple[FrozenConversation, ...], form: TrainingFormat, folder: Path) -> dict[str, int]:
    """Write an export of one format, so that its own recipes lie beside it, and return how many rows each split has.

    Parquet is without a system message.
    """
    dataset, version = describe_version(conversations)
    exporter = DatasetExporter(read_version=lambda _: iter(conversations), add_hub_data=add_hub_data)
    system = None if form is TrainingFormat.MESSAGES_PARQUET else SYSTEM
    options = ExportOptions(formats=(form,), split=SplitRule(validation_share=SHARE), system=system)
    with write_folder(folder, force=True) as target:
        rows = exporter.export(dataset, version, options, target).rows
    return {Path(path).stem: count for path, count in rows.items()}


def list_answers(conversations: Sequence[FrozenConversation], form: TrainingFormat) -> Counter[tuple[str, ...]]:
    """Return what the assistant says, by row: a conversation, or one answer where each has a row."""
    said = [tuple(turn.content for turn in each.turns if turn.role is Role.ASSISTANT) for each in conversations]
    if form is TrainingFormat.PROMPT_COMPLETION:
        return Counter((answer,) for answers in said for answer in answers)
    return Counter(said)


def run_recipe(trainer: Trainer, folder: Path, scratch: Path, texts: Sequence[str]) -> dict[str, Any]:
    """Return what the trainer reports of the folder."""
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(folder, scratch / "data")
    (scratch / "texts.json").write_text(json.dumps(texts))
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(scratch.resolve() / "cache"),
        "DO_NOT_TRACK": "1",
        "OMP_NUM_THREADS": "1",  # Threads that wait for each other cost a tiny model more than they bring.
    }
    with (scratch / "log.txt").open("w") as log:
        subprocess.run(
            [trainer.find_program(BUILD), HERE.resolve() / f"run_{trainer.name}.py", scratch.resolve()],
            cwd=scratch / "data",
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=True,
        )
    return json.loads((scratch / "report.json").read_text())


def find_faults(counts: dict[str, int], expected: Counter[tuple[str, ...]], report: dict[str, Any]) -> list[str]:
    """Return what does not hold."""
    faults: list[str] = []
    if counts != (prepared := {split: len(rows) for split, rows in report["splits"].items()}):
        faults.append(f"of {counts} rows it prepared {prepared}")
    rows = [row for split in report["splits"].values() for row in split]
    trained = Counter(tuple(map(_remove_end, row["trained"])) for row in rows)
    if missing := expected - trained:
        faults.append(
            f"{missing.total()} of {expected.total()} rows are not there as they are, such as {next(iter(missing))!r:.200}"
        )
    if other := trained - expected:
        faults.append(f"{other.total()} rows train on something else, such as {next(iter(other))!r:.200}")
    if max(row["tokens"] for row in rows) <= LONGEST_DEFAULT:
        faults.append("nothing is longer than the defaults take, so that nothing shows whether it would be cut")
    before, after = average_losses(report)
    if report["steps"] < FEWEST_STEPS or not after < before:
        faults.append(f"the loss does not fall in {report['steps']} steps: {report['losses']}")
    return faults


def average_losses(report: dict[str, Any]) -> tuple[float, float]:
    """Return the mean loss of the first and of the second half of the steps, in which about the same rows are seen again.

    What was not logged is no number, and so lower than nothing.
    """
    losses = report["losses"]
    halves = losses[: len(losses) // 2], losses[len(losses) // 2 :]
    before, after = (fmean(half) if half else nan for half in halves)
    return before, after


def _remove_end(text: str) -> str:
    """Return a text without the end of its turn; one that lacks it is marked, so that it equals no answer."""
    end = next((end for end in TURN_ENDS if text.endswith(end)), None)
    return f"(no end) {text}" if end is None else text.removesuffix(end)


def check(trainer: Trainer, form: TrainingFormat, conversations: tuple[FrozenConversation, ...]) -> list[str]:
    """Export and print the row of the table; return what does not hold."""
    texts = [turn.content for each in conversations for turn in each.turns]
    exported, scratch = BUILD / "exports" / form.value, BUILD / "runs" / f"{trainer.name}-{form.value}"
    counts = export_format(conversations, form, exported)
    try:
        report = run_recipe(trainer, exported, scratch, texts)
    except subprocess.CalledProcessError:
        ending = (scratch / "log.txt").read_text(errors="replace")[-3_000:]
        return [f"its command failed; the end of {scratch / 'log.txt'} is:\n{ending}"]
    rows = [row for split in report["splits"].values() for row in split]
    tokens = [row["tokens"] for row in rows]
    share = sum(row["trained_tokens"] for row in rows) / sum(tokens)
    prepared = " + ".join(str(len(split)) for split in report["splits"].values())
    losses = "{:.3f} to {:.3f}".format(*average_losses(report))
    cells = (
        trainer.name,
        trainer.version,
        form.value,
        prepared,
        f"{share:.2f}",
        f"{max(tokens):,}",
        losses,
        report["steps"],
    )
    print(f"| {' | '.join(map(str, cells))} |", flush=True)
    return find_faults(counts, list_answers(conversations, form), report)


def main() -> None:
    """Check the trainers asked for; exit 1 if anything does not hold."""
    parser = argparse.ArgumentParser(description="Let the trainers themselves read an export.")
    parser.add_argument("names", nargs="*", choices=[[], *TRAINERS], help="all if none is named")
    names = parser.parse_args().names or list(TRAINERS)
    conversations = make_sample()
    faults: list[str] = []
    print(
        "| trainer | version | format | rows | share trained | longest | loss | steps |\n|---|---|---|---|---|---|---|---|"
    )
    for name in names:
        trainer = TRAINERS[name]
        try:
            install(trainer, BUILD)
        except NotInstalled as error:
            faults.append(f"{name} {trainer.version} cannot be installed: {error}")
            continue
        for form in trainer.formats:
            faults += [f"{name}, {form.value}: {fault}" for fault in check(trainer, form, conversations)]
    for fault in faults:
        print(fault, file=sys.stderr)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
