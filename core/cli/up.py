"""`brightrun up`: everything on this machine."""

import signal
import sys
import time
import webbrowser
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer

from core.cli.error_exits import report_errors
from core.cli.migrate import apply_ours
from core.config import child_environment, load_settings
from core.embedded.folder import StackFolder
from core.embedded.log_follower import LogFollower
from core.embedded.plan import StackPlan, plan_stack
from core.embedded.stack import Stack, forget_last_run, open_stack
from core.errors import StackError
from core.seed import seed

LOG_SECONDS, STATUS_SECONDS = 0.2, 2.0


def up(
    *,
    detach: Annotated[bool, typer.Option("--detach", help="Return when everything is ready; `down` stops it.")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the pages in a browser.")] = False,
    port: Annotated[int | None, typer.Option(help="Port of the pages; 8501 or the next free one.", min=1, max=65535)] = None,
) -> None:
    """Start everything on this machine and show the logs until Ctrl-C."""
    with report_errors():
        # First, or what a killed stack left would pass for settings.
        forget_last_run(StackFolder(load_settings().home.absolute()), typer.echo)
        settings = load_settings() if port is None else load_settings(port=port)
        run_up(plan_stack(settings, detached=detach, migrate=apply_ours, seed=seed), opens_browser=not no_browser)


def run_up(plan: StackPlan, *, opens_browser: bool) -> None:
    """Start a plan; unless it is detached, follow its logs until it is told to stop."""
    began = time.monotonic()
    with _stop_signals():
        try:
            typer.echo(f"Starting Bright Run in {plan.folder.path} ...")
            if not plan.embedded:
                typer.echo("Hosted database: run `brightrun migrate` after each update.")
            stack = open_stack(plan, typer.echo)
        except KeyboardInterrupt:
            typer.echo("Stopped before everything was ready.")
            return
        try:
            _greet(stack, time.monotonic() - began, detached=plan.detached)
            if opens_browser and stack.page_url is not None and _has_display():
                webbrowser.open(stack.page_url)
            if not plan.detached:
                _follow(stack)
        except KeyboardInterrupt:
            if not plan.detached:
                typer.echo("Stopping ...")
                stack.stop()
                typer.echo("Stopped.")


def _greet(stack: Stack, seconds: float, *, detached: bool) -> None:
    where = f" at {stack.page_url}" if stack.page_url else ""
    how = "`brightrun down` stops it" if detached else "Ctrl-C stops it"
    typer.echo(f"\nBright Run is ready{where} ({seconds:.1f} s). {how}.\n")


def _follow(stack: Stack) -> None:
    """Show logs and say what the supervisor had to do, until it ends; raise StackError if it was killed."""
    follower = LogFollower(stack.folder.logs, colour=sys.stdout.isatty())
    pids = _read_pids(stack)
    next_look = time.monotonic() + STATUS_SECONDS
    try:
        while stack.supervisor_runs:
            follower.show_new_lines()
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + STATUS_SECONDS
                pids = _report_changes(stack, pids)
            time.sleep(LOG_SECONDS)
    finally:
        follower.show_new_lines()
        follower.close()
    if not stack.ended_in_order:
        stack.stop()
        raise StackError("The supervisor of the stack was killed; what it ran is stopped. Run `brightrun up` again.")
    typer.echo("Stopped by `brightrun down`.")


def _report_changes(stack: Stack, before: dict[str, int]) -> dict[str, int]:
    now = _read_pids(stack)
    for name in now.keys() & before.keys():
        if now[name] != before[name]:
            text = "was started again" if now[name] else "has ended"
            typer.echo(f"brightrun  | {name} {text}; its log: {stack.folder.logs / name}.log")
    return now or before


def _read_pids(stack: Stack) -> dict[str, int]:
    """Return pids by program, 0 for one that does not run; empty if the supervisor is ending, which the caller notices."""
    try:
        return {name: status.pid if status.runs else 0 for name, status in stack.supervisor.read_statuses().items()}
    except StackError:
        return {}


@contextmanager
def _stop_signals() -> Generator[None]:
    """Let SIGTERM and SIGHUP do what Ctrl-C does, once: stopping is not to be interrupted."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _has_display() -> bool:
    graphical = sys.platform == "darwin" or not {"DISPLAY", "WAYLAND_DISPLAY"}.isdisjoint(child_environment())
    return graphical and sys.stdout.isatty()
