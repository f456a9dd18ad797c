from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

import pytest

from swak.sockets.address import listener
from swak.sockets.kept import KEEP_S, Berth, Carried, Keep, alone
from swak.testing import FakeClock
from tests.flows.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator

AT = ("tcp", "127.0.0.1", 0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def keep(clock: FakeClock) -> Iterator[Keep]:
    made = Keep(clock.monotonic)
    yield made
    made.close()


def listen(berth: Berth, at: tuple[str, str, int] = AT) -> socket.socket:
    return berth.listening(at, lambda: listener("127.0.0.1", at[2], 10))[0]


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def dial(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)


def test_who_connects_between_two_readers_is_served_by_the_second(keep: Keep) -> None:
    first = keep.berth("web/Tcp")
    with listen(first) as sock:
        port = port_of(sock)
    first.leave(AT)
    with dial(port), listen(keep.berth("web/Tcp")) as sock:
        sock.settimeout(WAIT_S)
        sock.accept()[0].close()


def test_what_its_last_reader_left_word_of_comes_with_a_socket(keep: Keep) -> None:
    first = keep.berth("web/Tcp")
    listen(first).close()
    first.leave(AT, state={"dropped": 3})
    sock, state = keep.berth("web/Tcp").listening(AT, lambda: listener("127.0.0.1", 0, 10))
    sock.close()
    assert state == {"dropped": 3}


def test_a_connection_goes_to_the_successor_once(keep: Keep) -> None:
    first, second = keep.berth("web/Tcp"), keep.berth("web/Tcp")
    with listen(first) as sock, dial(port_of(sock)) as peer:
        sock.settimeout(WAIT_S)
        first.leave(AT, [Carried(sock.accept()[0], "127.0.0.1", b"res", b"out", {"skipping": True})])
        listen(second).close()
        (one,) = second.arrived(AT)
        assert second.arrived(AT) == []
        one.sock.sendall(b"x")
        assert peer.recv(1) == b"x"
        assert one[1:] == ("127.0.0.1", b"res", b"out", {"skipping": True})
        one.sock.close()


def test_what_comes_after_the_successor_is_closed(keep: Keep) -> None:
    first, second = keep.berth("web/Tcp"), keep.berth("web/Tcp")
    with listen(first) as sock, dial(port_of(sock)) as peer:
        sock.settimeout(WAIT_S)
        mine = sock.accept()[0]
        listen(second).close()
        first.leave(AT, [Carried(mine, "127.0.0.1")])
        assert second.arrived(AT) == []
        assert peer.recv(1) == b""


def test_what_was_read_and_not_handed_out_stays_in_this_process(keep: Keep) -> None:
    first, second = keep.berth("web/Tcp"), keep.berth("web/Tcp")
    listen(first).close()
    first.leave(AT, pending=["chunk"])
    listen(second).close()
    assert second.pending(AT) == ["chunk"]
    assert second.pending(AT) == []


def test_where_nobody_listens_any_more_clients_are_refused(keep: Keep) -> None:
    berth = keep.berth("web/Tcp")
    sock = listen(berth)
    port = port_of(sock)
    berth.drop(AT)
    sock.close()
    with pytest.raises(ConnectionRefusedError):
        dial(port)


def test_a_socket_that_nobody_takes_is_closed_after_a_while(keep: Keep, clock: FakeClock) -> None:
    berth = keep.berth("web/Tcp")
    sock = listen(berth)
    port = port_of(sock)
    clock.advance(KEEP_S + 1)
    keep.expire()
    dial(port).close()
    sock.close()
    berth.leave(AT)
    clock.advance(KEEP_S - 1)
    keep.expire()
    dial(port).close()
    clock.advance(2)
    keep.expire()
    with pytest.raises(ConnectionRefusedError):
        dial(port)


def test_a_stage_of_another_name_takes_an_address_that_is_free(keep: Keep) -> None:
    with listener("127.0.0.1", 0, 1) as found:
        port = port_of(found)
    at = ("tcp", "127.0.0.1", port)
    old, new = keep.berth("web/Tcp"), keep.berth("web/Tcp-2")
    listen(old, at).close()
    with pytest.raises(OSError, match="in use"):
        listen(new, at)
    old.leave(at)
    listen(new, at).close()
    assert [(one.stage, one.address) for one in keep.entries()] == [("web/Tcp-2", at)]


def test_any_free_port_is_a_stages_own(keep: Keep) -> None:
    old, new = keep.berth("web/Tcp"), keep.berth("web/Tcp-2")
    with listen(old) as one:
        old.leave(AT)
        with listen(new) as other:
            assert port_of(one) != port_of(other)


def test_addresses_that_nobody_wants_any_more_are_released(keep: Keep) -> None:
    keep.handing = True
    for name in ("a", "b"):
        berth = keep.berth(name)
        listen(berth, ("tcp", name, 0)).close()
        berth.leave(("tcp", name, 0))
    keep.release_but([("tcp", "b", 0)])
    assert ([one.stage for one in keep.entries()], keep.handing) == (["b"], False)


def test_whoever_ends_has_a_successor_only_while_handing_over(keep: Keep) -> None:
    berth = keep.berth("web/Tcp")
    assert (berth.hands_on(ended=False), berth.hands_on(ended=True)) == (True, False)
    keep.handing = True
    assert berth.handing
    assert berth.hands_on(ended=True)
    keep.end()
    assert berth.hands_on(ended=True)
    keep.handing = False
    keep.end()
    assert not berth.hands_on(ended=False)
    keep.begin()
    assert berth.hands_on(ended=False)


def test_at_the_end_all_is_closed_and_what_is_lost_is_told(keep: Keep, caplog: pytest.LogCaptureFixture) -> None:
    berth = keep.berth("web/Tcp")
    with listen(berth) as sock, dial(port_of(sock)) as peer, caplog.at_level(logging.WARNING, "swak"):
        sock.settimeout(WAIT_S)
        berth.leave(AT, [Carried(sock.accept()[0], "127.0.0.1")], pending=["chunk"])
        keep.end()
        assert peer.recv(1) == b""
    assert keep.entries() == []
    assert "connections that a successor was to take are closed" in caplog.text
    assert "what a stage had read and not handed out is lost" in caplog.text


def test_a_plugin_that_nobody_has_seated_keeps_nothing() -> None:
    berth = alone()
    with listen(berth) as sock:
        port = port_of(sock)
        assert not berth.hands_on(ended=False)
        berth.leave(AT)
    with pytest.raises(ConnectionRefusedError):
        dial(port)
