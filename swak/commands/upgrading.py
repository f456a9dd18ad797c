"""`swak restart --handover`: another process takes over, and nobody who sends is refused meanwhile."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import click

from swak.errors import Problem

if TYPE_CHECKING:
    from swak.background.naming import Found

CHECK_S = 100.0
"""How long the new process may take to load its recipe, as seen from here: a little more than it has."""
TAKE_S = 100.0
"""How long taking over may take beyond the agent's own --grace."""
LOOK_S = 0.05


def hand_over(agent: Found) -> int:
    """Ask an agent to hand over to a new process, and wait for what becomes of it. Returns the exit code."""
    from swak.control.client import ControlError, connect  # noqa: PLC0415 - `--help` needs none of it

    if sys.platform == "win32":
        raise click.ClickException("there is no handover on Windows; swak restart stops and starts")
    try:
        with connect(agent) as connection:
            grace_s = float(connection.ask("status").get("grace_s", 0))
            told = connection.ask("handover", within_s=CHECK_S)
    except ControlError as error:
        raise click.ClickException(f"{error}\n{agent.name} runs on, as process {agent.pid}") from error
    click.echo(f"{agent.name}: process {told['pid']} has checked its recipe; handing over", err=True)
    return _outcome(agent, told, time.monotonic() + grace_s + TAKE_S)


def _outcome(agent: Found, told: dict[str, Any], deadline: float) -> int:
    from swak.background.naming import running  # noqa: PLC0415 - `--help` needs none of it
    from swak.background.places import of_this_user  # noqa: PLC0415 - as above

    pause = threading.Event()
    while time.monotonic() < deadline:
        now = next((one for one in running(of_this_user()) if one.name == agent.name), None)
        if now is not None and now.pid == told["pid"] and now.details:
            click.echo(f"{agent.name}: process {now.pid} has taken over from process {agent.pid}", err=True)
            return 0
        failed = now.details.get("handover") if now is not None and now.pid == agent.pid else None
        if failed and failed["attempt"] == told["attempt"]:
            raise click.ClickException(f"{failed['why']}\n{agent.name} runs on, as process {agent.pid}")
        if now is None and not (_alive(agent.pid) or _alive(told["pid"])):
            raise click.ClickException(f"{agent.name} was stopped meanwhile")
        pause.wait(LOOK_S)
    what = f"{agent.name}: nobody has taken over within {TAKE_S:g} s beyond its --grace"
    raise click.ClickException(str(Problem(what, f"look at swak ps and swak logs {agent.name}")))


def _alive(pid: int) -> bool:
    import psutil  # noqa: PLC0415 - `--help` needs none of it

    return psutil.pid_exists(pid)
