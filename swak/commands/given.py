"""What the commands that read a recipe have in common: its arguments, and a bound on the time it may take."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from swak.errors import Problem
from swak.options import Duration, Size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from swak.recipe import Recipe

EXIT_CONFIG = 78
"""sysexits.h's EX_CONFIG: what is wrong is the recipe or an option. Service managers do not try again then."""

EXIT_STATE = 74
"""sysexits.h's EX_IOERR: the data directory, or a spool, cannot be used."""

TEXT = "<-e>"
"""What problems in a recipe that was given by -e name as its file."""

STUCK_S = 5.0
"""How much later than the limit a recipe dies that never lets another thread run."""


def duration(_ctx: click.Context, _option: click.Parameter, value: str) -> Duration:
    """Read a duration as recipes write it: "30s", "5M", "1.5"."""
    try:
        return Duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def size(_ctx: click.Context, _option: click.Parameter, value: str | None) -> Size | None:
    """Read a size as recipes write it: "64MiB", "4m", "65536"."""
    try:
        return None if value is None else Size(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def agent_name(_ctx: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Read the name of an agent."""
    from swak.background.naming import check_name  # noqa: PLC0415 - `--help` needs none of it

    try:
        return None if value is None else check_name(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def recipe_arguments(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add RECIPE, `-e TEXT` and `--timeout` to a command."""
    for decorate in (
        click.option(
            "--timeout",
            "timeout_s",
            callback=duration,
            default="30s",
            show_default=True,
            help="How long the recipe may take to load.",
        ),
        click.option("-e", "--recipe-text", "text", metavar="TEXT", help="The recipe itself, instead of a file."),
        click.argument("path", metavar="RECIPE", required=False),
    ):
        command = decorate(command)
    return command


def load(path: str | None, text: str | None, timeout_s: float) -> Recipe:
    """Load what the command line names. Wrong usage when it names nothing, or both."""
    if (path is None) == (text is None):
        raise click.UsageError("give either a RECIPE (a file, or - for standard input) or -e TEXT")
    from swak.topology.load import load_file, load_text  # noqa: PLC0415 - `--help` of a command needs none of it

    with bounded(timeout_s, path or TEXT):
        return load_text(text, TEXT) if text is not None else load_file(path or "-")


@contextmanager
def bounded(limit_s: float, file: str) -> Iterator[None]:
    """End the process with exit code 78 when the body takes longer: a recipe may loop for ever.

    A thread does it, so that no `except:` of the recipe is in the way. Where the recipe never lets a thread run (one
    long call in C), the interpreter's own watchdog ends the process a little later with a traceback and exit code 1.
    """
    done = threading.Event()
    watched = threading.get_ident()

    def watch() -> None:
        if not done.wait(limit_s):
            what = f"the recipe has not been loaded after {limit_s:g} s"
            mend = "a recipe only declares flows: nothing in it may wait or loop for ever"
            problem = Problem(what, mend, file, _line(watched, file))
            os.write(2, f"{problem}\n".encode(errors="replace"))
            os._exit(EXIT_CONFIG)

    thread = threading.Thread(target=watch, name="swak-bounded", daemon=True)
    faulthandler.dump_traceback_later(limit_s + STUCK_S, exit=True, file=2)
    thread.start()
    try:
        yield
    finally:
        done.set()
        faulthandler.cancel_dump_traceback_later()
        thread.join()


def _line(thread: int, file: str) -> int:
    """Return the line of `file` at which a thread is."""
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - the only way to see where another thread is
    while frame is not None:
        if frame.f_code.co_filename == file:
            return frame.f_lineno
        frame = frame.f_back
    return 0


def columns(rows: list[tuple[str, ...]], indent: str = "  ") -> str:
    """Lay out rows of text in columns as wide as their widest cell."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    padded = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(f"{indent}{line}".rstrip() for line in padded)
