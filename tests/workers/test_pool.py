"""The workers of one stage: who gets a job, what comes back, and what is said when one is lost."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from swak.narrowing import Piece, Suspects
from swak.testing import batch_of, event, events_of
from swak.workers import child
from swak.workers.orders import written
from swak.workers.pool import JOBS_MAX, WorkerLostError, Workers
from swak.workers.wire import Frame, receive, send
from tests.faults.flow import Pass
from tests.flows.waiting import until
from tests.workers.threads import in_a_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def opened(count: int = 2) -> Iterator[Workers]:
    plugin = Pass()
    workers = Workers(written([("Pass", plugin)]), [plugin], count)
    workers.prepare("flow/Pass", as_json=False)
    try:
        workers.open()
        yield workers
    finally:
        workers.close()


@pytest.fixture(autouse=True)
def _threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "process_with", in_a_thread)


def piece(*numbers: int) -> Piece:
    return Piece(batch_of([event({"n": number}) for number in numbers]), Suspects())


def scripted(monkeypatch: pytest.MonkeyPatch, script: Callable[[socket.socket], None]) -> None:
    """Have a worker do what the test says."""

    class Scripted:
        """A process that says what it should not."""

        pid = 1

        def __init__(self, peer: socket.socket, _title: str) -> None:
            self.peer = peer.dup()
            self.thread = threading.Thread(target=self._run, daemon=True)
            self.thread.start()

        def _run(self) -> None:
            with self.peer:
                try:
                    receive(self.peer)
                    script(self.peer)
                except OSError:
                    return

        def kill(self) -> None:
            try:
                self.peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

        def wait(self, timeout: float | None = None) -> int:
            self.thread.join(timeout)
            return 3

    monkeypatch.setattr(child, "process_with", Scripted)


def lost_soon(workers: Workers) -> None:
    until(lambda: workers.has_news, "one is lost")
    workers.check_alive()


def test_what_is_given_comes_back() -> None:
    with opened() as workers:
        numbers = [workers.give(piece(n)) for n in range(3)]
        found: dict[int, Any] = {}
        until(lambda: found.update({one.number: one for one in workers.take()}) or len(found) == 3, "answers")
        assert [events_of(found[number].outcome)[0].record["n"] for number in numbers] == [0, 1, 2]
        assert not workers.has_news


def test_a_worker_has_few_jobs_in_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(peer: socket.socket) -> None:
        send(peer, Frame("ready"))
        peer.recv(1)
        peer.recv(100_000, socket.MSG_WAITALL)

    scripted(monkeypatch, busy)
    with opened(3) as workers:
        for number in range(3 * JOBS_MAX):
            assert workers.has_room
            workers.give(piece(number))
        assert not workers.has_room


def test_what_a_worker_is_at_for_longest_can_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(peer: socket.socket) -> None:
        send(peer, Frame("ready"))
        peer.recv(100_000, socket.MSG_WAITALL)

    scripted(monkeypatch, busy)
    noted: list[Any] = []
    with opened(2) as workers:
        workers.note = lambda since, one: noted.append((since, one))
        first, second = piece(1), piece(2)
        workers.give(first)
        workers.give(second)
        assert [one for _, one in noted] == [first, first]
        assert noted[0] == noted[1]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (Frame("answer", (99, [], {}, 0, [], [])), "instead of answer 1"),
        (Frame("answer", (1, [], {}, 0, [], [])), "1 events of its answer are nowhere"),
        (Frame("answer", (1, [("records", "t", (0, 1), None, 5)], {}, 0, [], []), (b"rubbish",)), "answers rubbish"),
        (Frame("nonsense", ()), "answers rubbish"),
        (Frame("failed", ("MemoryError: ", "")), "MemoryError"),
    ],
)
def test_a_worker_that_cannot_be_believed_is_lost(monkeypatch: pytest.MonkeyPatch, said: Frame, why: str) -> None:
    def lies(peer: socket.socket) -> None:
        send(peer, Frame("ready"))
        receive(peer)
        send(peer, said)

    scripted(monkeypatch, lies)
    suspect = piece(1)
    with opened(1) as workers:
        workers.give(suspect)
        until(lambda: workers.has_news, "it is lost")
        with pytest.raises(WorkerLostError, match=why):
            workers.check_alive()
    assert suspect.suspects.deaths == 1


def test_an_answer_to_nothing_is_rubbish(monkeypatch: pytest.MonkeyPatch) -> None:
    def talks(peer: socket.socket) -> None:
        send(peer, Frame("ready"))
        send(peer, Frame("answer", (1, [], {}, 0, [], [])))
        receive(peer)

    scripted(monkeypatch, talks)
    with pytest.raises(WorkerLostError, match="answers rubbish"), opened(1) as workers:
        lost_soon(workers)


def test_who_was_revoked_blames_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    from swak.actors.lease import Lease
    from swak.errors import Fenced

    def dies(peer: socket.socket) -> None:
        send(peer, Frame("ready"))
        receive(peer)

    scripted(monkeypatch, dies)
    suspect, lease = piece(1), Lease(None)
    lease.revoked = True
    with opened(1) as workers:
        workers.give(suspect)
        until(lambda: workers.has_news, "it is lost")
        with pytest.raises(Fenced):
            workers.check_alive(lease)
    assert suspect.suspects.deaths == 0


def test_one_that_cannot_begin_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, lambda peer: send(peer, Frame("failed", ("ImportError: no such thing", ""))))
    with pytest.raises(WorkerLostError, match=r"worker 1 .* ImportError: no such thing"), opened(1):
        raise AssertionError("it is open")


def test_aborting_ends_what_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()

    def hangs(peer: socket.socket) -> None:
        begun.set()
        peer.recv(1)

    scripted(monkeypatch, hangs)
    plugin = Pass()
    workers = Workers(written([("Pass", plugin)]), [plugin], 1)
    workers.prepare("flow/Pass", as_json=False)

    def abort() -> None:
        assert begun.wait(10)
        workers.abort()

    other = threading.Thread(target=abort)
    other.start()
    with pytest.raises(WorkerLostError):
        workers.open()
    other.join()
    workers.close()


def test_a_fresh_one_has_the_same_orders_and_no_processes() -> None:
    with opened(1) as workers:
        fresh = workers.fresh()
        assert fresh.orders is workers.orders
        assert (fresh.count, fresh.names) == (1, ["Pass"])
        assert not fresh.has_room
