"""Which parts of a text are prose: code, formulas and paths have braces, backslashes and tags of their own."""

import re

_NOT_PROSE = re.compile(
    r"```.*?(?:```|\Z)"
    r"|~~~.*?(?:~~~|\Z)"
    r"|`[^`\n]+`"
    r"|\$\$[^$]+\$\$"
    r"|\$(?=\S)[^$\n]{0,200}[\\^_{=][^$\n]{0,200}(?<=\S)\$(?!\d)"
    r"|\\\([^\\]*+(?:\\[^()][^\\]*+)*+\\\)"
    r"|\\\[[^\\]*+(?:\\[^\[\]][^\\]*+)*+\\\]"
    r"|\\begin\{(?=(\w{1,20}\*?)\})[^\\]*+(?:\\(?!begin|end)[^\\]*+|\\[^\w])*+\\end\{\1\}"
    r"|\b[A-Za-z]{1,8}:\\[\w\\.-]+",
    re.DOTALL,
)


def blank_code(text: str) -> str:
    """Return the text with blanks in place of code, formulas and paths, so that all other characters keep their places."""
    return _NOT_PROSE.sub(_blank, text)


def _blank(found: re.Match[str]) -> str:
    return " " * (found.end() - found.start())
