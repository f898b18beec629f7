"""Groups of commands that load a command's module when it is run: a command costs the others nothing."""

import ast
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup


class LazyGroup(TyperGroup):
    """A group whose commands are functions, each named like the module that it stands in."""

    modules: ClassVar[Mapping[str, str]]
    """The commands' modules by the commands' names, in the order of `--help`."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - Typer's
        super().__init__(**attributes)
        self.commands = {name: LazyCommand(name, module) for name, module in self.modules.items()} | dict(self.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 - of a private module of Typer
        """Return a command as far as a list of commands shows it."""
        command = super().get_command(ctx, cmd_name)
        if isinstance(command, LazyCommand):
            command.help = _read_docstring(command.module)
        return command


class LazyCommand(TyperCommand):
    """Stands for a command until it is run, asked for its help or completed."""

    def __init__(self, name: str, module: str) -> None:
        super().__init__(name)
        self.module = module

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:  # noqa: ANN401 - as above
        """Load the command, which reads its own arguments from here on."""
        app = typer.Typer(add_completion=False)
        app.command(self.name)(getattr(import_module(self.module), _name_function(self.module)))
        return typer.main.get_command(app).make_context(info_name, args, parent, **extra)


def _name_function(module: str) -> str:
    return module.rpartition(".")[2]


def _read_docstring(module: str) -> str | None:
    """Return a command's docstring from its source, without loading what the command needs."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"There is no module {module} for a command.")
    source = ast.parse(Path(spec.origin).read_bytes())
    for node in source.body:
        if isinstance(node, ast.FunctionDef) and node.name == _name_function(module):
            return ast.get_docstring(node)
    raise AttributeError(f"{module} has no function that is named like it.")
