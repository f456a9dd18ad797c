"""Handshakes: whether each input's address can be had, and whether each output's far end answers. No event is sent."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from swak.doctor.finding import Finding
from swak.doctor.needs import plugins_of
from swak.errors import SwakError
from swak.plugin import Input, Output
from swak.sockets.address import bound, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from swak.plugin import Plugin
    from swak.topology.graph import Topology

AREA = "connection"
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


class Attempt(NamedTuple):
    """One handshake."""

    where: str
    address: str
    act: Callable[[], str]
    """Does it, and says what was reached. OSError and the like say what is wrong."""
    give_up: Callable[[], None]
    mend: str


def handshakes(topology: Topology, limit_s: float) -> list[Finding]:
    """Try all at once, each for `limit_s` at most. A `failed` one is a handshake that failed."""
    attempts = list(_attempts(topology))
    found: dict[int, Finding] = {}
    threads = [
        threading.Thread(target=_try, args=(attempt, found, at), name="swak-doctor", daemon=True)
        for at, attempt in enumerate(attempts)
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + limit_s
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    done = found.copy()
    for at, attempt in enumerate(attempts):
        if at not in done:
            attempt.give_up()
            what = f"{attempt.address}: no answer within {limit_s:g} s"
            done[at] = Finding(AREA, attempt.where, "failed", what, attempt.mend)
    return [done[at] for at in range(len(attempts))] + list(_unknown(topology))


def _try(attempt: Attempt, found: dict[int, Finding], at: int) -> None:
    try:
        said = attempt.act()
    except (OSError, SwakError) as error:
        found[at] = Finding(AREA, attempt.where, "failed", _told(attempt, error), attempt.mend)
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything: that is a finding, too
        what = f"{attempt.address}: {type(error).__name__}: {error}"
        found[at] = Finding(AREA, attempt.where, "failed", what, attempt.mend)
    else:
        found[at] = Finding(AREA, attempt.where, "ok", said)


def _told(attempt: Attempt, error: Exception) -> str:
    text = (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
    return text if attempt.address in text else f"{attempt.address}: {text}"


def _attempts(topology: Topology) -> Iterator[Attempt]:
    for where, plugin in plugins_of(topology):
        if isinstance(plugin, Input):
            for protocol, host, port in plugin.listens_on():
                if port:
                    yield _listening(where, protocol, host, port)
        elif isinstance(plugin, Output) and plugin.connects:
            yield _connecting(where, plugin)


def _listening(where: str, protocol: str, host: str, port: int) -> Attempt:
    address = shown((host, port))

    def act() -> str:
        bound(host, port, KINDS[protocol]).close()
        return f"{protocol} {address} can be listened on"

    mend = f"stop what listens there (ss -lnp 'sport = :{port}'), if that is not this recipe already running"
    return Attempt(where, f"{protocol} {address}", act, _nothing, mend)


def _connecting(where: str, declared: Output) -> Attempt:
    plugin = declared.fresh()
    address = address_of(plugin)

    def act() -> str:
        try:
            plugin.open()
        finally:
            plugin.close()
        return f"{address} answers" if not _is_datagram(plugin) else f"{address} has an address; UDP tells no more"

    mend = "see that it runs and listens there, that no firewall is in between, and that keys and certificates fit"
    return Attempt(where, address, act, plugin.abort, mend)


def _is_datagram(plugin: Plugin) -> bool:
    return plugin.name == "Udp"


def address_of(plugin: Plugin) -> str:
    """Return host and port of an output, without any secret of a URL."""
    url = getattr(plugin, "url", "")
    if url:
        parts = urlsplit(str(url))
        return shown((parts.hostname or "?", parts.port or (443 if parts.scheme == "https" else 80)))
    return shown((getattr(plugin, "host", "?"), getattr(plugin, "port", "?")))


def _unknown(topology: Topology) -> Iterator[Finding]:
    """Yield outputs that nobody knows how to reach without sending an event."""
    for where, plugin in plugins_of(topology):
        own = plugin.__module__.startswith("swak.")
        if isinstance(plugin, Output) and not plugin.connects and not plugin.writes_to() and not own:
            what = f"{plugin.name} does not say how to reach its far end without sending an event"
            yield Finding(AREA, where, "note", what, "a plugin whose `open` only connects can say so: connects = True")


def _nothing() -> None:
    """There is nothing to give up."""
