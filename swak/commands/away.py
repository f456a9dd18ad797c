"""Agents on other machines: `--at HOST:PORT`, and the certificate and token that say who we are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from swak.commands.watching import Where, where

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.control.client import Away

KEPT = "swak.commands.away"
"""Where click's context holds what was given, so that no command has to pass it on."""


def away_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command. What they say is found by `away`, wherever in the command that is asked."""
    for name, metavar, text in (
        ("--token-file", "FILE", "Our token for --at; without it, the certificate has to be known by its name."),
        ("--ca", "FILE", "Authority that signed the agent's certificate, for --at; else the system's."),
        ("--key", "FILE", "Its key, where it is not in the same file."),
        ("--cert", "FILE", "Our certificate, for --at."),
    ):
        variable = f"SWAK_CONTROL_{name.removeprefix('--').replace('-', '_').upper()}"
        add = click.option(name, metavar=metavar, envvar=variable, expose_value=False, callback=_keep, help=text)
        command = add(command)
    at = click.option(
        *("--at", "at"),
        metavar="HOST:PORT",
        expose_value=False,
        callback=lambda ctx, option, value: _keep(ctx, option, where(ctx, option, value)),
        help="An agent on another machine, started there with `swak up --control`.",
    )
    return at(command)


def _keep(ctx: click.Context, option: click.Parameter, value: Any) -> None:
    ctx.meta.setdefault(KEPT, {})[option.name] = value


def away(name: str | None = None) -> Away | None:
    """Return the agent that --at names, None where it is not given. UsageError: what has to be there is missing."""
    context = click.get_current_context(silent=True)
    given: dict[str, Any] = context.meta.get(KEPT, {}) if context is not None else {}
    at: Where | None = given.get("at")
    if at is None:
        return None
    if name is not None:
        raise click.UsageError(f"--at says which agent, and so does {name!r}: leave one of the two out")
    if not given.get("cert"):
        raise click.UsageError("--at needs --cert FILE (or SWAK_CONTROL_CERT): agents let nobody in without one")
    from swak.control.client import Away  # noqa: PLC0415 - `--help` needs none of it
    from swak.control.private import check_private, read_private, told  # noqa: PLC0415 - as above
    from swak.forward.tls import Tls  # noqa: PLC0415 - as above

    token = None
    try:
        check_private(given.get("key") or given["cert"])
        if given.get("token_file"):
            token = read_private(given["token_file"]).strip()
    except OSError as error:
        raise click.UsageError(f"--at: {told(error, error.filename or '')}") from error
    return Away(at.host, at.port, Tls(given.get("ca") or "", given["cert"], given.get("key") or ""), token)
