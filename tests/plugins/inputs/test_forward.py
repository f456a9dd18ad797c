"""The receiving side, with senders that are not ours, and with our own."""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import msgpack  # type: ignore[import-untyped]  # it has no types
import pytest
from fluent.asyncsender import FluentSender as FluentAsyncSender  # type: ignore[import-untyped]  # it has no types
from fluent.sender import FluentSender  # type: ignore[import-untyped]  # it has no types

from swak import ConfigError, EndOfInput, Event, in_, out, running, task
from swak.plugins.inputs.forward import Forward
from swak.plugins.outputs.fluentd import Fluentd
from swak.testing import batch_of, event
from tests.flows.parts import Valve
from tests.flows.waiting import until
from tests.oracle import judge
from tests.servers.receivers import HERE, node_modules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swak.actors.running import Run
    from tests.servers.certificates import Certificates

SOME_NS = 1_414_767_730_201_234_567


class Received:
    """A flow from Forward to a list."""

    def __init__(self, run: Run, sink: Any) -> None:
        self.run = run
        self.sink = sink

    @property
    def plugin(self) -> Forward:
        plugin = self.run.crew.posts[0].lease.plugin
        assert isinstance(plugin, Forward)
        return plugin

    @property
    def port(self) -> int:
        until(lambda: self.run.crew.posts[0].state == "running" and self.plugin.bound_port, "it does not listen")
        return self.plugin.bound_port

    @property
    def events(self) -> list[Event]:
        return list(self.sink.events)

    def numbers(self, count: int) -> list[int]:
        until(lambda: len(self.events) >= count, lambda: f"{len(self.events)} of {count} have come")
        return [one.record["n"] for one in self.events]


@contextmanager
def received(**options: Any) -> Iterator[Received]:
    sink = out.Memory()
    with running(task(in_.Forward(port=0, **options), sink)) as run:
        yield Received(run, sink)


def send_by_npm(**options: Any) -> None:
    """Send with the client of the npm package, and wait for its end."""
    environment = {**os.environ, "NODE_PATH": str(node_modules())}
    command = [shutil.which("node") or "node", str(HERE / "fluent_sender.js"), json.dumps(options)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr


MODES = ["Message", "Forward", "PackedForward", "CompressedPackedForward"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ack", [0, 20_000])
def test_an_independent_client_is_understood_in_every_mode(mode: str, ack: int) -> None:
    with received() as flow:
        send_by_npm(port=flow.port, mode=mode, count=300, ack=ack)
        judge(range(300), flow.numbers(300), ordered=False).assert_right()
        assert {one.tag for one in flow.events} == {"npm.t"}


@pytest.mark.parametrize("mode", MODES)
def test_an_independent_client_shows_key_and_password(mode: str) -> None:
    with received(shared_key="s3cret", users={"ann": "pass"}, hostname="swak") as flow:
        send_by_npm(port=flow.port, mode=mode, count=50, ack=20_000, key="s3cret", user="ann", password="pass")
        judge(range(50), flow.numbers(50), ordered=False).assert_right()


def test_an_independent_client_speaks_tls(certificates: Certificates) -> None:
    with received(cert=certificates.server, shared_key="s3cret", hostname="swak") as flow:
        options = {"mode": "PackedForward", "ca": certificates.ca, "key": "s3cret", "ack": 20_000}
        send_by_npm(port=flow.port, count=500, **options)
        judge(range(500), flow.numbers(500), ordered=False).assert_right()


def test_a_time_with_nanoseconds_comes_from_an_independent_client() -> None:
    with received() as flow:
        send_by_npm(port=flow.port, mode="PackedForward", count=1, milliseconds=True)
        flow.numbers(1)
        assert abs(flow.events[0].time_ns - time.time_ns()) < 60_000_000_000


@pytest.mark.parametrize("nanoseconds", [True, False])
def test_fluent_logger_is_understood(nanoseconds: bool) -> None:
    with received() as flow:
        sender = FluentSender("app", "127.0.0.1", flow.port, nanosecond_precision=nanoseconds)
        for n in range(100):
            assert sender.emit_with_time("web", 1_700_000_000.5 if nanoseconds else 1_700_000_000, {"n": n})
        sender.close()
        judge(range(100), flow.numbers(100)).assert_right()
        rest_ns = 500_000_000 if nanoseconds else 0
        assert {(one.tag, one.time_ns) for one in flow.events} == {("app.web", 1_700_000_000_000_000_000 + rest_ns)}


def test_fluent_loggers_thread_is_understood() -> None:
    with received() as flow:
        sender = FluentAsyncSender("app", "127.0.0.1", flow.port, queue_circular=False, queue_maxsize=10_000)
        for n in range(2_000):
            sender.emit("web", {"n": n})
        sender.close()
        judge(range(2_000), flow.numbers(2_000)).assert_right()


OWN: list[dict[str, Any]] = [
    {},
    {"gzip": True},
    {"keepalive": False},
    {"shared_key": "k", "hostname": "me"},
    {"shared_key": "k", "user": "ann", "password": "p", "gzip": True},
]


@pytest.mark.parametrize("options", OWN, ids=[", ".join(one) or "plain" for one in OWN])
@pytest.mark.parametrize("tls", ["", "server", "both"])
def test_our_own_sender_is_understood_in_every_mode(
    options: dict[str, Any], tls: str, certificates: Certificates
) -> None:
    ours: dict[str, Any] = {"shared_key": options.get("shared_key", "")}
    ours |= {"users": {"ann": "p"}} if "user" in options else {}
    ours |= {"cert": certificates.server} if tls else {}
    ours |= {"ca": certificates.ca} if tls == "both" else {}
    theirs = {**options, **({"tls": True, "ca": certificates.ca} if tls else {})}
    theirs |= {"cert": certificates.client} if tls == "both" else {}
    with received(**ours) as flow:
        plugin = Fluentd("127.0.0.1", flow.port, **theirs)
        assert plugin.check() == []
        try:
            plugin.open()
            for start in range(0, 3_000, 1_000):
                plugin.write(batch_of([Event("a.b", SOME_NS, {"n": n}) for n in range(start, start + 1_000)]))
                assert plugin.alive()
                assert len(flow.events) >= start + 1_000, "what was acked is settled"
        finally:
            plugin.close()
        judge(range(3_000), flow.numbers(3_000)).assert_right()
        assert {(one.tag, one.time_ns) for one in flow.events} == {("a.b", SOME_NS)}
        assert flow.plugin.notes() == ""


def refused(port: int, **options: Any) -> str:
    """Return why a sender with these options is not let in."""
    plugin = Fluentd("127.0.0.1", port, **options)
    with pytest.raises(OSError, match=f"127.0.0.1:{port}") as raised:  # noqa: PT012 - when it is told depends on TLS
        try:
            plugin.open()
            plugin.write(batch_of([event({"n": 1})]))
        finally:
            plugin.close()
    return str(raised.value)


def test_a_sender_with_another_key_is_told_so_and_stays_out() -> None:
    with received(shared_key="right") as flow:
        assert "shared key mismatch" in refused(flow.port, shared_key="wrong")
        assert "give shared_key=" in refused(flow.port) or "closed the connection" in refused(flow.port)
        assert flow.events == []
        until(lambda: "no shared key" in flow.plugin.notes(), flow.plugin.notes)


def test_a_sender_with_a_wrong_password_stays_out() -> None:
    with received(shared_key="k", users={"ann": "p"}) as flow:
        assert "mismatch" in refused(flow.port, shared_key="k", user="ann", password="q")
        assert "give user=" in refused(flow.port, shared_key="k")


def test_a_sender_that_does_not_trust_the_certificate_sends_nothing(certificates: Certificates) -> None:
    with received(cert=certificates.stranger) as flow:
        assert "TLS" in refused(flow.port, tls=True, ca=certificates.ca)
        plugin = Fluentd("127.0.0.1", flow.port, tls=True, verify=False)
        plugin.open()
        plugin.write(batch_of([event({"n": 1})]))
        plugin.close()
        assert flow.numbers(1) == [1]


def test_a_sender_without_a_certificate_of_ours_stays_out(certificates: Certificates) -> None:
    with received(cert=certificates.server, ca=certificates.ca) as flow:
        assert "TLS" in refused(flow.port, tls=True, ca=certificates.ca)
        assert "TLS" in refused(flow.port, tls=True, ca=certificates.ca, cert=certificates.stranger)
        assert flow.events == []


def test_a_sender_of_tls_meets_no_tls_and_the_other_way_round(certificates: Certificates) -> None:
    with received() as flow:
        assert refused(flow.port, tls=True, ca=certificates.ca)
        until(lambda: "no forward protocol" in flow.plugin.notes(), flow.plugin.notes)
    with received(cert=certificates.server) as flow:
        assert refused(flow.port, timeout=5, ack_timeout=5)
        until(lambda: "no TLS" in flow.plugin.notes(), flow.plugin.notes)


def test_a_batch_is_acked_only_when_the_output_has_it() -> None:
    valve = Valve()
    with running(task(in_.Forward(port=0), valve)) as run:
        flow = Received(run, valve)
        with socket.create_connection(("127.0.0.1", flow.port), 5) as sender:
            sender.sendall(msgpack.packb(["t", 1, {"n": 1}, {"chunk": "id"}]))
            until(lambda: flow.run.crew.posts[1].state == "retrying", "the output is not asked")
            sender.settimeout(0.2)
            with pytest.raises(TimeoutError):
                sender.recv(1)
            valve.is_open.set()
            sender.settimeout(20)
            assert msgpack.unpackb(sender.recv(100)) == {"ack": "id"}


def test_acks_go_out_while_there_is_no_room_to_read() -> None:
    shut, free = Valve(), out.Memory()
    recipe = task(in_.Forward(port=0), {"free": free, "**": shut})
    with running(recipe) as run:
        flow = Received(run, free)
        with (
            socket.create_connection(("127.0.0.1", flow.port), 5) as quick,
            socket.create_connection(("127.0.0.1", flow.port), 5) as flood,
        ):
            flood.settimeout(0.5)
            batch = msgpack.packb(["shut", [[1, {"n": n, "text": "x" * 100}] for n in range(1_000)]])
            quick.sendall(msgpack.packb(["free", 1, {"n": 1}, {"chunk": "id"}]))
            with pytest.raises(TimeoutError):  # noqa: PT012 - until nothing more is read
                while True:
                    flood.sendall(batch)
            assert run.crew.posts[0].mailbox.blocked
            quick.settimeout(20)
            assert msgpack.unpackb(quick.recv(100)) == {"ack": "id"}
            flood.close()
        shut.is_open.set()


def test_what_a_buffer_holds_at_the_end_is_acked_before_the_connection_closes() -> None:
    sink = out.Memory()
    with running(task(in_.Forward(port=0, ack_timeout="2h"), out.TimedBuffer("1h"), sink)) as run:
        flow = Received(run, sink)
        sender = socket.create_connection(("127.0.0.1", flow.port), 20)
        sender.sendall(msgpack.packb(["t", 1, {"n": 1}, {"chunk": "id"}]))
        until(lambda: run.crew.posts[1].mailbox.has_held, "nothing is held")
        run.stop()
        assert msgpack.unpackb(sender.recv(100)) == {"ack": "id"}
        assert sender.recv(100) == b""
        sender.close()
        assert run.wait(20)
    assert run.receipt().inputs[0][2:5] == (1, 0, 0)


def test_what_is_not_settled_at_the_end_will_replay_if_an_ack_was_wanted_and_is_lost_if_not() -> None:
    shut = Valve()
    with running(task(in_.Forward(port=0), shut), grace_s=0.3) as run:
        flow = Received(run, shut)
        with socket.create_connection(("127.0.0.1", flow.port), 5) as sender:
            sender.sendall(msgpack.packb(["t", [[1, {"n": 1}], [1, {"n": 2}]], {"chunk": "id"}]))
            sender.sendall(msgpack.packb(["t", 1, {"n": 3}]))
            until(lambda: run.crew.posts[0].sources.counts()[0] == 3, "it has not come")  # type: ignore[union-attr]
            run.stop()
            assert run.wait(20)
            delivered, will_replay, lost = run.receipt().inputs[0][2:5]
    assert (delivered, will_replay, lost) == (0, 2, 1)


def test_with_once_it_ends_when_nothing_more_has_come() -> None:
    plugin = Forward(port=0)
    plugin.open()
    plugin.wait_s = 0.05
    plugin.once = True
    with socket.create_connection(("127.0.0.1", plugin.bound_port), 5) as sender:
        sender.sendall(msgpack.packb(["t", 1, {"n": 1}]))
        chunks = plugin.read()
        assert chunks is not None
        assert chunks[0].body.records() == [{"n": 1}]
        with pytest.raises(EndOfInput):
            plugin.read()
    plugin.close()


def test_an_interrupt_ends_a_read_that_waits() -> None:
    plugin = Forward(port=0)
    plugin.open()
    plugin.wait_s = 30
    timer = threading.Timer(0.05, plugin.interrupt)
    timer.start()
    began = time.monotonic()
    assert plugin.read() is None
    assert time.monotonic() - began < 20
    timer.join()
    plugin.close()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"host": ""}, "host is empty"),
        ({"port": 70_000}, "no port 70000"),
        ({"users": {"ann": "p"}}, "users go with a shared key"),
        ({"key": "k.pem"}, "needs a certificate"),
        ({"ca": "ca.pem"}, "needs a certificate"),
    ],
)
def test_what_cannot_work_is_told_with_its_mend(options: dict[str, Any], problem: str) -> None:
    ((what, mend),) = Forward(**options).check()
    assert problem in what
    assert mend


def test_secrets_are_marked_as_such() -> None:
    assert [name for name, one in Forward.options.items() if one.secret] == ["shared_key", "users"]
    assert [name for name, one in Fluentd.options.items() if one.secret] == ["shared_key", "password"]


def test_a_buffer_that_holds_longer_than_senders_wait_is_refused() -> None:
    recipe = task(in_.Forward(), out.TimedBuffer("5M"), out.Null())
    wanted = r"TimedBuffer: it holds events in memory for up to 300 s.*190 s.*DiskBuffer"
    with pytest.raises(ConfigError, match=wanted), running(recipe):
        pass


def test_a_taken_port_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    first = Forward(port=0)
    first.open()
    second = Forward(port=first.bound_port)
    with pytest.raises(OSError, match=f"127.0.0.1:{first.bound_port}: .*in use"):
        second.open()
    second.close()
    first.close()
    assert caplog.text == ""


class Cutting:
    """Stands between a sender and a receiver, and cuts the first connections as soon as the receiver answers."""

    def __init__(self, port: int, cuts: int) -> None:
        self._port = port
        self.cuts = cuts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(20)
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._thread.join(20)

    def _run(self) -> None:
        while True:
            try:
                sender, _ = self._listener.accept()
            except OSError:  # closed: the test is over
                return
            with sender, socket.create_connection(("127.0.0.1", self._port), 20) as receiver:
                self._pass_on(sender, receiver)

    def _pass_on(self, sender: socket.socket, receiver: socket.socket) -> None:
        while True:
            ready, _, _ = select.select([sender, receiver], [], [], 20)
            for source in ready:
                data = source.recv(65_536)
                if not data or (source is receiver and self.cuts > 0):
                    self.cuts -= source is receiver
                    return
                (receiver if source is sender else sender).sendall(data)


def test_a_chunk_of_our_own_sender_whose_ack_is_lost_again_and_again_is_taken_once() -> None:
    batch = batch_of([event({"n": n}) for n in range(2_500)])
    with received() as flow, Cutting(flow.port, cuts=2) as between:
        plugin = Fluentd("127.0.0.1", between.port)
        for _ in range(2):
            plugin.open()
            with pytest.raises(OSError, match="closed the connection"):
                plugin.write(batch)
            plugin.close()
        plugin.open()
        plugin.write(batch)
        plugin.close()
        judge(range(2_500), flow.numbers(2_500)).assert_right()
        assert flow.plugin.notes() == "chunks that came again and were not taken: 2"


def test_two_batches_that_are_alike_are_both_taken() -> None:
    with received() as flow:
        plugin = Fluentd("127.0.0.1", flow.port)
        plugin.open()
        for _ in range(2):
            plugin.write(batch_of([event({"n": 1})]))
        plugin.close()
        assert flow.numbers(2) == [1, 1]


def test_it_says_whether_more_of_what_has_begun_is_coming() -> None:
    plugin = Forward(port=0)
    plugin.open()

    def coming() -> bool:
        until(plugin.read, "nothing has come")
        return plugin.coming

    whole = msgpack.packb(["t", 1, {"n": 1}])
    with socket.create_connection(("127.0.0.1", plugin.bound_port)) as sender:
        sender.sendall(whole + whole[:3])
        assert coming()
        sender.sendall(whole[3:])
        assert not coming()
    plugin.close()
