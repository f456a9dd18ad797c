"""What looks at a run of `swak up` besides the live view: the metrics endpoint, and the system's service manager."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swak.actors.running import Run

PORT_MAX = 65_535


class Where(NamedTuple):
    """An address to listen on."""

    host: str
    port: int


def where(_ctx: click.Context, _option: click.Parameter, value: str | None) -> Where | None:
    """Read an address as people write it: "127.0.0.1:9598", "[::1]:9598", "9598" or ":9598"."""
    if value is None:
        return None
    host, _, port = value.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) <= PORT_MAX) or (":" in host and not host.startswith("[")):
        raise click.BadParameter(f"wants HOST:PORT or PORT, e.g. 127.0.0.1:9598 or [::1]:9598, not {value!r}")
    return Where(host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port))


@contextmanager
def watched(run: Run, metrics: Where | None) -> Iterator[None]:
    """Have the run looked at while the body goes on. An address that cannot be had ends the command."""
    from swak.metrics.serving import serving  # noqa: PLC0415 - `swak up --help` needs none of it
    from swak.notify import notifying  # noqa: PLC0415 - as above

    with ExitStack() as watchers:
        if metrics is not None:
            try:
                watchers.enter_context(serving(run, *metrics))
            except OSError as error:
                run.close()
                mend = "stop what listens there, or give another --metrics HOST:PORT (port 0: a free one)"
                raise click.ClickException(f"--metrics: {error.strerror or error}; {mend}") from error
        watchers.enter_context(notifying(run))
        yield
