"""`swak bench`: what swak costs on this machine, beside the agents that are here."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from swak.cli import HELP_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swak.bench.report import Report
    from swak.bench.workloads import Workload

EXIT_WRONG, BY_SIGNAL = 1, 128
PEERS = ("fluent-bit", "rsyslog", "syslog-ng", "fluentd", "vector")
LOAD_LINES_PER_S = 20_000
LOAD_MAX_S = 10.0


@click.command(context_settings=HELP_NAMES)
@click.argument("names", metavar="[WORKLOAD]...", nargs=-1)
@click.option("--peer", "peers", multiple=True, type=click.Choice(PEERS), help="Beside this one; all that are here.")
@click.option("--alone", is_flag=True, help="Beside no other agent.")
@click.option("--events", type=click.IntRange(min=1), default=1_000_000, show_default=True, help="How many there are.")
@click.option("--input", "source", metavar="FILE", help="A log of nginx, combined, plain or .gz; it is repeated.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the lines that are made without --input.")
@click.option("--runs", type=click.IntRange(min=1), default=3, show_default=True, help="How often all is run.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option("--plot", type=click.Path(dir_okay=False, writable=True), help="Draw the CPU into this file, as SVG.")
def bench(  # noqa: PLR0917 - click calls it by name
    names: tuple[str, ...],
    peers: tuple[str, ...],
    alone: bool,
    events: int,
    source: str | None,
    seed: int,
    runs: int,
    as_json: bool,
    plot: str | None,
) -> None:
    """Measure what swak costs, and compare: each WORKLOAD, or all of them, in processes of their own.

    \b
    W1   a file is tailed and written, raw       W5b  Fluentd's protocol in, acks, JSON lines out
    W2   parsed as nginx's, written as JSON      W6   W2 through a synced spool
    W3   W2, less status 404, with a hostname    W7   W2 with a user's filter, event by event
    W4   JSON lines over TCP, written as JSON    W8   W2 to three outputs
    W4p  the same, passed through                W9   W2 over 64 files
    W5a  a file sent by Fluentd's protocol       L1   how soon a line is written; CPU at rest

    Figures are CPU-seconds, user and system, a million events, less those of the same command on an empty input. All
    is run in turns; every record of every output is checked. Beside it stand `cat`, a loop over `re`, copies through a
    socket, and the agents on the PATH, with configurations of ours (see swak/bench/configs).

    Files go to TMPDIR and are removed. It needs Linux or macOS.

    Exit codes: 0 measured, 1 an output was wrong or a process failed, 2 wrong usage, 74 no room, 78 an agent or an
    input is not there.
    """  # noqa: D301 - click's own mark for text that is not to be wrapped
    from swak.bench import workloads  # noqa: PLC0415 - `--help` needs none of it
    from swak.bench.faults import BenchError  # noqa: PLC0415 - as above

    _refuse(alone and bool(peers), plot)
    wanted = _named(names)
    try:
        with _ended_by(signal.SIGTERM):
            measure = _Measure([one for one in workloads.ALL if one.name in wanted], workloads.LATENCY in wanted)
            report = measure.run(None if alone else peers, Path(source) if source else None, events, seed, runs)
    except BenchError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(EXIT_WRONG)
    except KeyboardInterrupt:
        click.echo("stopped: nothing was kept, no process is left", err=True)
        sys.exit(BY_SIGNAL + signal.SIGINT)
    if plot:
        Path(plot).write_text(report.drawing(), encoding="utf-8")
    click.echo(json.dumps(report.as_dict()) if as_json else report.table())


def _refuse(contradicted: bool, plot: str | None) -> None:
    """Refuse, before anything is measured, what cannot be done. `contradicted`: peers are named and left out."""
    from swak.errors import ConfigError, Problem  # noqa: PLC0415 - see above

    if not hasattr(os, "wait4"):
        raise ConfigError([Problem("swak bench needs wait4, which this system does not have", "use Linux or macOS")])
    if contradicted:
        raise click.UsageError("--alone leaves out what --peer names: leave one of the two out")
    if plot and not Path(plot).absolute().parent.is_dir():
        raise click.UsageError(f"--plot {plot}: there is no such folder")


def _named(names: tuple[str, ...]) -> list[str]:
    from swak.bench import workloads  # noqa: PLC0415 - see above
    from swak.options import suggest  # noqa: PLC0415 - see above

    known = {name.lower(): name for name in workloads.NAMES}
    for name in names:
        if name.lower() not in known:
            raise click.UsageError(f'there is no workload "{name}"; {suggest(name, list(known.values()))}')
    return [known[name.lower()] for name in names] or workloads.NAMES


class _Measure:
    """One run of the command."""

    def __init__(self, chosen: list[Workload], latency: bool) -> None:
        self._chosen, self._latency = chosen, latency

    def run(self, peers: tuple[str, ...] | None, source: Path | None, events: int, seed: int, runs: int) -> Report:
        """Measure it all, in a folder that is removed. `peers` is empty for all that are here, None for no peer."""
        import tempfile  # noqa: PLC0415 - see above

        from swak.bench.child import no_room  # noqa: PLC0415 - see above
        from swak.bench.corpus import Corpus  # noqa: PLC0415 - see above
        from swak.bench.latency import measured  # noqa: PLC0415 - see above
        from swak.bench.measure import machine  # noqa: PLC0415 - see above
        from swak.bench.peers import chosen  # noqa: PLC0415 - see above
        from swak.bench.report import Report  # noqa: PLC0415 - see above
        from swak.bench.suite import Suite  # noqa: PLC0415 - see above

        beside = [] if peers is None else chosen(peers)
        with tempfile.TemporaryDirectory(prefix="swak-bench-") as name:
            folder = Path(name)
            corpus = Corpus(folder / "corpus", events, source, seed)
            suite = Suite(folder, corpus, self._chosen, beside)
            latencies = []
            try:
                suite.make_room()
                for number in range(runs if self._chosen else 0):
                    suite.round(partial(_tell, f"round {number + 1} of {runs}: "))
                if self._latency:
                    _tell("L1")
                    load_s = min(LOAD_MAX_S, events / LOAD_LINES_PER_S)
                    latencies = measured(folder / "latency", load_s, 3 * load_s)
            except OSError as error:
                if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                    raise
                raise no_room(folder) from error
            finally:
                _tell("")
        return Report(machine(), suite, runs, latencies)


def _tell(when: str, what: str = "") -> None:
    """Show on a terminal what is run now, in place of what was."""
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{when}{what}", err=True, nl=False)


@contextlib.contextmanager
def _ended_by(number: int) -> Iterator[None]:
    """Let a signal end the body as Ctrl-C does: processes and files go with it."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(number, interrupt)
    try:
        yield
    finally:
        signal.signal(number, before)
