"""`swak list`: the plugins that recipes can use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from swak.cli import HELP_NAMES
from swak.commands.given import columns

if TYPE_CHECKING:
    from swak.discovery import Found


@click.command("list", context_settings=HELP_NAMES)
@click.option("--kind", type=click.Choice(["input", "filter", "buffer", "output"]), help="Only plugins of this kind.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_(kind: str | None, as_json: bool) -> None:
    """List built-in plugins, those of other packages, and those in the files of this folder."""
    from swak.discovery import external, local, standard  # noqa: PLC0415 - `--help` needs none of it

    groups = [
        [one for one in found if kind in (None, one.kind)] for found in (standard(), external(), local(Path.cwd()))
    ]
    for one in (one for group in groups for one in group if one.trouble):
        click.echo(f"{one.spelled} of {one.origin} {one.trouble}", err=True)
    built_in, offered, here = ([one for one in group if not one.trouble] for group in groups)
    if as_json:
        click.echo(json.dumps([_as_dict(one) for one in built_in + offered + here], indent=2))
        return
    click.echo(f"Swak has {len(built_in)} standard plugin{_s(built_in)}:\n")
    click.echo(_table(built_in))
    click.echo(f"And {len(offered)} external plugin(s):\n")
    click.echo(_table(offered))
    if here:
        click.echo(f"And {len(here)} in the files of this folder:\n")
        click.echo(_table(here))


def _s(found: list[Found]) -> str:
    return "" if len(found) == 1 else "s"


def _table(found: list[Found]) -> str:
    return columns([("Plugin", "Description"), *((one.spelled, one.doc) for one in found)]) + "\n" if found else ""


def _as_dict(one: Found) -> dict[str, str]:
    return {
        "name": one.name,
        "kind": one.kind,
        "use": one.spelled,
        "description": one.doc,
        "origin": one.origin,
    }
