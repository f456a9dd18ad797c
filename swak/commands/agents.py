"""`swak ps`, `status`, `stop`, `restart` and `logs`: agents that run, and how they are ended and begun."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from swak.cli import HELP_NAMES
from swak.commands.away import away, away_options
from swak.commands.given import EXIT_STATE, columns
from swak.errors import Problem, StateError
from swak.log import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from psutil import Process

    from swak.background.naming import Found
    from swak.control.client import Connection

STOP_S = 20.0
"""How long a stop may take beyond the agent's own --grace, before it is said that it goes on."""
NOW_S = 10.0
"""How long a stop at once may take, before the process is killed."""
LOOK_S = 0.05


def agent_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add NAME or RECIPE to a command: may be left out while one agent runs. `--at` says one on another machine."""
    return click.argument("name", required=False)(away_options(command))


def agent_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--name` to a command whose arguments are something else, and `--at`."""
    return click.option("--name", help="The agent, where several run.")(away_options(command))


def found(name: str | None) -> Found:
    """Return the agent of this machine that was named, or the only one. StateError tells which there are."""
    from swak.background.naming import find  # noqa: PLC0415 - `--help` needs none of it
    from swak.background.places import of_this_user  # noqa: PLC0415 - as above

    if away(name) is not None:
        raise click.UsageError("--at: this can only be done on the machine on which the agent runs; log in there")
    return find(of_this_user(), name)


def connected(name: str | None) -> Connection:
    """Connect to that agent. ClickException says why it cannot be reached."""
    from swak.control.client import ControlError  # noqa: PLC0415 - `--help` needs none of it

    try:
        return connecting(name)()
    except ControlError as error:
        raise click.ClickException(str(error)) from error


def connecting(name: str | None) -> Callable[[], Connection]:
    """Return what connects to that agent, from any thread and as often as one likes; that raises ControlError."""
    from swak.control.client import Connection, connect  # noqa: PLC0415 - `--help` needs none of it

    to = away(name)
    if to is not None:
        return lambda: Connection(to, f"the agent at {to.host}:{to.port}")
    agent = found(name)
    return lambda: connect(agent)


def start_in_background(name: str, argv: Sequence[str], cwd: str, environ: Mapping[str, str]) -> int:
    """Start an agent in the background and say what was started, or what is wrong. Returns the exit code."""
    from swak.background.launching import launch  # noqa: PLC0415 - `--help` needs none of it
    from swak.background.naming import running  # noqa: PLC0415 - as above
    from swak.background.places import of_this_user, usable  # noqa: PLC0415 - as above

    if sys.platform == "win32":
        raise click.ClickException("there are no background processes on Windows: use a service")
    taken = next((one for one in running(of_this_user()) if one.name == name), None)
    if taken is not None:
        mend = f"stop it (swak stop {name}), or give this one another name with --name"
        raise StateError(str(Problem(f'"{name}" runs already (process {taken.pid})', mend)))
    log = usable().logs / f"{name}.log"
    launched = launch(argv, log, cwd, environ)
    if launched.ready is None:
        click.echo(launched.told, err=True, nl=False)
        return launched.code
    click.echo(f"{name}: started, process {launched.ready['pid']}\nlog: {log}", err=True)
    for stage, state in launched.ready["troubled"].items():
        click.echo(f"{plain(stage)}: {plain(state)}", err=True)
    return 0


@click.command(context_settings=HELP_NAMES)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def ps(*, as_json: bool) -> None:
    """List the agents of this user that run."""
    from swak.background.naming import running  # noqa: PLC0415 - `--help` needs none of it
    from swak.background.places import of_this_user  # noqa: PLC0415 - as above

    agents = running(of_this_user())
    if as_json:
        shown = [{"name": one.name, "pid": one.pid, **_public(one.details)} for one in agents]
        click.echo(json.dumps(shown))
        return
    if not agents:
        click.echo("no agent runs", err=True)
        return
    rows: list[tuple[str, ...]] = [("name", "pid", "up", "where", "recipe")]
    for one in agents:
        where = "background" if one.details.get("background") else "foreground"
        rows.append((one.name, str(one.pid), _age(one.details), where, plain(one.details.get("recipe", ""))))
    click.echo(columns(rows, indent=""))


@click.command(context_settings=HELP_NAMES)
@agent_argument
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def status(name: str | None, *, as_json: bool) -> None:
    """Tell how an agent goes."""
    told = asked(name, "status")
    if as_json:
        click.echo(json.dumps({key: value for key, value in told.items() if key not in {"id", "ok"}}))
        return
    age = "" if told["oldest_s"] is None else f", oldest unsettled {told['oldest_s']:.1f} s"
    click.echo(f"{told['name']}: {told['state']}, process {told['pid']}, up {told['uptime_s']:.0f} s")
    click.echo(f"recipe: {plain(told['recipe'])}")
    if told["log"]:
        click.echo(f"log: {told['log']}")
    if last := told.get("reloads", {}).get("last"):
        why = f": {plain(last['problems'][0])}" if last["problems"] else ""
        age_s = max(0.0, (time.time_ns() - last["at_ns"]) / 1e9)
        click.echo(f"last reload: {last['ending'].replace('_', ' ')} {age_s:.0f} s ago{why}")
    where = f", in {plain(told['data_dir'])}" if told.get("data_dir") else ""
    click.echo(f"agent id: {told.get('agent_id', 'unknown')}{where}")
    figures = ("events", "dead", "errors", "restarts")
    click.echo(", ".join(f"{told[one]} {one}" for one in figures) + age)
    click.echo(columns([(plain(stage), state) for stage, state in told["stages"].items()]))


def asked(name: str | None, verb: str, *, within_s: float = 0.0, **given: Any) -> dict[str, Any]:
    """Ask that agent. ClickException says why it cannot be done."""
    from swak.control.client import ControlError  # noqa: PLC0415 - `--help` needs none of it

    with connected(name) as connection:
        try:
            return connection.ask(verb, within_s=within_s, **given)
        except ControlError as error:
            raise click.ClickException(str(error)) from error


@click.command(context_settings=HELP_NAMES)
@agent_argument
@click.option("--now", is_flag=True, help="Do not drain; a process that does not obey within 10 s is killed.")
def stop(name: str | None, *, now: bool) -> None:
    """Drain an agent and wait for its end.

    Prints its receipt. With --now it ends at once, and what was in flight is read again at the next start.

    An agent that cannot be asked gets a signal; how it ended is then read in its ledger.

    Exit codes: 0 all is well, 1 something was lost, it has not ended yet, or nobody can say how it ended, 74 no such
    agent runs.
    """
    sys.exit(stop_found(found(name), now=now) if away(name) is None else _stop_away(now=now))


def _stop_away(*, now: bool) -> int:
    """Stop an agent on another machine, and print its receipt. Returns the exit code."""
    grace_s = 0.0 if now else float(asked(None, "status").get("grace_s", 0)) + STOP_S
    outcome = asked(None, "stop", now=now, within_s=grace_s)
    click.echo(outcome["receipt"], nl=False)
    return int(bool(outcome["troubles"]))


def stop_found(agent: Found, *, now: bool) -> int:
    """Stop an agent and wait until its process has gone. Returns the exit code."""
    from psutil import NoSuchProcess, Process  # noqa: PLC0415 - `--help` needs none of it

    from swak.control.client import ControlError, connect  # noqa: PLC0415 - as above

    outcome: dict[str, Any] = {}
    process: Process | None = None
    with suppress(NoSuchProcess):
        process = Process(agent.pid)
    told, wait_s = False, STOP_S
    try:
        with connect(agent) as connection:
            grace_s = 0.0 if now else float(connection.ask("status").get("grace_s", 0)) + STOP_S
            told = True
            outcome = connection.ask("stop", now=now, within_s=grace_s)
        click.echo(outcome["receipt"], nl=False)
    except ControlError as error:
        if told:
            wait_s = LOOK_S  # it had its time; a signal now would count as the second one
        elif agent.runs():
            click.echo(f"{error}; it gets a signal instead", err=True)
            _signal(agent, signal.SIGTERM)
            wait_s = NOW_S if now else STOP_S
    if _gone(agent, process, wait_s):
        click.echo(f"{agent.name}: stopped", err=True)
        return int(bool(outcome["troubles"])) if outcome else _code_by_ledger(agent)
    if not now:
        mend = f"wait (swak logs -f {agent.name}), or end it at once: swak stop --now {agent.name}"
        click.echo(f"Error: {agent.name} (process {agent.pid}) is still there; {mend}", err=True)
        return 1
    _signal(agent, getattr(signal, "SIGKILL", signal.SIGTERM))
    ended = _gone(agent, process, NOW_S)
    click.echo(f"{agent.name}: {'killed' if ended else 'cannot be killed'}", err=True)
    return 1


def _code_by_ledger(agent: Found) -> int:
    """Return how an agent ended that could not say so itself: 0 only where its ledger says that nothing was lost."""
    from swak.audit import Audit  # noqa: PLC0415 - few need it
    from swak.ledger import Ledger  # noqa: PLC0415 - as above

    where = agent.details.get("data_dir")
    try:
        held = Ledger(Path(where) / "ledger.json").look() if where else {}
    except StateError as error:
        click.echo(f"its ledger does not say how: {error}", err=True)
        return 1
    if not held or held["run"]["pid"] != agent.pid:
        click.echo("nobody can say how: it kept no ledger", err=True)
        return 1
    found = Audit(held, time.time_ns())
    told = [*found.unaccounted, *found.lost]
    click.echo("\n".join([f"its ledger says: {found.state}", *map(plain, told)]), err=True)
    return int(found.state != "drained" or bool(told))


def _signal(agent: Found, number: int) -> None:
    if agent.runs():  # by its lock: never another process that has its number
        try:
            os.kill(agent.pid, number)
        except PermissionError:
            what = f"{agent.name} (process {agent.pid}) is another user's"
            raise click.ClickException(f"{what}: only that user and root can stop it") from None


def _gone(agent: Found, process: Process | None, within_s: float) -> bool:
    """Wait until an agent has let its name go, and its process has ended. Return whether both is so."""
    deadline, pause = time.monotonic() + within_s, threading.Event()
    while agent.runs() or _lives(process):
        if time.monotonic() > deadline:
            return False
        pause.wait(LOOK_S)
    return True


def _lives(process: Process | None) -> bool:
    """Whether it still runs: it, and not another one that has its number now, or what nobody has taken note of."""
    from psutil import STATUS_ZOMBIE, Error  # noqa: PLC0415 - `--help` needs none of it

    try:
        return process is not None and process.is_running() and process.status() != STATUS_ZOMBIE
    except Error:
        return False  # gone just now, or not ours to look at


@click.command(context_settings=HELP_NAMES)
@agent_argument
@click.option("--now", is_flag=True, help="Do not drain. With --stage: do not wait until the stage has empty hands.")
@click.option("--stage", help="Put a fresh plugin into this stage only; the agent runs on.")
@click.option("--handover", is_flag=True, help="Start the new process first, and hand its sockets over: for upgrades.")
def restart(name: str | None, stage: str | None, *, now: bool, handover: bool) -> None:
    """Stop an agent and start it again with the same recipe and options, or give one of its stages a fresh plugin.

    The recipe is checked first: if it is wrong, the agent runs on.
    """
    if handover:
        if now or stage is not None:
            raise click.UsageError("--handover drains the whole agent: leave --now and --stage out")
        from swak.commands.upgrading import hand_over  # noqa: PLC0415 - the other ways need none of it

        sys.exit(hand_over(found(name)))
    if stage is not None:
        told = asked(name, "restart", stage=stage, now=now, within_s=10.0)
        click.echo(f"{told['stage']}: has a fresh plugin", err=True)
        return
    agent = found(name)
    details = agent.details
    if not details.get("background"):
        mend = "stop it there, and start it again"
        raise click.ClickException(f"{agent.name} runs in the foreground of process {agent.pid}; {mend}")
    command = [sys.executable, "-m", "swak", "check", *details["check"]]
    others = {key: value for key, value in os.environ.items() if not key.startswith("SWAK_")}
    environ = others | details["environ"]
    checked = subprocess.run(command, cwd=details["cwd"], env=environ, capture_output=True, text=True, check=False)  # noqa: S603 - ourselves
    if checked.returncode:
        click.echo(f"{checked.stderr}{agent.name} runs on", err=True)
        sys.exit(checked.returncode)
    code = stop_found(agent, now=now)
    if agent.runs():
        sys.exit(code or EXIT_STATE)
    sys.exit(start_in_background(agent.name, details["argv"], details["cwd"], environ))


@click.command(context_settings=HELP_NAMES)
@agent_argument
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C or the agent's end.")
@click.option("-n", "--lines", type=click.IntRange(min=0), default=20, show_default=True, help="How many lines.")
def logs(name: str | None, *, follow: bool, lines: int) -> None:
    """Print the log of an agent in the background, also after its end."""
    from swak.background.following import follow as followed  # noqa: PLC0415 - `--help` needs none of it
    from swak.background.following import last_lines  # noqa: PLC0415 - as above

    path, runs = _log_of(name)
    stdout = sys.stdout.buffer
    stdout.write(last_lines(path, lines))
    stdout.flush()
    pause = threading.Event()

    def rest() -> bool:
        pause.wait(LOOK_S)
        return runs()

    try:
        for part in followed(path, rest) if follow else ():
            stdout.write(part)
            stdout.flush()
    except KeyboardInterrupt:
        return


def _log_of(name: str | None) -> tuple[Path, Callable[[], bool]]:
    """Return the log of an agent, and what tells whether it still runs. Of one that has ended only by name."""
    from swak.background.places import of_this_user  # noqa: PLC0415 - `--help` needs none of it

    try:
        agent = found(name)
    except StateError:
        for places in of_this_user() if name is not None else ():
            path = places.logs / f"{name}.log"
            if path.exists():
                return path, lambda: False
        raise
    if not agent.details.get("log"):
        raise click.ClickException(f"{agent.name} runs in the foreground: its log goes to its terminal")
    return Path(agent.details["log"]), agent.runs


def _public(details: Mapping[str, Any]) -> dict[str, Any]:
    return {key: details.get(key) for key in ("recipe", "background", "began_ns", "data_dir", "log", "socket")}


def _age(details: Mapping[str, Any]) -> str:
    began_ns = details.get("began_ns")
    return "" if began_ns is None else f"{max(0.0, (time.time_ns() - began_ns) / 1e9):.0f} s"
