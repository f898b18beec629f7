"""Finds texts that reach Streamlit's markdown without having been escaped, by reading the source of the pages.

A text is harmless if it was written in the code, is a number, a time, an id or the member of an enum, or has been through
`escape_markdown` or `escape_message`. What a function is given is looked up where it is called.
"""

import ast
import importlib
import importlib.util
import pkgutil
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import core.domain
import core.services
from core.domain.record import Record

# fmt: off
LABELED = (
    "button", "checkbox", "toggle", "selectbox", "multiselect", "text_input", "text_area", "number_input", "date_input",
    "time_input", "slider", "expander", "popover", "tabs", "download_button", "form_submit_button", "file_uploader",
    "markdown", "caption", "write", "info", "warning", "error", "success", "toast", "title", "header", "subheader", "badge",
    "dialog", "status", "spinner", "link_button", "latex", "feedback", "color_picker", "camera_input", "audio_input",
)
NUMBERS = frozenset({
    "len", "int", "float", "round", "sum", "abs", "format_duration", "format_money", "format_count", "format_share",
    "format_failure_rate", "format_throughput", "format_time", "format_age", "format_percent", "format_percent_range",
    "format_p",
})
"""What returns digits and words of ours, whatever it is given; `format_count` gets its noun from the code."""
HANDS_ON = frozenset({
    "str", "format_words", "list", "tuple", "sorted", "zip", "enumerate", "reversed", "next", "iter", "min", "max",
})
METHODS = frozenset({
    "join", "replace", "lower", "upper", "capitalize", "title", "strip", "rstrip", "lstrip", "removeprefix", "removesuffix",
    "partition", "rpartition", "split", "get", "values", "items", "format", "isoformat",
})
# fmt: on
SINKS: dict[str, dict[int | str, str]] = {
    **{name: {0: "label", "label": "label", "body": "label"} for name in LABELED},
    "metric": {0: "label", 1: "value", 2: "delta", "label": "label", "value": "value", "delta": "delta"},
    "progress": {1: "text", "text": "text"},
    **{
        name: {0: "label", 1: "options", "options": "options"}
        for name in ("radio", "pills", "segmented_control", "menu_button", "select_slider")
    },
}
"""Which arguments of which methods are read as markdown; the options of a selectbox are not, which a browser test shows."""
EVERYWHERE = ("help", "captions", "delta_description")
ESCAPES = frozenset({"escape_markdown", "escape_message"})
HARMLESS = (int, float, bool, datetime, date, UUID, Decimal, Enum, type(None))
Scope = ast.FunctionDef | ast.Lambda


def is_harmless_type(hint: Any) -> bool:
    """Say whether no value of a type can hold a text of somebody."""
    if hint is None or isinstance(hint, type):
        return hint is None or issubclass(hint, HARMLESS)
    if hasattr(hint, "__supertype__"):
        return is_harmless_type(hint.__supertype__)
    if get_origin(hint) is Literal:
        return True
    if get_origin(hint) in (Union, types.UnionType, Mapping, dict, tuple, list):
        return all(each is ... or is_harmless_type(each) for each in get_args(hint))
    metadata = getattr(hint, "__metadata__", None)
    return metadata is not None and is_harmless_type(hint.__origin__)


def list_harmless_attributes() -> frozenset[str]:
    """Return the fields and properties that are harmless in every record that has them."""
    found: dict[str, bool] = {}
    for package in (core.domain, core.services):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".formats." in info.name:  # What files say is never drawn as it is; its ids are texts, ours are not.
                continue
            for each in vars(importlib.import_module(info.name)).values():
                if not isinstance(each, type) or each.__module__ != info.name:
                    continue
                hints: dict[str, Any] = get_type_hints(each) if issubclass(each, Record) else {}
                for name, value in vars(each).items():
                    if isinstance(value, property) and value.fget is not None:
                        hints[name] = get_type_hints(value.fget).get("return", str)
                for name, hint in hints.items():
                    found[name] = found.get(name, True) and is_harmless_type(hint)
    return frozenset(name for name, harmless in found.items() if harmless)


@dataclass
class Module:
    """One file, with what its names stand for."""

    path: Path
    tree: ast.Module
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)


class SinkFinder:
    """Follows texts through the files of the pages."""

    def __init__(self, root: Path) -> None:
        self.harmless_attributes = list_harmless_attributes()
        self.modules: dict[str, Module] = {}
        for path in (*sorted((root / "core/ui").rglob("*.py")), *sorted((root / "pages").glob("*.py")), root / "Home.py"):
            module = Module(path=path, tree=ast.parse(path.read_text()))
            for node in ast.walk(module.tree):
                for child in ast.iter_child_nodes(node):
                    module.parents[child] = node
                if isinstance(node, ast.FunctionDef):
                    module.functions[node.name] = node
                if isinstance(node, ast.ImportFrom) and node.module:
                    module.imports |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
            self.modules[".".join(path.relative_to(root).with_suffix("").parts)] = module
        self._asked: set[tuple[int, str]] = set()

    def find(self) -> Iterator[str]:
        """Give `file:line: source` of every text that is neither harmless nor escaped."""
        for argument, module in self._list_sinks():
            if not self.is_harmless(argument, module):
                yield f"{module.path.name}:{argument.lineno}: {ast.unparse(argument)}"

    def count(self) -> int:
        """Return how many texts reach markdown."""
        return sum(1 for _ in self._list_sinks())

    def _list_sinks(self) -> Iterator[tuple[ast.expr, Module]]:
        for module in self.modules.values():
            for call in (node for node in ast.walk(module.tree) if isinstance(node, ast.Call)):
                yield from ((argument, module) for argument in self._list_sink_arguments(call))

    def _list_sink_arguments(self, call: ast.Call) -> Iterator[ast.expr]:
        match call.func:
            case ast.Attribute(value=ast.Name(id="logger" | "log")) | ast.Attribute(value=ast.Name(id="file"), attr="write"):
                return
            case ast.Attribute(attr=name):
                places = SINKS.get(name, {})
            case _:
                places = {}
        formats = next((keyword.value for keyword in call.keywords if keyword.arg == "format_func"), None)
        for place, argument in [*enumerate(call.args), *((keyword.arg, keyword.value) for keyword in call.keywords)]:
            if place in EVERYWHERE and isinstance(call.func, ast.Attribute | ast.Name):
                yield argument
            elif (kind := places.get("" if place is None else place)) is not None:
                yield formats if kind == "options" and formats is not None else argument

    def is_harmless(self, node: ast.expr | None, module: Module) -> bool:
        """Say whether a value holds nothing that somebody could have written."""
        match node:
            case None | ast.Constant() | ast.Compare() | ast.UnaryOp():
                return True
            case ast.FormattedValue(value=value, format_spec=spec):
                return spec is not None or self.is_harmless(
                    value, module
                )  # A text is not formatted like a number or a time.
            case ast.Attribute(value=value, attr=name):
                is_member = isinstance(value, ast.Name) and name.isupper()
                through = name == "value" and self.is_harmless(value, module)
                return is_member or through or (name != "value" and name in self.harmless_attributes)
            case ast.Call():
                return self._is_harmless_call(node, module)
            case ast.Name(id=name):
                return name in ESCAPES or self._is_harmless_name(name, node, module)
            case _:
                parts = _list_parts(node)
                return parts is not None and all(self.is_harmless(part, module) for part in parts)

    def _is_harmless_call(self, call: ast.Call, module: Module) -> bool:
        arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
        match call.func:
            case ast.Attribute(value=value, attr=name) if name in METHODS:
                return all(self.is_harmless(each, module) for each in (value, *call.args))
            case ast.Name(id=name) if name in ESCAPES or name in NUMBERS:
                return True
            case ast.Name(id=name) if name in HANDS_ON:
                return all(self.is_harmless(each, module) for each in arguments)
            case ast.Name(id=name):
                home, function = self._find_function(name, module)
                if function is None:
                    return self._is_enum(name, module)
                returned = [each.value for each in ast.walk(function) if isinstance(each, ast.Return)]
                return all(self.is_harmless(each, home) for each in returned)
            case _:
                return False

    def _is_harmless_name(self, name: str, node: ast.AST, module: Module) -> bool:
        if (id(node), name) in self._asked:
            return True
        self._asked.add((id(node), name))
        scope: ast.AST | None = node
        while scope is not None:
            scope = module.parents.get(scope)
            if isinstance(scope, Scope) and (argument := _find_parameter(scope, name)) is not None:
                return self._is_harmless_parameter(scope, argument, module)
            if isinstance(scope, ast.FunctionDef | ast.Lambda | ast.Module | ast.GeneratorExp | ast.ListComp | ast.DictComp):
                values = list(_list_values(scope, name))
                if values:
                    return all(self.is_harmless(value, module) for value in values)
        home, original = module.imports.get(name, ("", name))
        if home in self.modules:
            return all(
                self.is_harmless(each, self.modules[home]) for each in _list_values(self.modules[home].tree, original)
            )
        return self._is_enum(name, module) or original.isupper()  # A constant of the domain.

    def _is_harmless_parameter(self, scope: Scope, argument: ast.arg, module: Module) -> bool:
        if argument.annotation is not None and self._is_harmless_annotation(argument.annotation, module):
            return True
        if isinstance(scope, ast.Lambda):
            call = module.parents.get(module.parents.get(scope, scope), scope)
            return isinstance(call, ast.Call) and len(call.args) > 1 and self.is_harmless(call.args[1], module)
        names = [each.arg for each in (*scope.args.posonlyargs, *scope.args.args)]
        place = names.index(argument.arg) if argument.arg in names else None
        given = list(self._list_given(scope, argument.arg, place))
        return bool(given) and all(self.is_harmless(value, home) for value, home in given)

    def _list_given(self, function: ast.FunctionDef, name: str, place: int | None) -> Iterator[tuple[ast.expr, Module]]:
        for module in self.modules.values():
            for call in (node for node in ast.walk(module.tree) if isinstance(node, ast.Call)):
                if not isinstance(call.func, ast.Name) or self._find_function(call.func.id, module)[1] is not function:
                    continue
                if place is not None and place < len(call.args):
                    yield call.args[place], module
                yield from ((keyword.value, module) for keyword in call.keywords if keyword.arg == name)

    def _is_harmless_annotation(self, annotation: ast.expr, module: Module) -> bool:
        names = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
        return bool(names) and all(
            name in {"int", "float", "bool", "datetime", "UUID", "BadgeColor", "BatchId"} or self._is_enum(name, module)
            for name in names
        )

    def _is_enum(self, name: str, module: Module) -> bool:
        home, original = module.imports.get(name, (None, name))
        path = home or next(each for each, other in self.modules.items() if other is module)
        known = path.startswith("core.") and importlib.util.find_spec(path) is not None
        found = getattr(importlib.import_module(path), original, None) if known else None
        return isinstance(found, type) and issubclass(found, Enum)

    def _find_function(self, name: str, module: Module) -> tuple[Module, ast.FunctionDef | None]:
        home, original = module.imports.get(name, ("", name))
        owner = self.modules.get(home, module if not home else None)
        return owner or module, None if owner is None else owner.functions.get(original)


def _list_parts(node: ast.expr) -> list[ast.expr] | None:
    """Return what an expression is made of; None for one that is not known."""
    match node:
        case ast.JoinedStr(values=parts) | ast.BoolOp(values=parts) | ast.Dict(values=parts):
            return parts
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return parts
        case ast.BinOp(left=first, right=second) | ast.IfExp(body=first, orelse=second):
            return [first, second]
        case ast.Starred(value=part) | ast.Subscript(value=part) | ast.NamedExpr(value=part) | ast.DictComp(value=part):
            return [part]
        case ast.GeneratorExp(elt=part) | ast.ListComp(elt=part) | ast.Lambda(body=part):
            return [part]
        case _:
            return None


def _find_parameter(scope: Scope, name: str) -> ast.arg | None:
    arguments = (*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs)
    return next((argument for argument in arguments if argument.arg == name), None)


def _list_values(scope: ast.AST, name: str) -> Iterator[ast.expr]:
    """Give what a name is set to in a scope; of several names at once, the part that is its own where that can be seen."""
    for node in ast.walk(scope):
        match node:
            case ast.Assign(targets=[target], value=value) | ast.AnnAssign(target=target, value=value):
                yield from _pick(target, value, name)
            case ast.AugAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
                yield from _pick(target, value, name)
            case ast.For(target=target, iter=values) | ast.comprehension(target=target, iter=values):
                for row in _list_rows(values):
                    yield from _pick(target, row, name)
            case ast.FunctionDef() if node.name == name and node is not scope:
                yield from (each.value for each in ast.walk(node) if isinstance(each, ast.Return) and each.value is not None)
            case _:
                pass


def _list_rows(values: ast.expr) -> list[ast.expr]:
    match values:
        case ast.Tuple(elts=rows) | ast.List(elts=rows):
            return rows
        case ast.Call(func=ast.Name(id="zip"), args=columns):
            return [ast.Tuple(elts=columns)]
        case _:
            return [values]


def _pick(target: ast.expr, value: ast.expr | None, name: str) -> Iterator[ast.expr]:
    if value is None:
        return
    if isinstance(target, ast.Starred):
        target = target.value
    if isinstance(target, ast.Name) and target.id == name:
        yield value
    elif isinstance(target, ast.Tuple):
        paired = isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts)
        for number, each in enumerate(target.elts):
            yield from _pick(each, value.elts[number] if paired and isinstance(value, ast.Tuple) else value, name)
