"""`swak doctor`: look whether everything is here that swak, or a recipe, needs."""

from __future__ import annotations

import json
import sys

import click

from swak.cli import HELP_NAMES
from swak.commands.given import agent_name, duration, load, recipe_arguments

UNAVAILABLE = 69
"""sysexits.h's EX_UNAVAILABLE: a handshake failed."""


@click.command(context_settings=HELP_NAMES)
@recipe_arguments
@click.option("--connect", is_flag=True, help="Try each address that the recipe listens on or sends to.")
@click.option(
    "--connect-timeout", "limit_s", callback=duration, default="10s", show_default=True, help="How long, all at once."
)
@click.option("--data-dir", metavar="DIR", help="The directory that `swak up` will be given.")
@click.option("--name", callback=agent_name, help="The name that `swak up` will be given.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(  # noqa: PLR0917 - click calls it by name
    path: str | None,
    text: str | None,
    timeout_s: float,
    connect: bool,
    limit_s: float,
    data_dir: str | None,
    name: str | None,
    as_json: bool,
) -> None:
    """Look at this machine, the data directory, and what RECIPE needs; say what to do about what is wrong.

    Changes nothing: no file is made, no event is sent.

    Exit codes: 0 all is well or there are warnings only, 1 something is wrong here, 69 a handshake failed, 78 bad
    recipe.
    """
    from swak.commands.presence import Given  # noqa: PLC0415 - `--help` needs none of it
    from swak.doctor.finding import Finding, lines  # noqa: PLC0415 - `--help` needs none of it
    from swak.doctor.machine import ClockLook, machine  # noqa: PLC0415 - as above
    from swak.doctor.needs import needs  # noqa: PLC0415 - as above
    from swak.doctor.places import data_directory  # noqa: PLC0415 - as above
    from swak.doctor.reaching import handshakes  # noqa: PLC0415 - as above
    from swak.topology.compile import compile_recipe  # noqa: PLC0415 - as above

    given = path is not None or text is not None
    if connect and not given:
        raise click.UsageError("--connect tries what a recipe names: give a RECIPE or -e TEXT")
    clock = ClockLook()
    topology = compile_recipe(load(path, text, timeout_s)) if given else None
    reached = handshakes(topology, limit_s) if topology is not None and connect else []
    owner = Given(path, text, name, None).owner if given or name else None
    flows = [flow.name for flow in topology.flows] if topology is not None else []
    found: list[Finding] = [*machine(), clock.finding(), *data_directory(data_dir, owner, flows)]
    found += [*(needs(topology) if topology is not None else []), *reached]
    code = int(any(one.level == "failed" for one in found))
    code = UNAVAILABLE if any(one.level == "failed" for one in reached) else code
    if as_json:
        click.echo(json.dumps({"findings": [one._asdict() for one in found], "exit_code": code}, ensure_ascii=False))
    else:
        click.echo("\n".join(lines(found)))
    sys.exit(code)
