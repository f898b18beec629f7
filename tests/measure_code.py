"""Count the code of two commits side by side: lines and files by folder, and how often SQL defines a thing.

`make measure-code BEFORE=59bc2a5` (AFTER is HEAD unless it is said). A line counts if it holds code: no blank, no comment,
no docstring. Tests and data are left out. Standard library and git only.
"""

import ast
import re
import subprocess
import sys
import tokenize
from collections import Counter
from io import StringIO
from pathlib import PurePosixPath

DEFINITION = re.compile(r"^create (?:or replace )?(function|view)\s+([\w.]+)", re.IGNORECASE | re.MULTILINE)
FOLDERS = ("core", "pages", "migrations")
FILES = ("Home.py", "worker.py")


def run_git(*arguments: str) -> str:
    """Return what git says."""
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def count_python_lines(source: str) -> int:
    """Count the lines that hold a token of code; a docstring is a comment."""
    lines: set[int] = set()
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    for token in tokenize.generate_tokens(StringIO(source).readline):
        if token.type not in silent:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str()), end_lineno=int(last)):
                lines.difference_update(range(node.lineno, last + 1))
            case _:
                pass
    return len(lines)


def count_lines(path: str, source: str) -> int:
    """Count the lines of code of a file, by its language."""
    if path.endswith(".py"):
        return count_python_lines(source)
    comment = "--" if path.endswith(".sql") else "//"
    return sum(bool(line.strip()) and not line.strip().startswith(comment) for line in source.splitlines())


def find_folder(path: str) -> str:
    """Name the folder that a file counts for: two levels of core/, one of the rest."""
    parents = PurePosixPath(path).parent.parts
    return "/".join(parents[:3]) or "."


class Code:
    """The production code of one commit."""

    def __init__(self, commit: str) -> None:
        listed = run_git("ls-tree", "-r", "--name-only", commit, *FOLDERS, *FILES).splitlines()
        self.sources = {
            path: run_git("show", f"{commit}:{path}") for path in listed if path.endswith((".py", ".sql", ".mjs"))
        }
        self.lines: Counter[str] = Counter()
        self.files: Counter[str] = Counter()
        for path, source in self.sources.items():
            self.lines[find_folder(path)] += count_lines(path, source)
            self.files[find_folder(path)] += 1

    def sum_lines(self, *endings: str) -> int:
        """Sum the lines of the files with one of these endings; migrations/schema repeats what the migrations made."""
        return sum(
            count_lines(path, source)
            for path, source in self.sources.items()
            if path.endswith(endings) and not path.startswith("migrations/schema/")
        )

    def count_definitions(self, folder: str) -> tuple[int, int]:
        """Count the SQL objects of a folder and the definitions beyond the first of each."""
        found = Counter(
            (kind.lower(), name.lower())
            for path, source in self.sources.items()
            if path.endswith(".sql") and str(PurePosixPath(path).parent) == folder
            for kind, name in DEFINITION.findall(source)
        )
        return len(found), found.total() - len(found)


def print_row(*cells: str | int) -> None:
    """Print a row of a table in Markdown."""
    print("|", " | ".join(f"{cell:,}" if isinstance(cell, int) else cell for cell in cells), "|")


def main() -> None:
    before_name, after_name = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "HEAD"
    before, after = Code(before_name), Code(after_name)
    print_row("folder", *(f"{what} {name}" for what in ("lines", "files") for name in (before_name, after_name)))
    print_row(*["---"] * 5)
    for folder in sorted(before.lines | after.lines):
        print_row(folder, before.lines[folder], after.lines[folder], before.files[folder], after.files[folder])
    print()
    print_row("", before_name, after_name)
    print_row(*["---"] * 3)
    for name, endings in (("Python", (".py",)), ("SQL", (".sql",)), ("JavaScript", (".mjs",))):
        print_row(f"{name}, lines", before.sum_lines(*endings), after.sum_lines(*endings))
    for folder in ("migrations", "migrations/schema"):
        counts = [code.count_definitions(folder) for code in (before, after)]
        print_row(f"functions and views in {folder}", *(f"{objects}, {copies} copies beside" for objects, copies in counts))


if __name__ == "__main__":
    main()
