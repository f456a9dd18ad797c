"""Names and ports to sockets: listening ones, and connected ones."""

from __future__ import annotations

import os
import selectors
import socket
import time
from errno import EINPROGRESS, EISCONN, EWOULDBLOCK
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PORT_MAX = 65_535
SLICE_S = 0.1
"""How often a wait looks whether it is still wanted."""
_CONNECTING = {EINPROGRESS, EWOULDBLOCK, getattr(os, "WSAEWOULDBLOCK", 10035)}
_KEEPALIVE_S = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


def port_problems(port: int, example: str) -> list[tuple[str, str]]:
    """Name what is wrong with a port, as (what, mend)."""
    return [(f"there is no port {port}", f"give a number up to {PORT_MAX}, e.g. {example}")] if port > PORT_MAX else []


def bound(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    """Return a socket bound to an address of this machine; it does not block. OSError says which address it was."""
    failure: OSError | None = None
    try:
        found = socket.getaddrinfo(host or None, port, type=kind, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise located(error, host, port) from error
    for family, _, protocol, _, where in found:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            if kind == socket.SOCK_STREAM and os.name == "posix":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(where)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    failure = failure or OSError("the name has no address")
    raise located(failure, host, port) from failure


def dialled(
    host: str,
    port: int,
    timeout_s: float,
    check: Callable[[], None],
    kind: socket.SocketKind = socket.SOCK_STREAM,
) -> socket.socket:
    """Return a socket connected to the first address that answers; it does not block.

    `check` is called all the while, and may raise to end the wait. OSError says which address it was.
    """
    failure: OSError | None = None
    try:
        found = socket.getaddrinfo(host, port, type=kind)
    except OSError as error:
        raise located(error, host, port) from error
    for family, _, protocol, _, where in found:
        check()
        sock = socket.socket(family, kind, protocol)
        try:
            _connect(sock, where, timeout_s, check)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    check()
    failure = failure or OSError("the name has no address")
    raise located(failure, host, port) from failure


def _connect(sock: socket.socket, where: Any, timeout_s: float, check: Callable[[], None]) -> None:
    sock.setblocking(False)
    code = sock.connect_ex(where)
    if code in _CONNECTING:
        deadline = time.monotonic() + timeout_s
        while not wait_for(sock, selectors.EVENT_WRITE, SLICE_S):
            check()
            if time.monotonic() >= deadline:
                raise TimeoutError(f"no connection within {timeout_s:g} s")
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code not in (0, EISCONN):
        raise OSError(code, os.strerror(code))
    if sock.type == socket.SOCK_STREAM:
        tune(sock)


def wait_for(sock: socket.socket, wanted: int, wait_s: float) -> bool:
    """Wait until the socket can be read or written (`selectors.EVENT_READ`, `EVENT_WRITE`); tell whether it can."""
    with _Selector() as selector:
        selector.register(sock, wanted)
        return bool(selector.select(wait_s))


def tune(sock: socket.socket) -> None:
    """Send at once, and notice a peer that vanished within a minute."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE_S.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def listener(host: str, port: int, backlog: int) -> socket.socket:
    """Return a socket that listens there; it does not block. OSError says which address cannot be had."""
    sock = bound(host, port, socket.SOCK_STREAM)
    try:
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise located(error, host, port) from error
    return sock


def located(error: OSError, host: str, port: int) -> OSError:
    """Return the same error with the address in front."""
    if error.errno is None:
        return type(error)(f"{host}:{port}: {error}")
    return OSError(error.errno, f"{host}:{port}: {error.strerror}")


def shown(address: Any) -> str:
    """Return a socket's address as people write it."""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def plain_host(host: str) -> str:
    """Return a peer's address; an IPv4 address that came in over IPv6 as such."""
    return host.removeprefix("::ffff:") if "." in host else host
