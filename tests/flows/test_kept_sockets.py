"""Listening sockets over the deaths of their seats, within one process."""

from __future__ import annotations

import re
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from swak import in_, out, running, task
from swak.plugins.inputs.tcp import Tcp
from swak.testing import FlakyOutput, Recorder
from tests.flows.waiting import WAIT_S, until, view_of

if TYPE_CHECKING:
    from swak.event import Chunk
    from swak.sockets.server import Connection

LISTENING = re.compile(r"listening.*?127\.0\.0\.1:(\d+)")


class Faulty(Tcp):
    """Dies of a line."""

    def _chunks(self, came: list[tuple[Connection, bytes | None]]) -> list[Chunk]:
        if any(data == b"boom\n" for _, data in came):
            raise RuntimeError("boom")
        return super()._chunks(came)

    @property
    def name(self) -> str:
        return "Tcp"


def port_of(caplog: pytest.LogCaptureFixture) -> int:
    until(lambda: LISTENING.search(caplog.text), lambda: caplog.text)
    found = LISTENING.search(caplog.text)
    assert found is not None
    return int(found[1])


def dial(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)


def test_a_death_closes_connections_and_no_port(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder()
    with caplog.at_level("INFO", "swak"), running(task(Faulty(0, host_field=None), recorder, name="web")) as run:
        port = port_of(caplog)
        with dial(port) as first:
            first.sendall(b"boom\n")
            assert first.recv(1) == b""
        for number in range(20):  # at no moment is anybody refused
            with dial(port) as sock:
                sock.sendall(f"{number}\n".encode())
        until(lambda: view_of(run, recorder.name).tally.out == 20, lambda: recorder.records)
        assert view_of(run, "Tcp").restarts == 1
    assert sorted(int(str(record["message"])) for record in recorder.records) == list(range(20))
    with pytest.raises(ConnectionRefusedError):
        dial(port)


def test_a_signal_during_a_handover_is_an_ordinary_end(caplog: pytest.LogCaptureFixture) -> None:
    recorder = FlakyOutput()
    recorder.down()
    with caplog.at_level("INFO", "swak"), running(task(in_.Tcp(0, host_field=None), recorder, name="web")) as run:
        with dial(port_of(caplog)) as sock:
            sock.sendall(b"one\n")
            until(lambda: view_of(run, "Tcp").tally.out == 1, "read")
            run.stop(handing=True)
            until(lambda: run.draining, "draining")
            run.signals.put(signal.SIGTERM)
            until(lambda: not run.crew.sockets.handing, "an ordinary end")
            recorder.up()
            assert run.wait(WAIT_S)
            assert sock.recv(1) == b""
        assert run.forced_by is None
    assert [record["message"] for record in recorder.records] == ["one"]


def test_while_handing_over_sockets_stay_open_after_the_end(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "swak"), running(task(in_.Tcp(0), out.Null(), name="web")) as run:
        with dial(port_of(caplog)) as sock:
            sock.sendall(b"half a li")
            sock.sendall(b"ne")
            until(lambda: "web" in caplog.text, "told")
            run.stop(handing=True)
            assert run.wait(WAIT_S)
            (entry,) = run.crew.sockets.entries()
            assert entry.address == ("tcp", "127.0.0.1", 0)
            dial(entry.sock.getsockname()[1]).close()
        run.crew.sockets.close()
