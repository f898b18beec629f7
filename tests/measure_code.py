"""Count the code of two commits side by side: lines and files by folder, and how often SQL defines a thing.

`make measure-code BEFORE=59bc2a5` (AFTER is HEAD unless it is said). A line counts if it holds code: no blank line, no comment, no
docstring. Tests and data are left out. Standard library and git only.
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


def main() -> None:
    before_name, after_name = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "HEAD"  # noqa: PLR2004 -- BEFORE and AFTER
    before, after = Code(before_name), Code(after_name)
    print(
        f"| folder | lines {before_name} | lines {after_name} | files {before_name} | files {after_name} |\n|---|---|---|---|---|"
    )
    for folder in sorted(before.lines | after.lines):
        print(
            f"| {folder} | {before.lines[folder]:,} | {after.lines[folder]:,} | {before.files[folder]} | {after.files[folder]} |"
        )
    print(f"\n| | {before_name} | {after_name} |\n|---|---|---|")
    for name, endings in (("Python", (".py",)), ("SQL", (".sql",)), ("JavaScript", (".mjs",))):
        print(f"| {name}, lines | {before.sum_lines(*endings):,} | {after.sum_lines(*endings):,} |")
    for folder in ("migrations", "migrations/schema"):
        rows = [
            f"{objects} objects, {copies} copies"
            for objects, copies in map(Code.count_definitions, (before, after), (folder,) * 2)
        ]
        print(f"| functions and views in {folder} | {rows[0]} | {rows[1]} |")


if __name__ == "__main__":
    main()
