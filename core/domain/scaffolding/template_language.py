"""The language of prompt templates: placeholders, loops over lists and conditions, in Jinja's notation, and nothing else.

Jinja only parses. Its tree is translated into the few parts below, and what has no translation is refused with a message, so
a template cannot call, compute or reach anything. `template_filling` fills the parts within limits of its own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import assert_never

from jinja2 import Environment, TemplateError, nodes

from core.errors import TemplateInvalid

MAX_TEMPLATE_CHARACTERS = 50_000
"""Of each of its two texts; the database holds to it, too."""
MAX_TOKENS = 5_000
"""Of each text, as Jinja counts: names, operators, spaces in tags, stretches of plain text. Parsing takes time by them."""
MAX_NUMBER = 1e15
MAX_DEPTH = 20
"""How deep loops, conditions and comparisons may be nested."""
QUOTED_CHARACTERS, SEARCHED_CHARACTERS = 80, 2000
"""Of the line that is at fault: as many as a message shows, and as many as are searched for it."""
ADVICE = "Use placeholders, {% for %} over lists and {% if %}."

_SYNTAX = Environment(autoescape=False, trim_blocks=True, lstrip_blocks=True)  # noqa: S701 - parses alone, and nothing is HTML

_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}")
_PLACEHOLDER = re.compile(r"\{\{-?\s*\w+\s*-?\}\}")


class Kind(StrEnum):
    """What a value is."""

    TEXT = "a text"
    NUMBER = "a number"
    LIST = "a list"
    FLAG = "true or false"


class LoopFact(StrEnum):
    """What a loop knows of the entry that it is at."""

    FIRST = "first"
    LAST = "last"
    INDEX = "index"


class TextFilter(StrEnum):
    """How a value may be changed on its way into the prompt."""

    LOWER = "lower"
    UPPER = "upper"
    CAPITALIZE = "capitalize"
    TITLE = "title"
    TRIM = "trim"


class Operator(StrEnum):
    """How two values may be compared, by Jinja's names."""

    EQUAL = "eq"
    UNEQUAL = "ne"
    LESS = "lt"
    AT_MOST = "lteq"
    MORE = "gt"
    AT_LEAST = "gteq"
    WITHIN = "in"
    NOT_WITHIN = "notin"


@dataclass(frozen=True, slots=True)
class Variable:
    """A placeholder, or the entry of a loop."""

    name: str


@dataclass(frozen=True, slots=True)
class LoopState:
    """`loop.first` and its sisters, of the innermost loop."""

    fact: LoopFact


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that the template spells out."""

    value: str | float


@dataclass(frozen=True, slots=True)
class Filtered:
    """A value, changed."""

    value: "Expression"
    filter: TextFilter


@dataclass(frozen=True, slots=True)
class Joined:
    """A list in one line."""

    name: str
    separator: str


@dataclass(frozen=True, slots=True)
class Negation:
    """`not`."""

    value: "Expression"


@dataclass(frozen=True, slots=True)
class Junction:
    """`and`, `or`."""

    left: "Expression"
    right: "Expression"
    needs_both: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two values, compared."""

    left: "Expression"
    operator: Operator
    right: "Expression"


Expression = Variable | LoopState | Literal | Filtered | Joined | Negation | Junction | Comparison


@dataclass(frozen=True, slots=True)
class Text:
    """What stands in the prompt as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Insertion:
    """`{{ value }}`."""

    value: Expression


@dataclass(frozen=True, slots=True)
class Loop:
    """`{% for entry in name %}`; `otherwise` stands for an empty list."""

    entry: str
    name: str
    body: "Parts"
    otherwise: "Parts"


@dataclass(frozen=True, slots=True)
class Choice:
    """`{% if %}` and its `{% elif %}`: the first branch whose condition holds, or `otherwise`."""

    branches: tuple[tuple[Expression, "Parts"], ...]
    otherwise: "Parts"


Parts = tuple[Text | Insertion | Loop | Choice, ...]


@dataclass(frozen=True, slots=True)
class TemplateText:
    """One of a template's two texts, translated, with the placeholders that it names, known or not."""

    parts: Parts
    placeholders: frozenset[str]


def read_template_text(part: str, source: str, kinds: Mapping[str, Kind]) -> TemplateText:
    """Translate one of a template's texts; `kinds` says what each placeholder is.

    Raises TemplateInvalid for whatever is not in the language, with a message for the analyst that names the `part`.
    """
    if len(source) > MAX_TEMPLATE_CHARACTERS:
        raise TemplateInvalid(f"The {part} has {len(source):,} characters; at most {MAX_TEMPLATE_CHARACTERS:,} are allowed.")
    reader = _Reader(part=part, source=source, kinds=kinds, placeholders=set())
    try:
        if any(True for _ in islice(_SYNTAX.lex(source), MAX_TOKENS, None)):
            raise TemplateInvalid(f"The {part} has too many placeholders, loops and conditions. Shorten it.")  # noqa: TRY301
        parts = reader.read_parts(_SYNTAX.parse(source).body, _Scope())
    except TemplateInvalid:
        raise
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise TemplateInvalid(
            f"The {part} does not parse{f' (line {line})' if line else ''}: {str(error).rstrip('.')}."
        ) from error
    except RecursionError as error:
        raise TemplateInvalid(f"The {part} is nested too deeply. {ADVICE}") from error
    except Exception as error:
        # Whatever the library makes of what anybody may type, such as a number of 5,000 digits.
        raise TemplateInvalid(f"The {part} does not parse: {str(error)[:200]}.") from error
    return TemplateText(parts=parts, placeholders=frozenset(reader.placeholders))


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where a node stands: the entries of the loops around it, and how deep."""

    entries: frozenset[str] = frozenset()
    depth: int = 0

    def enter(self, entry: str | None = None) -> "_Scope":
        return _Scope(self.entries if entry is None else self.entries | {entry}, self.depth + 1)


@dataclass(frozen=True, slots=True)
class _Reader:
    part: str
    source: str
    kinds: Mapping[str, Kind]
    placeholders: set[str]

    def read_parts(self, statements: list[nodes.Node], scope: _Scope) -> Parts:
        parts: list[Text | Insertion | Loop | Choice] = []
        for statement in statements:
            self._check_depth(statement, scope)
            match statement:
                case nodes.Output():
                    parts += [self._read_output(node, scope) for node in statement.nodes]
                case nodes.For():
                    parts.append(self._read_loop(statement, scope))
                case nodes.If():
                    branches = [(branch.test, branch.body) for branch in (statement, *statement.elif_)]
                    parts.append(
                        Choice(
                            branches=tuple(
                                (self._read(test, scope.enter()), self.read_parts(body, scope.enter()))
                                for test, body in branches
                            ),
                            otherwise=self.read_parts(statement.else_, scope.enter()),
                        )
                    )
                case _:
                    raise self._refuse(statement)
        return tuple(parts)

    def _read_output(self, node: nodes.Node, scope: _Scope) -> Text | Insertion:
        if isinstance(node, nodes.TemplateData):
            return Text(node.data)
        return Insertion(self._read(node, scope.enter()))

    def _read_loop(self, loop: nodes.For, scope: _Scope) -> Loop:
        if not isinstance(loop.target, nodes.Name) or loop.recursive or loop.test is not None:
            raise self._refuse(loop, "a loop other than {% for entry in list %}")
        entry = loop.target.name
        if entry in self.kinds or entry == "loop":
            raise self._refuse(loop, f"{entry} for the entries of a loop, though it is a name already")
        return Loop(
            entry=entry,
            name=self._read_list(loop.iter, scope),
            body=self.read_parts(loop.body, scope.enter(entry)),
            otherwise=self.read_parts(loop.else_, scope.enter()),
        )

    def _read_list(self, node: nodes.Node, scope: _Scope) -> str:
        if not isinstance(node, nodes.Name) or node.name in scope.entries:
            raise self._refuse(node, None if isinstance(node, nodes.Call) else "something else than a list's placeholder")
        self.placeholders.add(node.name)
        if self.kinds.get(node.name, Kind.LIST) is not Kind.LIST:
            raise self._refuse(node, f"{node.name} as a list, though it is {self.kinds[node.name]}")
        return node.name

    def _read(self, node: nodes.Node, scope: _Scope) -> Expression:
        self._check_depth(node, scope)
        inner = scope.enter()
        match node:
            case nodes.Not():
                return Negation(self._read(node.node, inner))
            case nodes.And() | nodes.Or():
                left, right = self._read(node.left, inner), self._read(node.right, inner)
                return Junction(left, right, needs_both=isinstance(node, nodes.And))
            case nodes.Compare(ops=[operand]):
                left, right = self._read(node.expr, inner), self._read(operand.expr, inner)
                return self._compare(node, left, Operator(operand.op), right, scope)
            case nodes.Filter():
                return self._read_filter(node, inner)
            case _:
                return self._read_value(node, scope)

    def _read_value(self, node: nodes.Node, scope: _Scope) -> Variable | Literal | LoopState:
        match node:
            case nodes.Name():
                if node.name not in scope.entries:
                    self.placeholders.add(node.name)
                return Variable(node.name)
            case nodes.Const(value=bool() | int() | float() | str()):
                return self._read_literal(node)
            case nodes.Getattr(node=nodes.Name(name="loop"), attr=attribute) if attribute in set(LoopFact):
                if not scope.entries:
                    raise self._refuse(node, "loop outside of a loop")
                return LoopState(LoopFact(attribute))
            case _:
                raise self._refuse(node)

    def _read_filter(self, node: nodes.Filter, scope: _Scope) -> Filtered | Joined:
        match node:
            case nodes.Filter(name="join", node=nodes.Node() as value, args=[nodes.Const(value=str() as separator)]):
                return Joined(self._read_list(value, scope), separator)
            case nodes.Filter(node=nodes.Node() as value, args=[], kwargs=[]) if node.name in set(TextFilter):
                return Filtered(self._read(value, scope), TextFilter(node.name))
            case _:
                raise self._refuse(node)

    def _read_literal(self, node: nodes.Const) -> Literal:
        value: str | float = node.value
        if isinstance(value, str) and not all(character.isprintable() or character in "\n\t" for character in value):
            raise self._refuse(node, "a character that cannot be printed")
        if not isinstance(value, str) and not abs(value) < MAX_NUMBER:  # An integer of any size could not even be written.
            raise self._refuse(node, "a number that is too large")
        return Literal(value)

    def _compare(
        self, node: nodes.Node, left: Expression, operator: Operator, right: Expression, scope: _Scope
    ) -> Comparison:
        """Refuse what could not be compared, so that no filling fails for it."""
        kinds = (self._find_kind(left, scope), self._find_kind(right, scope))
        match operator:
            case Operator.EQUAL | Operator.UNEQUAL:
                allowed = True
            case Operator.LESS | Operator.AT_MOST | Operator.MORE | Operator.AT_LEAST:
                allowed = kinds == (Kind.NUMBER, Kind.NUMBER)
            case Operator.WITHIN | Operator.NOT_WITHIN:
                allowed = kinds[0] is Kind.TEXT and kinds[1] in (Kind.TEXT, Kind.LIST)
            case _:
                assert_never(operator)
        if not allowed:
            raise self._refuse(node, f"a comparison of {kinds[0]} with {kinds[1]}")
        return Comparison(left, operator, right)

    def _find_kind(self, expression: Expression, scope: _Scope) -> Kind:
        match expression:
            case Variable(name=name):
                return Kind.TEXT if name in scope.entries else self.kinds.get(name, Kind.TEXT)
            case LoopState(fact=fact):
                return Kind.NUMBER if fact is LoopFact.INDEX else Kind.FLAG
            case Literal(value=bool()) | Negation() | Junction() | Comparison():
                return Kind.FLAG
            case Literal(value=value):
                return Kind.TEXT if isinstance(value, str) else Kind.NUMBER
            case Filtered() | Joined():
                return Kind.TEXT
            case _:
                assert_never(expression)

    def _check_depth(self, node: nodes.Node, scope: _Scope) -> None:
        if scope.depth > MAX_DEPTH:
            raise self._refuse(node, f"more than {MAX_DEPTH} loops, conditions or comparisons inside one another")

    def _refuse(self, node: nodes.Node, what: str | None = None) -> TemplateInvalid:
        """Say what is not allowed, where, and what is."""
        if isinstance(node, nodes.Filter) and node.name not in (*TextFilter, "join"):
            offered = f"there are {', '.join(TextFilter)}, and join(', ') of a list"
            return TemplateInvalid(
                f"The {self.part} does not parse (line {node.lineno}): there is no filter {node.name}; {offered}."
            )
        line_number = node.lineno or 1  # Jinja forgets that of {% autoescape %}.
        where = f"line {line_number}: {_quote_tags(self.source, line_number)}"
        return TemplateInvalid(f"The {self.part} uses {what or _describe(node)}, which is not allowed ({where}). {ADVICE}")


def _quote_tags(source: str, line_number: int) -> str:
    """Return what may be meant of a line, shortened: its tags, if it has any that are more than a placeholder."""
    line = source.split("\n")[line_number - 1][:SEARCHED_CHARACTERS].strip()
    tags = [tag for tag in _TAG.findall(line) if not _PLACEHOLDER.fullmatch(tag)]
    quoted = " ".join(tags) or line
    return quoted if len(quoted) <= QUOTED_CHARACTERS else f"{quoted[:QUOTED_CHARACTERS]} …"


def _describe(node: nodes.Node) -> str:
    match node:
        case nodes.Call():
            return "a call such as range(…)"
        case nodes.Concat() | nodes.BinExpr() | nodes.UnaryExpr():
            return "arithmetic"
        case nodes.Getattr():
            return "an unsafe attribute such as .name"
        case nodes.Getitem():
            return "an index or a slice"
        case nodes.Filter():
            return f"the filter {node.name} with something that it does not take"
        case nodes.Test():
            return "a test with `is`"
        case nodes.CondExpr():
            return "`if` inside a placeholder"
        case nodes.Compare():
            return "a comparison of more than two values"
        case nodes.Literal():
            return "a value other than a text or a number"
        case _:
            return "a statement other than {% for %} and {% if %}"
