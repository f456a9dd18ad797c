"""`swak check`: tell whether a recipe is right."""

from __future__ import annotations

import click

from swak.cli import HELP_NAMES
from swak.commands.given import load, recipe_arguments


@click.command(context_settings=HELP_NAMES)
@recipe_arguments
def check(path: str | None, text: str | None, timeout_s: float) -> None:
    """Check RECIPE without starting anything: no file, socket or state is touched.

    Prints "Configuration OK", or every problem with file, line and how to mend it (exit code 78).
    """
    from swak.topology.compile import compile_recipe  # noqa: PLC0415 - `--help` needs none of it

    topology = compile_recipe(load(path, text, timeout_s))
    for warning in topology.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo("Configuration OK")
