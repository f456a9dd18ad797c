from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

from swak import Batch, Output, in_, out, task
from swak.doctor.reaching import address_of, handshakes
from swak.recipe import as_recipe
from swak.topology.compile import compile_recipe
from swak.topology.load import load_text

if TYPE_CHECKING:
    from swak.doctor.finding import Finding
    from tests.servers.receivers import Receiver


def tried(text: str, limit_s: float = 20.0) -> list[Finding]:
    return handshakes(compile_recipe(load_text(text)), limit_s)


def test_a_free_port_can_be_listened_on_and_is_free_afterwards() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        (one,) = tried(f"task(in_.Tcp({port}), out.Null())")
        assert one.level == "failed"
        assert f"127.0.0.1:{port}" in one.what
        assert "stop what listens there" in one.mend
    (one,) = tried(f"task(in_.Tcp({port}), out.Null())")
    assert one.level == "ok"
    socket.create_server(("127.0.0.1", port)).close()


def test_an_output_whose_far_end_listens_is_fine_and_sends_it_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        (one,) = tried(f'task(in_.Udp(0), out.Tcp("127.0.0.1", {server.getsockname()[1]}))')
        assert (one.level, one.subject) == ("ok", "task-1/Tcp")
        connection, _ = server.accept()
        with connection:
            connection.settimeout(20)
            assert connection.recv(100) == b""


def test_an_output_whose_far_end_is_gone_fails_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    (one,) = tried(f'task(in_.Udp(0), out.Http("http://127.0.0.1:{port}/x"))')
    assert one.level == "failed"
    assert f"127.0.0.1:{port}" in one.what
    assert one.mend


def test_a_fluentd_that_wants_another_key_is_found_out(forward_receiver: Receiver) -> None:
    (one,) = tried(f'task(in_.Udp(0), out.Fluentd("127.0.0.1", {forward_receiver.port}))')
    assert one.level == "ok"
    (one,) = tried(
        f'task(in_.Udp(0), out.Fluentd("127.0.0.1", {forward_receiver.port}, shared_key="no", timeout="1s"))'
    )
    assert one.level == "failed"


class Hanging(Output):
    """Never gets through."""

    connects = True
    host = "far.example"
    port = 5

    def open(self) -> None:
        threading.Event().wait(30)

    def write(self, batch: Batch) -> None:
        del batch


class Raising(Hanging):
    """Raises what nobody expects."""

    def open(self) -> None:
        raise RuntimeError("what now")


class Own(Output):
    """Does not say whether it connects."""

    def write(self, batch: Batch) -> None:
        del batch


def test_all_are_tried_at_once_and_none_for_longer_than_the_limit() -> None:
    topology = compile_recipe(as_recipe(task(in_.Memory([]), [Hanging(), Hanging(), Raising()])))
    began = time.monotonic()
    found = handshakes(topology, 0.3)
    assert time.monotonic() - began < 10
    assert [one.what for one in found] == [
        "far.example:5: no answer within 0.3 s",
        "far.example:5: no answer within 0.3 s",
        "far.example:5: RuntimeError: what now",
    ]


def test_an_output_that_does_not_say_how_to_be_reached_is_named() -> None:
    (one,) = handshakes(compile_recipe(as_recipe(task(in_.Memory([]), Own()))), 5)
    assert (one.level, one.subject) == ("note", "task-1/Own")


def test_a_secret_of_a_url_is_not_shown() -> None:
    plugin = out.Http("http://10.0.0.1/x?token=secret")
    assert address_of(plugin) == "10.0.0.1:80"
