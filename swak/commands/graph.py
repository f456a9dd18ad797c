"""`swak graph`: draw the flow of a recipe."""

from __future__ import annotations

import sys

import click

from swak.cli import HELP_NAMES
from swak.commands.given import load, recipe_arguments


@click.command(context_settings=HELP_NAMES)
@recipe_arguments
@click.option("--format", "shape", type=click.Choice(["text", "mermaid", "dot"]), default="text", show_default=True)
def graph(path: str | None, text: str | None, timeout_s: float, shape: str) -> None:
    """Draw the flow of RECIPE as text, as a mermaid chart or in Graphviz' language."""
    from swak.topology.compile import compile_recipe  # noqa: PLC0415 - `--help` needs none of it
    from swak.topology.text import as_dot, as_mermaid, as_text  # noqa: PLC0415 - as above

    topology = compile_recipe(load(path, text, timeout_s))
    if shape == "text":
        drawn = as_text(topology)
        if not _shows(drawn):
            drawn = as_text(topology, ascii_only=True)
    else:
        drawn = as_mermaid(topology) if shape == "mermaid" else as_dot(topology)
    click.echo(drawn, nl=False)


def _shows(text: str) -> bool:
    """Whether the terminal's encoding has these characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
