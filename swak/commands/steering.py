"""`swak flush`, `pause`, `resume`, `inject` and `stacks`: what a running agent is told to do."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from swak.cli import HELP_NAMES
from swak.commands.agents import agent_argument, agent_option, asked
from swak.commands.given import duration
from swak.log import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from swak.options import Duration

NOT_YET = 1
"""Exit code: it was told, and is not done in the time that it was given."""
EVENTS_AT_ONCE = 1_000
CHARS_AT_ONCE = 150_000
"""Of events in one request: as JSON a character takes six bytes at most, and a request may have a MiB."""

stage_argument = click.argument("stage")


@click.command(context_settings=HELP_NAMES)
@agent_argument
@click.option("--wait", callback=duration, default="10s", show_default=True, help="How long it may take.")
def flush(name: str | None, wait: Duration) -> None:
    """Let buffers go and outputs sync now, and wait until all that was read so far is settled.

    Exit codes: 0 it is, 1 it is not yet: an output is down or slow.
    """
    told = asked(name, "flush", wait_s=float(wait), within_s=float(wait))
    if told["flushed"]:
        click.echo("flushed", err=True)
        return
    click.echo(f"not settled yet: {', '.join(map(plain, told['waiting_flows']))}", err=True)
    sys.exit(NOT_YET)


@click.command(context_settings=HELP_NAMES)
@stage_argument
@agent_option
def pause(stage: str, name: str | None) -> None:
    """Have STAGE take nothing more: what comes waits before it, and an input reads no more. Nothing is lost."""
    told = asked(name, "pause", stage=stage)
    click.echo(f"{told['stage']}: paused; swak resume {stage} ends that, and so does stopping the agent", err=True)


@click.command(context_settings=HELP_NAMES)
@stage_argument
@agent_option
def resume(stage: str, name: str | None) -> None:
    """Let STAGE go on."""
    told = asked(name, "resume", stage=stage)
    click.echo(f"{told['stage']}: goes on", err=True)


@click.command(context_settings=HELP_NAMES)
@stage_argument
@click.argument("events", nargs=-1)
@agent_option
@click.option("--tag", default="injected", show_default=True, help="Tag of events that bring none.")
@click.option("--wait", callback=duration, default="10s", show_default=True, help="How long it may take.")
def inject(stage: str, events: tuple[str, ...], name: str | None, tag: str, wait: Duration) -> None:
    """Put EVENTS into STAGE as if they came from upstream; without any, each line of standard input.

    An event is a JSON object: a record, or what `swak tap` prints. What is no JSON object is a line of text. They are
    in the receipt on a line of their own.

    Exit codes: 0 all are settled, 1 some are not yet.
    """
    sums = {"given": 0, "accepted": 0, "settled": 0}
    for part in _parts(events or (line.rstrip("\n") for line in sys.stdin)):
        told = asked(name, "inject", stage=stage, events=part, tag=tag, wait_s=float(wait), within_s=float(wait))
        sums = {key: value + told[key] for key, value in sums.items()}
        if told["accepted"] < len(part):
            break
    click.echo(f"{sums['accepted']} of {sums['given']} accepted, {sums['settled']} settled", err=True)
    if sums["settled"] < sums["given"]:
        sys.exit(NOT_YET)


def _parts(lines: Iterable[str]) -> Iterator[list[Any]]:
    """Read events, as many at a time as a request has room for."""
    part: list[Any] = []
    room = CHARS_AT_ONCE
    for line in lines:
        if part and (len(part) == EVENTS_AT_ONCE or len(line) > room):
            yield part
            part, room = [], CHARS_AT_ONCE
        part.append(_event(line))
        room -= len(line)
    if part:
        yield part


def _event(line: str) -> Any:
    try:
        read = json.loads(line)
    except ValueError:
        return line
    return read if isinstance(read, dict) else line


@click.command(context_settings=HELP_NAMES)
@agent_argument
def stacks(name: str | None) -> None:
    """Print where every thread of an agent is, its stages first."""
    for thread in asked(name, "stacks")["threads"]:
        what = f"stage {thread['stage']}" if thread["stage"] else thread["thread"]
        click.echo(f"--- {plain(what)}")
        for line in thread["stack"]:
            click.echo("\n".join(f"  {part}" for part in line.splitlines()))
