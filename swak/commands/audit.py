"""`swak audit`: what became of every event and every byte of the running or the last run."""

from __future__ import annotations

import json
import sys
import time

import click

from swak.cli import HELP_NAMES

EXIT_LOST, EXIT_UNACCOUNTED = 1, 4


@click.command(context_settings=HELP_NAMES)
@click.argument("agent", metavar="[NAME|RECIPE]", required=False)
@click.option("--data-dir", metavar="DIR", help="Where the agent keeps its checkpoints.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def audit(agent: str | None, data_dir: str | None, *, as_json: bool) -> None:
    """Account for every event and every byte of the run that goes on, or of the last one.

    The agent may be left out where only one has kept anything. The figures are its own, kept once a second beside its
    checkpoints. For each stage they obey a law, and so they do between stages; for each file, the bytes of all runs
    must follow one another without a gap.

    Exit codes: 0 all is accounted for, 1 something was lost and is named, 4 something is not accounted for, 74 there
    is no ledger.
    """
    from swak.audit import Audit  # noqa: PLC0415 - `--help` needs none of it
    from swak.commands.keeping import data_dir_of  # noqa: PLC0415 - as above
    from swak.errors import Problem, StateError  # noqa: PLC0415 - as above

    ledger = data_dir_of(agent, data_dir).ledger()
    assert ledger is not None, "only a temporary data directory has none"
    held = ledger.look()
    if not held:
        mend = "start an agent with `swak up`, or name the directory of one with --data-dir DIR"
        raise StateError(str(Problem(f"{ledger.path}: there is no ledger", mend)))
    found = Audit(held, time.time_ns())
    if as_json:
        click.echo(json.dumps(found.as_dict()))
    else:
        for line in found.lines():
            click.echo(line)
    sys.exit(EXIT_UNACCOUNTED if found.unaccounted else EXIT_LOST if found.lost else 0)
