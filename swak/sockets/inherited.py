"""Sockets that whoever started this process has opened for it: systemd's protocol, LISTEN_FDS."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, NamedTuple

from swak import log
from swak.sockets.address import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    from swak.sockets.kept import Address, Keep

LOG = log.get("sockets")

FIRST_FD = 3
"""sd_listen_fds(3): SD_LISTEN_FDS_START."""
FDS_MAX = 1024
_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
_FAMILIES = {socket.AF_INET, socket.AF_INET6}


class Inherited(NamedTuple):
    """One socket that was open when we began."""

    sock: socket.socket
    name: str
    """What the service manager calls it; it may call several the same."""

    @property
    def protocol(self) -> str:
        """Of what it speaks: "tcp", "udp", or nothing that an input could read."""
        if self.sock.family not in _FAMILIES:
            return ""
        if self.sock.type == socket.SOCK_DGRAM:
            return "udp"
        is_ours = self.sock.type == socket.SOCK_STREAM
        return "tcp" if is_ours and self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) else ""

    def __str__(self) -> str:
        address = self.sock.getsockname()
        return shown(address) if self.sock.family in _FAMILIES else str(address)


def inherited(environ: MutableMapping[str, str], pid: int) -> list[Inherited]:
    """Return what was handed to this process, and take the variables away: no child may think it is meant.

    The descriptors are closed when another program is run. Variables that are meant for another process give nothing.
    """
    count, meant_for = environ.pop("LISTEN_FDS", ""), environ.pop("LISTEN_PID", "")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    environ.pop("LISTEN_PIDFDID", None)
    if not count or meant_for != str(pid):
        return []
    if not (count.isascii() and count.isdigit() and int(count) <= FDS_MAX):
        LOG.warning("LISTEN_FDS is no number of sockets; none is taken over", given=count)
        return []
    found = []
    for number in range(int(count)):
        descriptor = FIRST_FD + number
        try:
            os.set_inheritable(descriptor, False)
            sock = socket.socket(fileno=descriptor)
        except OSError as error:
            LOG.warning("a descriptor of LISTEN_FDS is no socket", descriptor=descriptor, error=str(error))
            continue
        sock.setblocking(False)
        found.append(Inherited(sock, names[number] if number < len(names) else ""))
    return found


def adopt(given: list[Inherited], wanted: Iterable[tuple[str, Address]], keep: Keep) -> None:
    """Keep each socket for the input that listens there; tell which ones nobody wants, and close them.

    `wanted`: what inputs listen on, with "flow/stage". A socket that has the name of a stage (or of flow/stage) is
    that stage's, wherever it listens; all others are known by their address.
    """
    left, open_for = list(given), list(wanted)
    for matches in (_named, _addressed):
        for stage, address in list(open_for):
            found = next((one for one in left if one.protocol == address[0] and matches(one, stage, address)), None)
            if found is None:
                continue
            left.remove(found)
            open_for.remove((stage, address))
            LOG.info("a socket of the service manager is taken over", stage=stage, address=str(found), name=found.name)
            keep.put(stage, address, found.sock)
    for one in left:
        mend = "name it after a stage (FileDescriptorName=), or let it listen where an input does"
        LOG.warning("no input wants a socket of the service manager; it is closed", address=str(one), mend=mend)
        one.sock.close()


def _named(one: Inherited, stage: str, _address: Address) -> bool:
    return bool(one.name) and one.name in {stage, stage.rpartition("/")[2]}


def _addressed(one: Inherited, _stage: str, address: Address) -> bool:
    protocol, host, port = address
    if not port:
        return False
    try:
        found = socket.getaddrinfo(host or None, port, type=_KINDS[protocol], flags=socket.AI_PASSIVE)
    except OSError:
        return False
    return any(family == one.sock.family and where[:2] == one.sock.getsockname()[:2] for family, *_, where in found)
