"""The words that people read: texts of pages, commands, settings and messages, and which of them have a better one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from core.domain.record import Record

READ = ("core", "pages", "Home.py", "worker.py")
UNREAD = (
    "core/bench/volume.py",
    "core/embedded/simulator/",
    "core/adapters/claude/retry_after.py",
    "core/scaffolding_data/",
)
"""SQL, and what Claude and other servers say."""
FORBIDDEN: dict[str, str] = {
    r"success rate": "acceptance rate",
    r"\b(have|has|had|who|that|enough|some|none) pass(es)?\b|\bpassed\b": "accepted; resolved, of an alert",
    r"\b(mend(s|ed)?|repeat(s|ed)?)\b|\bt(ry|ried) (it |them |its own )?(once more|again)\b": "retry, fixed, generate again",
    r"\bdoorbell|\brings? (again|for)|\brung\b": "enqueue",
    r"\bby itself\b|\bpauses itself\b": "automatically",
    r"\bis moving\b": "has work in flight",
    r"\bkinds? of failures?\b|\bway to fail\b|\bways of failing\b|\bare (of )?one kind\b": "failure signature",
    r"\bstandings?\b": "status",
    r"\bat once: changed|\bwithout a refusal|\bcalls at once\b": "parallel calls",
    r"\b(tokens at most|output token limit)\b": "max output tokens",
    r"\btak(e|es|en|ing) (\w+ ){0,2}away\b": "remove",
    r"\bgo on with\b": "continue",
    r"\bnot now\b": "cancel",
    r"\bso many \w+( |,).*(first|run)\b": "generate this many first",
    r"\bmeanwhile\b": "already, since then",
    r"\bof those judged\b": "of judged items",
    r"\bunder the (other )?filters\b|\bunder these filters\b": "with these filters, filtered",
    r"\bwas not written for\b": "is not recommended for",
    r"(\d|\}) there already\b": "already done",
    r"\bprovably\b": "clearly",
    r"\bwould tell\b": "not enough data",
    r"\bmay be chance\b|\btoo few to say\b": "could be chance, not enough data",
    r"%\}? with 95": "likely between",
    r"\bthe model's own\b|\bas before\b": "model default, unchanged",
    r"\b(one|object) a line\b": "per line",
    r"\bnobody foresaw\b": "unexpectedly",
    r"\bwhat of it\b|\ba \w+ that is none\b": "plain English",
    r"\d%|%\}%|:\.\d%\}": "`27 %`, by format_percent",
}
"""Regular expressions, in any case, with what is said instead."""


class Finding(Record):
    """A word that has a better one."""

    place: str
    text: str
    better: str


def find_forbidden(path: str, source: str) -> Iterator[Finding]:
    """Give every text of a file, docstrings aside unless a command's help is made of them, that has a forbidden word."""
    tree = ast.parse(source)
    unread = _list_unread(tree, with_help=path.startswith("core/cli"))
    for node in ast.walk(tree):
        text = _read_text(node)
        if text is None or id(node) in unread:
            continue
        for pattern, better in FORBIDDEN.items():
            if re.search(pattern, text, re.IGNORECASE):
                yield Finding(place=f"{path}:{getattr(node, 'lineno', 0)}", text=text, better=better)


def list_files(root: Path) -> Iterator[Path]:
    """Give the files whose texts people read."""
    for part in READ:
        files = [root / part] if part.endswith(".py") else sorted((root / part).rglob("*.py"))
        yield from (file for file in files if not str(file.relative_to(root)).startswith(UNREAD))


def _read_text(node: ast.AST) -> str | None:
    """Return a text as it stands in the source; of one that is put together, with its values in braces."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr():
            return ast.unparse(node)
        case _:
            return None


def _list_unread(tree: ast.Module, *, with_help: bool) -> set[int]:
    """Docstrings and texts beside names; pieces of a text that is put together; keys and the names of functions."""
    unread: set[int] = set()
    for node in ast.walk(tree):
        body: list[ast.stmt] = getattr(node, "body", []) if not isinstance(node, ast.Lambda | ast.IfExp) else []
        for statement in body:
            is_help = with_help and isinstance(node, ast.FunctionDef)
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and not is_help:
                unread.add(id(statement.value))
        if isinstance(node, ast.JoinedStr):
            unread |= {id(piece) for piece in ast.walk(node) if piece is not node}
    return unread
