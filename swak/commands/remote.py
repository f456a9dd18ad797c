"""What `swak up` needs to be controlled over TCP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from swak import log
from swak.commands.watching import Where, where
from swak.errors import Problem, StateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.commands.presence import Presence

_log = log.get("swak.up")


def control_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--control` and `--control-config` to a command."""
    config = click.option(
        "--control-config",
        metavar="FILE",
        envvar="SWAK_CONTROL_CONFIG",
        help="For --control: TOML with certificate, key, ca, tokens. See docs/control.md.",
    )
    control = click.option(
        "--control",
        metavar="[HOST:]PORT",
        callback=where,
        envvar="SWAK_CONTROL",
        help="Be controlled from other machines (swak status --at HOST:PORT): TLS with certificates, and tokens.",
    )
    return control(config(command))


def open_door(presence: Presence | None, control: Where | None, config: str | None) -> None:
    """Listen on TCP where that is wanted. ConfigError, UsageError, StateError, ClickException say why it cannot be."""
    if control is None:
        return
    if not config:
        mend = "give --control-config FILE (certificate, key, ca, tokens); there is no control without TLS"
        raise click.UsageError(f"--control alone lets nobody in: {mend}")
    if presence is None:
        raise StateError(str(Problem("--control needs a place for the agent's name", "set SWAK_HOME")))
    from swak.control.configured import read_config  # noqa: PLC0415 - only where it is wanted
    from swak.control.door import Door  # noqa: PLC0415 - as above

    guarded = read_config(Path(config).absolute())
    try:
        door = Door(*control, guarded)
    except OSError as error:
        mend = "stop what listens there, or give another --control HOST:PORT (port 0: a free one)"
        raise click.ClickException(f"--control: {error.strerror or error}; {mend}") from error
    presence.listen_at(door)
    _log.info("control over TCP", address=door.address)
