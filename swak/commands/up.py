"""`swak up`: start a recipe, watch it, drain it, print the receipt."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import click

from swak import log
from swak.cli import HELP_NAMES
from swak.commands.given import EXIT_STATE, TEXT, agent_name, duration, load, recipe_arguments, size
from swak.commands.remote import control_options
from swak.commands.signals import BY_SIGNAL, Act, signals_served
from swak.commands.watching import Where, watched, where
from swak.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from queue import SimpleQueue

    from swak.actors.running import Run, Settings
    from swak.commands.presence import Given, Presence
    from swak.control.reloader import Reloader
    from swak.datadir import DataDir
    from swak.options import Duration, Size
    from swak.recipe import Recipe
    from swak.stats import Receipt, StageView
    from swak.topology.graph import Topology
    from swak.view.live import View

OK, TROUBLE = 0, 1
"""Exit codes: 74 is sysexits.h's EX_IOERR; shells add a signal's number to 128."""

WAIT_S = 0.5 if sys.platform == "win32" else 60.0
"""How long the main thread sleeps at a time: Windows sees Ctrl-C in between only."""


class Running(Protocol):
    """What this command needs of a run (`swak.actors.running.Run`)."""

    signals: SimpleQueue[int]

    @property
    def forced_by(self) -> int | None:
        """Number of the second signal, if there was one."""

    def start(self) -> None:
        """Open the stages."""

    def run_main(self) -> None:
        """Step the `main` flows on this thread."""

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until everything is over."""

    def snapshot(self) -> Sequence[StageView]:
        """Return what each stage looks like now."""

    def receipt(self) -> Receipt:
        """Return what became of every event."""

    def close(self) -> None:
        """Release everything."""


class Telling(NamedTuple):
    """What the command tells, and how."""

    level: log.Level
    form: Literal["text", "json"]
    view: bool

    @property
    def quiet(self) -> bool:
        """Whether only trouble is told."""
        return self.level in ("error", "warning")


@click.command(context_settings=HELP_NAMES)
@recipe_arguments
@click.option("--once", is_flag=True, help="End when every input has read what there is now.")
@click.option("--data-dir", metavar="DIR", help="Where checkpoints and dead letters are kept.")
@click.option("--ephemeral", is_flag=True, help="Keep no checkpoints: start anew each time.")
@click.option("--grace", callback=duration, default="10s", show_default=True, help="How long draining may take.")
@click.option("--fail-fast", is_flag=True, help="End the process when a task fails, instead of trying it again.")
@click.option(
    "--memory-limit",
    metavar="SIZE",
    callback=size,
    envvar="SWAK_MEMORY_LIMIT",
    help="Memory for events, e.g. 64MiB: when it is in use, inputs wait. No limit without it.",
)
@click.option(
    "--dead-letters-max",
    metavar="SIZE",
    callback=size,
    default="1GiB",
    show_default=True,
    envvar="SWAK_DEAD_LETTERS_MAX",
    help="How much room the dead letters may take on disk.",
)
@click.option(
    "--dead-letters-full",
    type=click.Choice(["block", "drop_oldest"]),
    default="block",
    show_default=True,
    envvar="SWAK_DEAD_LETTERS_FULL",
    help="At that limit: the stage waits, or the oldest dead letters are lost.",
)
@click.option("--log-level", type=click.Choice(log.LEVELS), envvar="SWAK_LOG", help="What the log tells.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", envvar="SWAK_LOG_FORMAT")
@click.option("-v", "--verbose", count=True, help="Tell more.")
@click.option("-q", "--quiet", count=True, help="Tell warnings and trouble only: no view, no receipt of a clean run.")
@click.option(
    "--metrics",
    metavar="[HOST:]PORT",
    callback=where,
    envvar="SWAK_METRICS",
    help="Serve /metrics for Prometheus, /healthz and /readyz there; port 0: a free one, which the log names.",
)
@control_options
@click.option("--no-view", is_flag=True, help="Progress lines in the log instead of the live view.")
@click.option("--watch", is_flag=True, help="Reload when RECIPE, or a module beside it, has changed.")
@click.option("-d", "--detach", is_flag=True, help="Run in the background: see `swak ps`, `swak logs`, `swak stop`.")
@click.option("--name", callback=agent_name, help="What other commands call this agent; else the recipe's file name.")
@click.option("--ready-fd", type=int, hidden=True)
@click.option("--handover-fd", type=int, hidden=True)
def up(  # noqa: PLR0917 - click calls it by name
    path: str | None,
    text: str | None,
    timeout_s: float,
    once: bool,
    data_dir: str | None,
    ephemeral: bool,
    grace: Duration,
    fail_fast: bool,
    memory_limit: Size | None,
    dead_letters_max: Size,
    dead_letters_full: Literal["block", "drop_oldest"],
    log_level: log.Level | None,
    log_format: Literal["text", "json"],
    verbose: int,
    quiet: int,
    metrics: Where | None,
    no_view: bool,
    watch: bool,
    detach: bool,
    name: str | None,
    ready_fd: int | None,
    handover_fd: int | None,
) -> None:
    """Start RECIPE: a file, or - for standard input. Ctrl-C drains it, a second Ctrl-C stops it at once.

    SIGHUP drains it, too; an agent in the background, or of a service manager, loads RECIPE again instead.

    State is kept in --data-dir, $SWAK_DATA_DIR, or in a folder of the agent's name in $SWAK_HOME/data or where the
    platform keeps such things; a recipe given as text keeps state only when one of the first three is set.

    Exit codes: 0 all is well, 1 something was lost or a task failed, 2 wrong usage, 74 the data directory cannot be
    used or the name is taken, 78 bad recipe, 128 + N when signal N had to be sent twice.
    """
    if ephemeral and data_dir:
        raise click.UsageError("--ephemeral keeps nothing, --data-dir says where: leave one of the two out")
    from swak.commands.presence import Given  # noqa: PLC0415 - see below

    given = Given(path, text, name, ready_fd, ready_fd is not None or (detach and handover_fd is not None))
    reloading = Reloading(given, watch)
    if detach and not given.background:
        sys.exit(_in_background(given))
    from swak.actors.running import Settings  # noqa: PLC0415 - pykka and more, which `swak up --help` does not need

    telling = Telling(log_level or log.LEVELS[min(3, max(0, 2 + verbose - quiet))], log_format, not no_view)
    log.configure(telling.level, log_format)

    def settings(topology: Topology) -> Settings:
        kept_in = None if ephemeral else data_dir or ""
        where = _kept_in(given, topology, kept_in, dead_letters_max, dead_letters_full)
        return Settings(where, once, float(grace), fail_fast, watchdog=True, memory_limit=memory_limit)

    try:
        code = _run(given, lambda: load(path, text, timeout_s), settings, telling, metrics, handover_fd, reloading)
    except StateError as error:
        click.echo(f"Error: {error}", err=True)
        code = EXIT_STATE
    finally:
        log.reset()
    sys.exit(code)


def _run(  # noqa: PLR0917 - what the options have become
    given: Given,
    recipe: Callable[[], Recipe],
    settings: Callable[[Topology], Settings],
    telling: Telling,
    metrics: Where | None,
    handover_fd: int | None,
    reloading: Reloading,
) -> int:
    """Run a recipe until it ends, or another process goes on with it. Returns the exit code."""
    from swak.commands.ownlog import heed_own_log  # noqa: PLC0415 - see above
    from swak.commands.presence import presented  # noqa: PLC0415 - see above
    from swak.commands.succession import succeeding  # noqa: PLC0415 - see above
    from swak.topology.compile import compile_recipe  # noqa: PLC0415 - see above

    code, again = OK, True
    with succeeding(given, handover_fd) as succession:
        topology = compile_recipe(recipe())
        succession.begin(topology)
        while again:  # once more when the process that was to take over has died
            chosen = settings(topology)._replace(sockets=succession.keep)
            with presented(succession.given, chosen.data_dir) as presence:
                heed_own_log(topology, presence.log if presence is not None else "")
                run = _made(topology, chosen)
                with watched(run, metrics), reloading.of(run):
                    succession.ready(run, presence)
                    view = _view(run, topology, telling, given.path or TEXT)
                    code = run_to_end(run, telling, view, presence, reloading)
            again, topology = succession.goes_on(), run.topology
    return code


def _in_background(given: Given) -> int:
    from swak.commands.agents import start_in_background  # noqa: PLC0415 - the foreground needs none of it

    if given.path == "-":
        raise click.UsageError("a recipe from standard input cannot run in the background: give a file, or -e TEXT")
    if (given.path is None) == (given.text is None):
        raise click.UsageError("give either a RECIPE (a file) or -e TEXT")
    return start_in_background(given.own_name, sys.argv[2:], os.getcwd(), os.environ)  # noqa: PTH109 - as text


def _kept_in(
    given: Given, topology: Topology, option: str | None, room: Size, when_full: Literal["block", "drop_oldest"]
) -> DataDir:
    """Choose where state is kept. None: nowhere; and so it is for a recipe that is a text, where nothing says where."""
    from swak.deadletters import Limit  # noqa: PLC0415 - `swak up --help` needs none of it
    from swak.homes import choose, tell_left_behind  # noqa: PLC0415 - `swak up --help` needs none

    flows = [flow.name for flow in topology.flows]
    named = option or os.environ.get("SWAK_DATA_DIR") or os.environ.get("SWAK_HOME") or not given.is_text
    where = choose(given.owner, flows, option, ephemeral=option is None or not named, limit=Limit(room, when_full))
    tell_left_behind(where, flows)
    return where


def _made(topology: Topology, settings: Settings) -> Run:
    from swak.actors.running import Run  # noqa: PLC0415 - see above
    from swak.memory import tune  # noqa: PLC0415 - see above

    tune()
    own = log.get("swak.up")
    for warning in topology.warnings:
        own.debug("swak check warns", warning=warning)
    where = settings.data_dir
    own.debug("data directory", path="" if where.ephemeral else str(where.path), why=where.why)
    return Run(topology, settings)


class Reloading:
    """How a run of `swak up` comes to another recipe."""

    def __init__(self, given: Given, watch: bool) -> None:
        self._path, self._watch = None if given.is_text else given.path, watch
        if watch and self._path is None:
            raise click.UsageError("--watch watches a file, and the recipe is none: give a RECIPE file")
        self._hears = given.background or bool(os.environ.get("NOTIFY_SOCKET"))
        self.reloader: Reloader | None = None

    @property
    def on_hangup(self) -> Act | None:
        """What SIGHUP does. In a terminal it says that the terminal has gone, and drains."""
        reloader = self.reloader
        if reloader is None or not self._hears:
            return None

        def ask(_to: object) -> None:
            reloader.request()

        return ask

    @contextlib.contextmanager
    def of(self, run: Run) -> Iterator[None]:
        """Reload as long as the body goes on."""
        from swak.control.reloader import Reloader  # noqa: PLC0415 - `swak up --help` needs none of it
        from swak.reloading.loading import local_files  # noqa: PLC0415 - as above
        from swak.reloading.watching import watching  # noqa: PLC0415 - as above

        self.reloader = reloader = Reloader(run, self._path)
        path = self._path
        with contextlib.ExitStack() as stack:
            stack.callback(reloader.close)
            if self._watch and path is not None:
                stack.enter_context(watching(lambda: local_files(path), reloader.request))
            yield


def run_to_end(
    run: Running,
    telling: Telling,
    view: View | None,
    presence: Presence | None = None,
    reloading: Reloading | None = None,
) -> int:
    """Start the run, wait for its end, tell the receipt. Returns the exit code; StateError when it cannot start."""
    reloader, on_hangup = (None, None) if reloading is None else (reloading.reloader, reloading.on_hangup)
    with signals_served(run, view, on_hangup):
        try:
            run.start()
            if presence is not None:
                presence.serve(run, reloader)
            if view is not None:
                view.start()
            try:
                run.run_main()
                while not run.wait(WAIT_S):
                    pass
            finally:
                if view is not None:
                    view.stop()
            receipt = run.receipt()
        finally:
            run.close()
        code = _finish(receipt, telling, run.forced_by)
    if presence is not None:
        presence.end(code, receipt)
    return code


def _finish(receipt: Receipt, telling: Telling, forced_by: int | None) -> int:
    from swak.receipt import fields, text, troubles  # noqa: PLC0415 - needed at the very end

    log.flush()
    found = troubles(receipt)
    if found or not telling.quiet:
        if telling.form == "json":
            tell = log.get("swak.up").error if found else log.get("swak.up").info
            tell("receipt", **fields(receipt))
        else:
            with contextlib.suppress(OSError):  # the terminal has gone: nobody is left to tell, the exit code stands
                click.echo(text(receipt), err=True, nl=False)
    if forced_by is not None:
        return BY_SIGNAL + forced_by
    return TROUBLE if found else OK


def _view(run: Run, topology: Topology, telling: Telling, name: str) -> View | None:
    """Choose the live view, progress lines, or (where a stage has the terminal to itself) neither."""
    from swak.control.own import Own  # noqa: PLC0415 - `swak up --help` needs none
    from swak.view.live import View  # noqa: PLC0415 - as above

    terminal = sys.stderr.isatty()
    if telling.quiet or (terminal and _uses_terminal(topology)):
        return None
    if not (telling.view and terminal and os.environ.get("TERM") != "dumb"):
        return View(Own(run), name, None)
    from rich.console import Console  # noqa: PLC0415 - 56 ms that progress lines do not pay

    from swak.view.keyboard import keyboard  # noqa: PLC0415 - as above

    console = Console(stderr=True)
    if console.legacy_windows:  # it knows no escape sequences
        return View(Own(run), name, None)

    def leave() -> str:
        """Do what Ctrl-C does."""
        again = run.draining
        run.signals.put(int(signal.SIGINT))
        return "stopping at once" if again else "draining; q again stops at once"

    return View(Own(run), name, console, keyboard=keyboard(), leave=leave, leaving="drain and quit")


def _uses_terminal(topology: Topology) -> bool:
    """Tell whether a stage reads or writes the terminal, which a view would draw over."""
    plugins = [stage.plugin for flow in topology.flows for stage in flow.stages if stage.plugin is not None]
    used = {plugin.kind for plugin in plugins if plugin.uses_terminal}
    reads, writes = sys.stdin.isatty(), sys.stdout.isatty()
    return bool(used) and ((reads and used != {"output"}) or (writes and used != {"input"}))
