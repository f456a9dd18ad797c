"""Who is at the other end of a Unix socket, as the kernel knows it."""

from __future__ import annotations

import os
import socket
import struct
import sys

XUCRED_BYTES = 76
"""Size of `struct xucred` (sys/ucred.h of macOS and FreeBSD); the user id is its second 32-bit word."""
LOCAL_PEERCRED = 1
LOCAL_PEERPID = 2
"""Of macOS (sys/un.h): the process that has connected, a 32-bit number."""


def user_of(peer: socket.socket) -> int | None:
    """Return the user id of the process that has connected; None where the system does not tell."""
    if hasattr(socket, "SO_PEERCRED"):
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[1])
    if sys.platform == "darwin":
        credentials = peer.getsockopt(0, LOCAL_PEERCRED, XUCRED_BYTES)
        return int(struct.unpack_from("=I", credentials, 4)[0])
    return None


def process_of(peer: socket.socket) -> int | None:
    """Return the number of the process that has connected, for the log: it may have ended since."""
    if hasattr(socket, "SO_PEERCRED"):
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[0])
    if sys.platform == "darwin":
        return peer.getsockopt(0, LOCAL_PEERPID)
    return None


def may_control(user: int | None) -> bool:
    """Tell whether this user may control our process: its owner and root. An unknown one has passed the file's mode."""
    return user is None or not hasattr(os, "geteuid") or user in {os.geteuid(), 0}
