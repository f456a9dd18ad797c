"""Ports for servers that begin later, or again and again on the same one."""

from __future__ import annotations

import random
import socket

PORTS = range(20_000, 32_000)
"""Below those that outgoing connections get (from 32,768 on for Linux, 49,152 for others): none is taken by chance."""


def free_port() -> int:
    """Return a port on which nobody listens, and nobody will unless told so, neither by TCP nor by UDP."""
    for port in random.SystemRandom().sample(PORTS, 100):  # tests draw alike from the shared generator
        with (
            socket.socket() as stream,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        ):
            try:
                stream.bind(("127.0.0.1", port))
                datagrams.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("of a hundred ports none is free")
