"""`swak top` and `swak tap`: looking at a running agent without being in its way."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from swak.cli import HELP_NAMES
from swak.commands.agents import agent_argument, agent_option, connected, connecting

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from rich.console import Console

    from swak.view.live import View

WAIT_S = 0.5 if sys.platform == "win32" else 60.0
"""How long the main thread sleeps at a time: Windows sees Ctrl-C in between only."""
BY_SIGNAL = 128
"""What shells add to a signal's number."""
TELL_S = 5.0
"""How often at most a tap says that it leaves events out."""
PRINTED_AFTER_S = 1.2
"""When a picture is printed: with two looks there are rates."""
PRINTED_LINES = 16
"""What a picture that is printed has besides the stages: at most that."""


@click.command(context_settings=HELP_NAMES)
@agent_argument
def top(name: str | None) -> None:
    """Show the live view of a running agent. q or Ctrl-C leaves it; the agent runs on.

    Where standard output is no terminal, one picture is printed. Keys: ? tells which there are.
    """
    from rich.console import Console  # noqa: PLC0415 - `--help` needs none of it

    from swak.control.client import ControlError  # noqa: PLC0415 - as above
    from swak.control.remote import Remote  # noqa: PLC0415 - as above
    from swak.view.keyboard import keyboard  # noqa: PLC0415 - as above
    from swak.view.live import View  # noqa: PLC0415 - as above

    try:
        remote = Remote(connecting(name))
    except ControlError as error:
        raise click.ClickException(str(error)) from error
    console = Console()
    over = remote.ended

    def leave() -> str:
        over.set()
        return ""

    shown = console.is_terminal and not (console.is_dumb_terminal or console.legacy_windows)
    keys = keyboard() if shown else None

    def failed(error: Exception) -> None:
        remote.why = f"the view has ended: {type(error).__name__}: {error}"
        over.set()

    view = View(remote, str(remote.told["name"]), console, keyboard=keys, leave=leave, leaving="leave", failed=failed)
    if not shown:
        view.frame()
        over.wait(PRINTED_AFTER_S)
        _print(view, console)
        remote.close()
        return
    with _ended_by_signals(over) as ended_by:
        view.start()
        try:
            while not over.wait(WAIT_S):
                pass
        finally:
            remote.close()
            view.stop()
    if remote.why:
        click.echo(remote.why, err=True)
    if ended_by and ended_by[0] != signal.SIGINT:
        sys.exit(BY_SIGNAL + ended_by[0])


def _print(view: View, console: Console) -> None:
    """Print one picture, as long as it is."""
    from swak.view.cells import Pen  # noqa: PLC0415 - `--help` needs none of it
    from swak.view.choices import Choices  # noqa: PLC0415 - as above
    from swak.view.drawing import as_text, draw  # noqa: PLC0415 - as above
    from swak.view.panes import Scene  # noqa: PLC0415 - as above

    frame = view.frame()
    height = len(frame.views) + PRINTED_LINES
    scene = Scene(frame, Choices(has_keys=False), console.width, height, Pen(console.encoding))
    console.print(as_text(draw(scene)))


@contextlib.contextmanager
def _ended_by_signals(over: threading.Event) -> Iterator[list[int]]:
    """Have signals that would end us at once set `over` instead: the terminal is to be given back first."""
    caught: list[int] = []

    def note(number: int, _frame: object) -> None:
        caught.append(number)
        over.set()

    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, note) for number in heeded}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@click.command(context_settings=HELP_NAMES)
@click.argument("stage", required=False)
@agent_option
@click.option("--where", default="", help='Only events for which this holds, e.g. "status >= 500".')
@click.option("--sample", type=click.IntRange(min=1), default=1, help="Only each N-th of them.", metavar="N")
@click.option("--limit", type=click.IntRange(min=0), default=0, help="End after so many.", metavar="N")
def tap(stage: str | None, name: str | None, where: str, sample: int, limit: int) -> None:
    """Print the events that pass STAGE, one JSON object a line, until Ctrl-C.

    That is what an input, a filter or a buffer hands on, and what an output or a router is given. STAGE may be left
    out where there is one output. A tap never slows the flow: what passes faster than it can be looked at is left
    out, and its number is told on standard error.
    """
    from swak.control.client import ControlError  # noqa: PLC0415 - `--help` needs none of it
    from swak.control.tapping import line_of  # noqa: PLC0415 - as above

    given: dict[str, Any] = {"stage": stage, "where": where, "sample": sample, "limit": limit}
    left_out, tell_at_s = 0, 0.0
    with connected(name) as connection:
        try:
            for told in connection.stream("tap", **given):
                if "event" in told:
                    sys.stdout.write(line_of(told["event"]) + "\n")
                    sys.stdout.flush()
                left_out = told.get("dropped") or left_out
                if left_out and time.monotonic() >= tell_at_s:
                    tell_at_s = time.monotonic() + TELL_S
                    click.echo(f"left out so far: {left_out} events", err=True)
        except BrokenPipeError:
            sys.stdout = None  # who read it has gone: nothing is left to flush
        except KeyboardInterrupt:
            if left_out:
                click.echo(f"left out: {left_out} events", err=True)
        except ControlError as error:
            raise click.ClickException(str(error)) from error
