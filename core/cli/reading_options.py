"""Options of the commands that read and judge files: what names of roles mean, whose turns are judged, and how surely."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from core.domain.verdict.conversation import Role
from core.domain.verdict.formats.judging import JudgeOptions
from core.domain.verdict.formats.roles import ROLE_WORDS, Voice
from core.domain.verdict.verdict import Confidence

_EXAMPLE = "client=user,advisor=assistant"
PathsArgument = Annotated[
    list[Path], typer.Argument(metavar="PATH...", help="Files, or folders of JSON, JSON Lines, CSV and Parquet.")
]
RolesOption = Annotated[
    str | None,
    typer.Option("--roles", metavar="NAME=ROLE[,…]", help=f"Who is meant by other names of roles, such as {_EXAMPLE}."),
]
JudgeOption = Annotated[
    Role | None, typer.Option("--judge", metavar="ROLE", help="Judge the turns of one speaker alone: assistant or user.")
]
ConfidenceOption = Annotated[
    Confidence, typer.Option("--min-confidence", help="How sure a finding must be to count: low counts all.")
]


def parse_roles(text: str | None) -> Mapping[str, Voice]:
    """Read names of roles and what they mean. Raises BadParameter."""
    pairs = [pair.partition("=") for pair in (text or "").split(",") if pair.strip()]
    words = {str(voice): voice for voice in ROLE_WORDS}
    for name, _, word in pairs:
        if not name.strip() or word.strip().lower() not in words:
            raise typer.BadParameter(
                f"Write {_EXAMPLE}, where each role is one of {', '.join(words)}.", param_hint="--roles"
            )
    return {name.strip(): words[word.strip().lower()] for name, _, word in pairs}


def choose_options(role: Role | None, least: Confidence) -> JudgeOptions:
    """What is judged if one speaker is asked for, or nobody is, and how sure it must be to count."""
    return JudgeOptions(speakers=None if role is None else frozenset({role}), least=least)


def describe_counts(counts: Mapping[str, int]) -> str:
    """Write counts as `3 system messages, 1 images`: what is counted stands in the plural."""
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def describe_rejected(replies: int, damaged: int) -> str:
    """Say what became of the answers that a preference rejected."""
    return f"Rejected replies, which are meant to be worse: {replies:,}, of them {damaged:,} cut or damaged (not flagged)."
