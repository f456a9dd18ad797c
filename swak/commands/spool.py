"""`swak spool`: look into the folder of an `out.DiskBuffer`, check it, repair it, print what is in it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from swak.cli import HELP_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

EXIT_DAMAGED = 1


@click.group(context_settings=HELP_NAMES)
def spool() -> None:
    """Look at the spool in the folder of an out.DiskBuffer. Only `repair` changes anything."""


def _command(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    def decorate(function: Callable[..., Any]) -> click.Command:
        folder = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
        return spool.command(name, context_settings=HELP_NAMES)(folder(function))

    return decorate


@_command("ls")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def ls(folder: Path, *, as_json: bool) -> None:
    """List the segments of FOLDER and what waits in them."""
    from swak.spool.survey import survey  # noqa: PLC0415 - `--help` needs none of it

    found = survey(folder)
    rows = [
        {
            "segment": one.path.name,
            "bytes": one.size_bytes,
            "frames": one.frames,
            "events": one.events,
            "waiting": one.waiting,
            "oldest_s": None if one.oldest_ns is None else round((time.time_ns() - one.oldest_ns) / 1e9, 1),
            "damaged": len(one.bad),
        }
        for one in found.segments
    ]
    if as_json:
        click.echo(json.dumps({"state": found.state._asdict(), "segments": rows}))
        return
    names = ["segment", "bytes", "frames", "events", "waiting", "oldest_s", "damaged"]
    table = [names, *([("-" if row[name] is None else str(row[name])) for name in names] for row in rows)]
    widths = [max(len(line[at]) for line in table) for at in range(len(names))]
    for line in table:
        click.echo("  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    waiting = sum(one.waiting for one in found.segments)
    click.echo(f"{waiting} events wait; {found.state.dropped} were dropped, {found.state.damaged} frames were damaged")


@_command("check")
def check(folder: Path) -> None:
    """Read all of FOLDER and tell what is damaged. Exit code 1 when something is."""
    from swak.spool.survey import survey  # noqa: PLC0415 - `--help` needs none of it

    found = survey(folder)
    for segment in found.segments:
        for bad in segment.bad:
            events = "an unknown number of" if bad.events is None else str(bad.events)
            click.echo(f"{segment.path}: bytes {bad.start} to {bad.end}: {bad.why} ({events} events)")
    for path in found.set_aside:
        click.echo(f"{path}: was damaged and set aside")
    frames = sum(one.frames for one in found.segments)
    click.echo(f"{frames} frames are whole, {found.bad} pieces are damaged")
    if found.bad:
        click.echo("swak passes over them and keeps them; `swak spool repair` does it now")
        sys.exit(EXIT_DAMAGED)


@_command("repair")
def repair(folder: Path) -> None:
    """Set what is damaged in FOLDER aside, so that only whole frames are left. No swak may be using it."""
    from swak.spool.survey import repair as repaired  # noqa: PLC0415 - `--help` needs none of it

    pieces = repaired(folder)
    click.echo(f"{pieces} damaged pieces were set aside" if pieces else "nothing is damaged")


@_command("cat")
@click.option("--all", "settled", is_flag=True, help="Also what is settled and not removed yet.")
def cat(folder: Path, *, settled: bool) -> None:
    """Print the events that wait in FOLDER, one JSON object a line: time_ns, tag and record."""
    import msgspec  # noqa: PLC0415 - `--help` needs none of it

    from swak.formats.plain import plain  # noqa: PLC0415 - as above
    from swak.spool.survey import contents  # noqa: PLC0415 - as above

    for body, tags in contents(folder, settled=settled):
        every = [tags] * body.count if isinstance(tags, str) else tags
        for tag, time_ns, record in zip(every, body.times(), body.records(), strict=True):
            click.echo(msgspec.json.encode(plain({"time_ns": time_ns, "tag": tag, "record": record})))
