"""`swak top` and `swak tap`: looking at a running agent without being in its way."""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING, Any

import click

from swak.cli import HELP_NAMES
from swak.commands.agents import agent_argument, agent_option, connected

if TYPE_CHECKING:
    from swak.control.client import Connection
    from swak.stats import StageView
    from swak.view import Process


class Remote:
    """The figures of another process, as a view wants them. When that has ended, the last ones stay."""

    def __init__(self, connection: Connection) -> None:
        self.ended = threading.Event()
        self.why = ""
        self._connection = connection
        self.told = connection.ask("snapshot")

    def snapshot(self) -> list[StageView]:
        """Ask for the figures of now."""
        from swak.control.client import ControlError  # noqa: PLC0415 - there already
        from swak.control.figures import read_view  # noqa: PLC0415 - `--help` needs none of it

        if not self.ended.is_set():
            try:
                self.told = self._connection.ask("snapshot")
            except ControlError as error:
                self.why = str(error)
                self.ended.set()
        return [read_view(one) for one in self.told["views"]]

    def read(self) -> Process:
        """Return what the process used when it was asked last."""
        from swak.view import Process  # noqa: PLC0415 - there already

        return Process(**self.told["process"])


@click.command(context_settings=HELP_NAMES)
@agent_argument
def top(name: str | None) -> None:
    """Show the live view of a running agent. Ctrl-C leaves it; the agent runs on.

    Where standard output is no terminal, one picture is printed.
    """
    from rich.console import Console  # noqa: PLC0415 - `--help` needs none of it

    from swak.control.client import ControlError  # noqa: PLC0415 - as above
    from swak.view import View  # noqa: PLC0415 - as above

    with connected(name) as connection:
        try:
            remote = Remote(connection)
        except ControlError as error:
            raise click.ClickException(str(error)) from error
        console = Console()
        told = remote.told
        view = View(remote.snapshot, told["name"], console, gauge=remote, up_s=told["uptime_s"])
        if not console.is_terminal:
            from swak.picture import render  # noqa: PLC0415 - as above

            console.print(render(view.frame(remote)))
            return
        view.start()
        try:
            remote.ended.wait()
        except KeyboardInterrupt:
            return
        finally:
            view.stop()
        click.echo(remote.why, err=True)


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

    given: dict[str, Any] = {"stage": stage, "where": where, "sample": sample, "limit": limit}
    with connected(name) as connection:
        try:
            for told in connection.stream("tap", **given):
                if "event" in told:
                    sys.stdout.write(json.dumps(told["event"], ensure_ascii=False) + "\n")
                    sys.stdout.flush()
                elif told.get("dropped"):
                    click.echo(f"left out so far: {told['dropped']} events", err=True)
        except BrokenPipeError:
            sys.stdout = None  # who read it has gone: nothing is left to flush
        except KeyboardInterrupt:
            return
        except ControlError as error:
            raise click.ClickException(str(error)) from error
