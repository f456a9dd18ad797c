from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from swak.commands.looking import _ended_by_signals
from tests.flows.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    assert {number: signal.getsignal(number) for number in before} == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_view_instead_of_the_process(number: signal.Signals) -> None:
    over = threading.Event()
    with _ended_by_signals(over) as caught:
        os.kill(os.getpid(), number)
        until(over.is_set, "the end")
        assert caught == [number]


def test_what_a_shell_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with _ended_by_signals(threading.Event()):
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
