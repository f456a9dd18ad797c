"""`swak service`: run a recipe as a service of the system."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from swak.cli import HELP_NAMES
from swak.commands.given import load

VERBS = ("install", "uninstall", "start", "stop", "status")


@click.command(context_settings=HELP_NAMES)
@click.argument("verb", type=click.Choice(VERBS))
@click.argument("recipe", metavar="RECIPE")
@click.option("--user", is_flag=True, help="A service of your own: no root is needed. It runs while you are logged in.")
@click.option("--run-as", metavar="USER", default="", help="User of a system's service; systemd makes one without it.")
@click.option("--metrics", metavar="[HOST:]PORT", default="", help="Serve metrics there, as `swak up --metrics` does.")
@click.option("--print", "shown", is_flag=True, help="Print the service's description and change nothing.")
def service(  # noqa: PLR0917 - click calls it by name
    verb: str, recipe: str, user: bool, run_as: str, metrics: str, shown: bool
) -> None:
    """Install RECIPE as a service, remove, start or stop it, or tell how it goes.

    systemd on Linux, launchd on macOS, a Windows service (with swak[windows]). The service is named after the recipe's
    file. `install` checks the recipe first, and has the service start with the system; `uninstall` keeps its state.

    Exit codes: 0 done, 1 the system refused, 78 bad recipe; of `status` those of the system's own tool, 0: it runs.
    """
    from swak.errors import ConfigError  # noqa: PLC0415 - `--help` needs none of it
    from swak.services.platforms import ServiceError, platform_for  # noqa: PLC0415 - as above
    from swak.services.wanted import Wanted, name_of, wanted_for  # noqa: PLC0415 - as above
    from swak.topology.compile import compile_recipe  # noqa: PLC0415 - as above

    if user and run_as:
        raise click.UsageError(
            "--user is a service of your own, --run-as one of the system's: leave one of the two out"
        )
    path = Path(recipe).absolute()
    if verb == "install" or shown:
        topology = compile_recipe(load(str(path), None, 30.0))
        wanted = wanted_for(path, topology, user=user, run_as=run_as, metrics=metrics)
    else:
        wanted = Wanted(name_of(path), path, (), user=user)
    try:
        platform = platform_for(sys.platform)
        if shown:
            click.echo(platform.text(wanted), nl=False)
        elif verb == "status":
            sys.exit(platform.status(wanted))
        else:
            done: Any = getattr(platform, verb)
            click.echo(done(wanted))
            for line in _advice(wanted) if verb == "install" else []:
                click.echo(line, err=True)
    except ConfigError:
        raise
    except ServiceError as error:
        raise click.ClickException(str(error)) from error


def _advice(wanted: Any) -> list[str]:
    if sys.platform.startswith("linux") and wanted.folders and not wanted.user and not wanted.run_as:
        folders = ", ".join(wanted.folders)
        return [f"note: the user that systemd makes must be able to write {folders}; or give --run-as USER"]
    return []
