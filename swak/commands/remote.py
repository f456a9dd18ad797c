"""What `swak up` needs to be controlled over TCP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from swak import log
from swak.commands.watching import Where, where
from swak.errors import Problem, StateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.commands.presence import Presence

_log = log.get("swak.up")


KEPT = "swak.commands.remote"
"""Where click's context holds what was given."""


class Control(NamedTuple):
    """Where to listen, and the file that says how that is guarded."""

    where: Where
    config: str


def control_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--control` and `--control-config` to a command. What they say is told by `control_wanted`."""
    config = click.option(
        "--control-config",
        metavar="FILE",
        expose_value=False,
        callback=_keep,
        envvar="SWAK_CONTROL_CONFIG",
        help="For --control: TOML with certificate, key, ca, tokens. See docs/control.md.",
    )
    control = click.option(
        "--control",
        metavar="[HOST:]PORT",
        expose_value=False,
        callback=lambda ctx, option, value: _keep(ctx, option, where(ctx, option, value)),
        envvar="SWAK_CONTROL",
        help="Be controlled from other machines (swak status --at HOST:PORT): TLS with certificates, and tokens.",
    )
    return control(config(command))


def _keep(ctx: click.Context, option: click.Parameter, value: Any) -> None:
    ctx.meta.setdefault(KEPT, {})[option.name] = value


def control_wanted() -> Control | None:
    """Return what the options say; None where they are not given. UsageError: only one of them is."""
    context = click.get_current_context(silent=True)
    given = context.meta.get(KEPT, {}) if context is not None else {}
    if given.get("control") is None:
        return None
    if not given["control_config"]:
        mend = "give --control-config FILE (certificate, key, ca, tokens); there is no control without TLS"
        raise click.UsageError(f"--control alone lets nobody in: {mend}")
    return Control(given["control"], given["control_config"])


def open_door(presence: Presence | None, control: Control) -> None:
    """Listen on TCP. ConfigError, StateError and ClickException say why that cannot be."""
    if presence is None:
        raise StateError(str(Problem("--control needs a place for the agent's name", "set SWAK_HOME")))
    from swak.control.configured import read_config  # noqa: PLC0415 - only where it is wanted
    from swak.control.door import Door  # noqa: PLC0415 - as above

    guarded = read_config(Path(control.config).absolute())
    try:
        door = Door(*control.where, guarded)
    except OSError as error:
        mend = "stop what listens there, or give another --control HOST:PORT (port 0: a free one)"
        raise click.ClickException(f"--control: {error.strerror or error}; {mend}") from error
    presence.listen_at(door)
    _log.info("control over TCP", address=door.address)
