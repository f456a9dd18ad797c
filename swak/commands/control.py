"""`swak control`: who may come in over TCP."""

from __future__ import annotations

from pathlib import Path

import click

from swak.cli import HELP_NAMES

ROLES = ("read", "operate")


@click.group(context_settings=HELP_NAMES)
def control() -> None:
    """Say who may control agents over TCP (`swak up --control`)."""


@control.command(context_settings=HELP_NAMES)
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
@click.option(
    "--tokens", metavar="FILE", required=True, help="The tokens file of the agent; made when it is not there."
)
def token(name: str, role: str, tokens: str) -> None:
    """Make a token, print it, and append its hash to the tokens file. Nobody can print it again.

    NAME is what the log calls whoever uses it. A role `read` may look, `operate` may do all. An agent that runs takes
    it at once; whose line is taken off is hung up on within a second.
    """
    from swak.control.grants import add_token  # noqa: PLC0415 - `--help` needs none of it

    click.echo(add_token(Path(tokens), name, "read" if role == "read" else "operate"))
    click.echo(f"{name}: {role}, in {tokens}; give the token to nobody else, in a file for --token-file", err=True)
