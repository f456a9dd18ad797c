from __future__ import annotations

import socket
from types import GeneratorType

import pytest

from swak.control.protocol import Request, RequestError
from swak.control.rights import Right
from swak.control.server import Client
from swak.handover.asked import verb_of
from swak.handover.predecessor import Handover, Successor
from swak.sockets.kept import Keep


def unable() -> Successor:
    raise OSError("no process to be had")


def test_who_asks_hears_why_it_cannot_be() -> None:
    handover = Handover(Keep(), unable, "not here", print)
    first, second = socket.socketpair()
    with first, second:
        work = verb_of(handover)(Request(1, "handover", {}), Client(first, Right("us")))
        assert isinstance(work, GeneratorType)
        assert next(work) is None
        handover.begin(Idle())
        with pytest.raises(RequestError, match="not here"):
            list(work)
        handover.end()


def test_nothing_else_may_be_given() -> None:
    first, second = socket.socketpair()
    with first, second, pytest.raises(RequestError):
        verb_of(Handover(Keep(), unable, "", print))(Request(1, "handover", {"now": True}), Client(first, Right("us")))


class Idle:
    """A run that goes on for ever."""

    draining = False
    forced_by = None

    def stop(self, *, now: bool = False, signal: int | None = None, handing: bool = False) -> None:
        raise AssertionError(f"it goes on: {now}, {signal}, {handing}")
