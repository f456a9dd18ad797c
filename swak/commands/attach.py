"""`swak attach`: a Python prompt inside an agent."""

from __future__ import annotations

import codeop
import signal
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import click

from swak.cli import HELP_NAMES
from swak.commands.agents import agent_argument, connected
from swak.commands.given import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swak.control.client import Connection
    from swak.options import Duration

LEAVE = {"exit", "quit", "exit()", "quit()"}
NOT_DONE = 1
"""Exit code of -c: the code raised something, was refused, or took too long."""


class Attached:
    """A session in an agent. ControlError, of each method: it has ended, or cannot be had."""

    def __init__(self, connection: Connection, *, write: bool, for_s: float, limit_s: float) -> None:
        self._connection = connection
        self._limit_s = limit_s
        self._lasting = connection.stream("attach", within_s=0.0, write=write, for_s=for_s, limit_s=limit_s)
        next(self._lasting)  # the rest comes when the session is over

    def run(self, code: str) -> bool:
        """Run a piece of code and print what it prints. Return whether it is done. Ctrl-C ends it."""
        with self._interrupting():
            for told in self._connection.stream("evaluate", within_s=self._limit_s, code=code):
                sys.stdout.write(visible(told.get("out", "")))
                sys.stdout.flush()
        if told["left_out"]:
            click.echo(f"... {told['left_out']} characters more were left out", err=True)
        for text in (told["trace"], told["why"]):
            if text:
                click.echo(visible(text.rstrip("\n")), err=True)
        return bool(told["outcome"] == "done")

    @contextmanager
    def _interrupting(self) -> Iterator[None]:
        """Have the first Ctrl-C ask the agent to end what runs, and a second one leave."""

        def ask(_number: int, _frame: object) -> None:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            with suppress(OSError):  # the agent has gone: whoever waits for it is told
                self._connection.tell("interrupt")

        before = signal.signal(signal.SIGINT, ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


@click.command(context_settings=HELP_NAMES)
@agent_argument
@click.option("--write", is_flag=True, help="The real objects, and all of Python: what is changed is changed.")
@click.option("--for", "for_", callback=duration, default="10m", show_default=True, help="When the session ends.")
@click.option("--limit", callback=duration, default="5s", show_default=True, help="How long one input may run.")
@click.option("-c", "code", metavar="CODE", help="Run this and leave, instead of a prompt.")
def attach(name: str | None, *, write: bool, for_: Duration, limit: Duration, code: str | None) -> None:
    """Open a Python prompt inside a running agent. Ctrl-C ends what runs, Ctrl-D leaves; the agent runs on.

    There are `run`, `stages` (by name, with options and tallies) and `stacks()`: snapshots of the moment, new for each
    input, and code that only looks at them; that keeps from slips, not from malice. With --write they are the flow
    itself, with `plugins`. Sessions and code are in the agent's log. Where standard input is no terminal, it is the
    code.

    Exit codes of -c: 0 done, 1 it raised something, was refused or took too long.
    """
    from swak.control.client import ControlError  # noqa: PLC0415 - `--help` needs none of it

    try:
        with connected(name) as connection:
            attached = Attached(connection, write=write, for_s=float(for_), limit_s=float(limit))
            if code is None and sys.stdin.isatty():
                converse(attached, write=write)
            elif not attached.run(sys.stdin.read() if code is None else code):
                sys.exit(NOT_DONE)
    except ControlError as error:
        raise click.ClickException(str(error)) from error
    except BrokenPipeError:
        sys.stdout = None  # who read it has gone: nothing is left to flush
    except KeyboardInterrupt:
        sys.exit(NOT_DONE)


def converse(attached: Attached, *, write: bool) -> None:
    """Read inputs of one or more lines and run each, until Ctrl-D."""
    with suppress(ImportError):  # Windows has none, and needs none
        import readline  # noqa: F401, PLC0415 - input() uses it when it is there: editing, history

    first, more = ("write>>> ", "   ...   ") if write else (">>> ", "... ")
    lines: list[str] = []
    while True:
        try:
            lines.append(input(more if lines else first))
        except EOFError:
            click.echo()
            return
        except KeyboardInterrupt:
            click.echo()
            lines = []
            continue
        text = "\n".join(lines)
        if text.strip() in LEAVE:
            return
        if is_whole(text):
            lines = []
            if text.strip():
                attached.run(text)


def is_whole(text: str) -> bool:
    """Tell whether an input needs no more lines. What is wrong with it, the agent says."""
    try:
        return codeop.compile_command(text, "<attach>", "single") is not None
    except (SyntaxError, ValueError, OverflowError):
        return True


def visible(text: str) -> str:
    """Return a text that moves no terminal's cursor: what an agent prints comes from its logs."""
    if not sys.stdout.isatty():
        return text
    return "".join(one if one.isprintable() or one in "\n\t" else ascii(one)[1:-1] for one in text)
