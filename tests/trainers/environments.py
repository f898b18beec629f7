"""A virtual environment for each trainer, kept for the next run."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from core.domain.datasets.training_formats import TrainingFormat

MESSAGES = (TrainingFormat.MESSAGES_JSONL, TrainingFormat.MESSAGES_PARQUET)


class NotInstalled(Exception):
    """A trainer could not be installed."""


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """What is installed, and which formats have a recipe for it."""

    name: str
    version: str
    requirements: tuple[str, ...]
    formats: tuple[TrainingFormat, ...]

    def find_program(self, build: Path) -> Path:
        """Return the Python of its environment."""
        return (build / self.name / "bin" / "python").absolute()


TRAINERS = {
    each.name: each
    for each in (
        Trainer(
            name="trl",
            version="1.16.0",
            requirements=("trl==1.16.0", "peft<1"),
            formats=(*MESSAGES, TrainingFormat.PROMPT_COMPLETION),
        ),
        Trainer(
            name="llamafactory",
            version="0.9.5",
            requirements=("llamafactory==0.9.5", "torch==2.11.0", "torchaudio==2.11.0"),  # Another pair does not load.
            formats=(*MESSAGES, TrainingFormat.SHAREGPT),
        ),
        Trainer(
            name="axolotl",
            version="0.19.0",
            requirements=("axolotl==0.19.0",),
            formats=(*MESSAGES, TrainingFormat.SHAREGPT),
        ),
    )
}


def install(trainer: Trainer, build: Path) -> None:
    """Install a trainer unless it is there; raise NotInstalled."""
    place = build / trainer.name
    mark = place / "installed.txt"
    wanted = "\n".join(trainer.requirements)
    if mark.is_file() and mark.read_text() == wanted:
        return
    uv = Path(sys.executable).with_name("uv")
    for command in (
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, place],
        [uv, "pip", "install", "--quiet", "--python", trainer.find_program(build), *trainer.requirements],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotInstalled(done.stderr.strip())
    mark.write_text(wanted)
