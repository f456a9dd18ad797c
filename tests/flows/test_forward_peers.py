"""Forward and Fluentd among senders and a receiver in Go that share no code with us, killed and not."""

from __future__ import annotations

import json
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from swak import Event, in_, out, running, task
from swak.plugins.outputs.fluentd import Fluentd
from swak.testing import batch_of
from tests.flows.agent import Lines, tail_of
from tests.flows.ports import free_port
from tests.flows.test_forward_kill import Side, settled_lines
from tests.flows.waiting import until
from tests.oracle import judge
from tests.servers.go_programs import otel_receiver, send_by_go, sending

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from swak.plugins.inputs.forward import Forward
    from tests.servers.certificates import Certificates
    from tests.servers.receivers import Receiver

pytestmark = pytest.mark.timeout(200)  # the first test builds two programs

SECOND_NS = 1_700_000_000_000_000_000
MODES = ["message", "message-ext", "forward", "packed", "compressed"]
COUNT = 300
KILLS = 5
SIZE = 7


class Way(NamedTuple):
    """How a sender is let in: options of Forward, and of the sender."""

    ours: dict[str, Any]
    theirs: dict[str, Any]


WAYS = ["plain", "key", "tls", "mtls and key"]


def way(name: str, certificates: Certificates) -> Way:
    made = Way({}, {})
    if "key" in name:
        made.ours.update(shared_key="s3cret", hostname="swak")
        made.theirs.update(key="s3cret")
    if "tls" in name:
        made.ours.update(cert=certificates.server)
        made.theirs.update(tls=True, ca=certificates.ca)
    if "mtls" in name:
        made.ours.update(ca=certificates.ca)
        made.theirs.update(cert=certificates.client)
    return made


@contextmanager
def received(**options: Any) -> Iterator[tuple[int, Any, Any]]:
    """Give the port of a flow from Forward to a list, the list's output and the run."""
    sink = out.Memory()
    with running(task(in_.Forward(port=0, **options), sink)) as run:
        post = run.crew.posts[0]
        until(lambda: post.state == "running" and plugin_of(run).bound_port, "it does not listen")
        yield plugin_of(run).bound_port, sink, run


def plugin_of(run: Any) -> Forward:
    plugin: Forward = run.crew.posts[0].lease.plugin
    return plugin


def arrived(sink: Any, count: int) -> list[Event]:
    until(lambda: len(sink.events) >= count, lambda: f"{len(sink.events)} of {count} have come")
    return list(sink.events)


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("ack", [False, True], ids=["no ack", "ack"])
@pytest.mark.parametrize("mode", MODES)
def test_fluent_forward_go_is_understood(mode: str, ack: bool, name: str, certificates: Certificates) -> None:
    let = way(name, certificates)
    size = 1 if "message" in mode else SIZE
    with received(**let.ours) as (port, sink, run):
        assert send_by_go(port=port, mode=mode, count=COUNT, size=size, ack=ack, **let.theirs) == ""
        events = arrived(sink, COUNT)
        judge(range(COUNT), [one.record["n"] for one in events]).assert_right()
        stamps = {(one.tag, one.time_ns - (0 if mode == "message" else one.record["n"])) for one in events}
        assert stamps == {("go.t", SECOND_NS)}
        assert plugin_of(run).notes() == ""


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("ack", [False, True], ids=["no ack", "ack"])
def test_fluent_logger_golang_is_understood(ack: bool, tls: bool, certificates: Certificates) -> None:
    with received(**({"cert": certificates.server} if tls else {})) as (port, sink, run):
        assert send_by_go("logger_golang", port=port, count=COUNT, ack=ack, tls=tls) == ""
        events = arrived(sink, COUNT)
        judge(range(COUNT), [one.record["n"] for one in events]).assert_right()
        assert {(one.tag, one.time_ns - one.record["n"]) for one in events} == {("go.t", SECOND_NS)}
        assert plugin_of(run).notes() == ""


def test_fluent_forward_go_with_another_key_stays_out() -> None:
    with received(shared_key="right") as (port, sink, run):
        assert send_by_go(port=port, count=1, ack=True, key="wrong")
        until(lambda: "no shared key" in plugin_of(run).notes(), plugin_of(run).notes)
        assert sink.events == []


def test_fluent_forward_go_without_a_certificate_stays_out(certificates: Certificates) -> None:
    with received(cert=certificates.server, ca=certificates.ca) as (port, sink, run):
        assert send_by_go(port=port, count=1, ack=True, tls=True, ca=certificates.ca)
        until(lambda: "no TLS" in plugin_of(run).notes(), plugin_of(run).notes)
        assert sink.events == []


KILLED_WAYS = dict(zip(MODES, ["plain", "key", "tls", "mtls and key", "key"], strict=True))


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(("library", "mode"), [*(("forward_go", mode) for mode in MODES), ("logger_golang", "message")])
def test_the_agent_is_killed_again_and_again_and_a_sender_in_go_loses_nothing(
    library: str, mode: str, tmp_path: Path, certificates: Certificates
) -> None:
    let = way(KILLED_WAYS[mode] if library == "forward_go" else "plain", certificates)
    options = {"port": free_port(), **let.ours}
    given = ", ".join(f"{name}={value!r}" for name, value in options.items())
    text = f'task(in_.Forward({given}), out.File("got.jsonl", fsync=None), name="in")'
    side = Side(tmp_path / "agent", text)
    got = side.folder / "got.jsonl"
    size, count = (1, 2_000) if "message" in mode else (SIZE, 9_000)
    wanted = {"mode": mode, "count": count, "size": size, "port": options["port"]}
    side.start()
    with sending(library, ack=True, patience_s=40, **wanted, **let.theirs) as sender:
        try:
            for kill in range(KILLS):
                due = count * kill // KILLS
                until(lambda due=due: reached(got) >= due, lambda: side.log)  # type: ignore[misc]
                side.kill()
                side.start()
            _, told = sender.communicate(timeout=60)
            assert sender.returncode == 0, told
            assert side.end(signal.SIGTERM) == 0, side.log
        finally:
            side.kill()
            sender.kill()
    found = [int(json.loads(line)["n"]) for line in got.read_text().splitlines()]
    judge(range(count), found).assert_right(duplicates_max=KILLS * size)


def reached(path: Path) -> int:
    """Return the number of the last whole line, -1 when there is none."""
    lines = tail_of(path).split("\n")[:-1]
    return int(json.loads(lines[-1])["n"]) if lines and lines[-1].startswith("{") else -1


@pytest.mark.parametrize("gzip", [False, True], ids=["packed", "compressed"])
@pytest.mark.parametrize("keepalive", [False, True], ids=["one write each", "keepalive"])
def test_the_otel_collector_understands_and_acks(gzip: bool, keepalive: bool, tmp_path: Path) -> None:
    with otel_receiver(tmp_path) as receiver:
        plugin = Fluentd("127.0.0.1", receiver.port, gzip=gzip, keepalive=keepalive)
        plugin.open()
        try:
            for start in range(0, 3_000, 500):
                events = [Event("a.b", SECOND_NS + n, {"n": n, "text": "hé"}) for n in range(start, start + 500)]
                plugin.write(batch_of(events))
                assert len(receiver.events()) == start + 500, "what is acked is stored"
        finally:
            plugin.close()
        expected = [{"tag": "a.b", "time_ns": SECOND_NS + n, "record": {"n": n, "text": "hé"}} for n in range(3_000)]
        assert receiver.events() == expected


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("gzip", [False, True], ids=["packed", "compressed"])
@pytest.mark.parametrize("killed", ["agent", "receiver", "both"])
def test_killed_again_and_again_nothing_that_the_otel_collector_was_sent_is_lost(
    killed: str, gzip: bool, tmp_path: Path
) -> None:
    with otel_receiver(tmp_path) as receiver:
        chain = f'in_.FileTailing("app.log"), out.Fluentd("127.0.0.1", {receiver.port}, gzip={gzip})'
        side = Side(tmp_path / "agent", f'task({chain}, name="out")')
        victims: list[Side | Receiver] = [*([side] * (killed != "receiver")), *([receiver] * (killed != "agent"))]
        explained = 0
        with Lines(side.folder / "app.log", pause_s=0.005, burst=40, seed=3) as lines:
            try:
                side.start()
                for turn in range(KILLS):
                    before = lines.count
                    until(lambda before=before: latest(receiver.path) >= before, lambda: side.log)  # type: ignore[misc]
                    threading.Event().wait(0.05 * turn)
                    for victim in victims:
                        victim.kill()
                    explained += lines.count - settled_lines(side.folder, lines.count)
                    for victim in victims:
                        victim.start()
                lines.stop()
                until(lambda: latest(receiver.path) == lines.count - 1, lambda: side.log)
                assert side.end(signal.SIGTERM) == 0, side.log
            finally:
                side.kill()
        found = [int(one["record"]["message"][:8]) for one in receiver.events()]
        judge(range(lines.count), found, ordered=False).assert_right(duplicates_max=explained)


def latest(path: Path) -> int:
    """Return the number of the last whole line that was stored, -1 when there is none."""
    lines = tail_of(path).split("\n")[:-1]
    return int(json.loads(lines[-1])["record"]["message"][:8]) if lines and lines[-1].startswith("{") else -1
