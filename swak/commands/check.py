"""`swak check`: tell whether a recipe is right."""

from __future__ import annotations

import click

from swak.cli import HELP_NAMES
from swak.commands.given import bounded, load, recipe_arguments


@click.command(context_settings=HELP_NAMES)
@recipe_arguments
@click.option("--as", "file", hidden=True, help="The file whose text standard input has.")
def check(path: str | None, text: str | None, timeout_s: float, file: str | None) -> None:
    """Check RECIPE without starting anything: no file, socket or state is touched.

    Prints "Configuration OK", and for each flow which output can hold up which, and what comes twice or is lost when
    swak is killed; or else every problem with file, line and how to mend it (exit code 78).
    """
    from swak.background.naming import name_of  # noqa: PLC0415 - `--help` needs none of it
    from swak.commands.ownlog import warnings  # noqa: PLC0415 - as above
    from swak.outlook import outlook  # noqa: PLC0415 - `--help` needs none of it
    from swak.topology.compile import compile_recipe  # noqa: PLC0415 - as above

    if file is not None and path == "-":
        from swak.topology.load import decoded, load_text, standard_input  # noqa: PLC0415 - as above

        with bounded(timeout_s, file):
            topology = compile_recipe(load_text(decoded(standard_input(), file), file))
    else:
        topology = compile_recipe(load(path, text, timeout_s))
    for warning in topology.warnings:
        click.echo(f"warning: {warning}", err=True)
    for warning in warnings(topology, name_of(path) if path and path != "-" else "text"):
        click.echo(f"warning: {warning}", err=True)
    click.echo("Configuration OK")
    for flow in topology.flows:
        click.echo("\n".join(["", f"{flow.name}:", *(f"  - {line}" for line in outlook(flow))]))
