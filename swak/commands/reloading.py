"""`swak reload` and `swak plan`: another recipe for an agent that runs, and what it would make different."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from swak.cli import HELP_NAMES
from swak.commands.agents import agent_argument, asked
from swak.commands.given import EXIT_CONFIG, columns, duration
from swak.log import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swak.options import Duration

NOT_DONE = 1
"""Exit code: a stage could not begin, or it takes longer than one wants to wait."""
WORDS = {
    "changed": ("~", "gets other options"),
    "rewired": (">", "hands on in another way"),
    "added": ("+", "is new"),
    "removed": ("-", "goes"),
}


@click.command(context_settings=HELP_NAMES)
@agent_argument
@click.option("--wait", callback=duration, default="60s", show_default=True, help="How long it may take.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def reload(name: str | None, wait: Duration, *, as_json: bool) -> None:
    """Have an agent load its recipe again, and change only what is different.

    The recipe is checked first. If it is wrong, or a stage cannot begin with it, everything stays as it was.

    Exit codes: 0 the agent is what the recipe says, 1 a stage could not begin or it takes longer than --wait, 78 the
    recipe is wrong.
    """
    told = asked(name, "reload", wait_s=float(wait), within_s=float(wait))
    if as_json:
        click.echo(json.dumps({key: value for key, value in told.items() if key not in {"id", "ok"}}))
    else:
        _show(told)
    sys.exit({"done": 0, "unchanged": 0, "refused": EXIT_CONFIG}.get(told["ending"], NOT_DONE))


def _show(told: Mapping[str, Any]) -> None:
    if told["ending"] in {"done", "unchanged"}:
        click.echo(difference(told))
        for stage in told["leaving"]:
            click.echo(f"{plain(stage)} works off what it has", err=True)
        return
    for problem in told["problems"]:
        click.echo("\n".join(plain(line) for line in problem.splitlines()), err=True)
    if told["ending"] == "under_way":
        click.echo("the reload is still under way; swak status tells how it ended", err=True)
    else:
        as_before = "was rolled back: " if told["ending"] == "rolled_back" else "was refused: "
        click.echo(f"the reload {as_before}the agent runs on as before", err=True)


def difference(told: Mapping[str, Any]) -> str:
    """Return what is different, a line for each stage."""
    rows = [(sign, plain(stage), words) for one, (sign, words) in WORDS.items() for stage in told[one]]
    return columns([tuple(row) for row in rows], indent="") if rows else "nothing is different"


@click.command(context_settings=HELP_NAMES)
@click.argument("given", metavar="[NAME|RECIPE] NEW.py", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def plan(given: tuple[str, ...], *, as_json: bool) -> None:
    """Tell what another recipe would make different if it stood in place of the old one, and do nothing.

    Compares NEW.py with the agent NAME (the only one that runs, when it is left out) or with another recipe file.

    Exit codes: 0, also when nothing is different; 78 a recipe is wrong.
    """
    if len(given) > 2:
        raise click.UsageError("give NEW.py, and before it the agent or the recipe that it is compared with")
    old, new = given[0] if len(given) > 1 else None, given[-1]
    if old is not None and (old.endswith(".py") or Path(old).is_file()):
        told = _between(old, new)
    else:
        path = str(Path(new).absolute())
        told = asked(old, "plan", path=path, within_s=60.0)
        if told["problems"]:
            click.echo("\n".join(told["problems"]), err=True)
            sys.exit(EXIT_CONFIG)
    shown = {one: told[one] for one in WORDS}
    click.echo(json.dumps(shown) if as_json else difference(shown))


def _between(old: str, new: str) -> dict[str, Any]:
    from swak.commands.given import load  # noqa: PLC0415 - `--help` needs none of it
    from swak.reloading import outcome  # noqa: PLC0415 - as above
    from swak.reloading.difference import difference as compare  # noqa: PLC0415 - as above
    from swak.reloading.loading import compiled, local_files, renewed  # noqa: PLC0415 - as above
    from swak.reloading.sameness import print_of  # noqa: PLC0415 - as above
    from swak.topology.compile import compile_recipe  # noqa: PLC0415 - as above

    before = compile_recipe(load(old, None, 30.0))
    with renewed(new), renewed(old):
        after = compiled(load(new, None, 30.0), old)
    local = local_files(old) | local_files(new)
    return outcome.of(compare(before, after, lambda stage: print_of(stage, local)), "done").told()
