from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from swak.errors import ConfigError
from swak.event import Batch, Dicts, Event
from swak.plugins.outputs.fluentd import Fluentd
from swak.testing import batch_of, block_of, event, promise
from tests.flows.ports import free_port
from tests.oracle import judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.certificates import Certificates
    from tests.servers.receivers import Receiver

DEADLINE_S = 20.0
SOME_NS = 1_414_767_730_201_234_567


@contextmanager
def opened(port: int, **options: Any) -> Iterator[Fluentd]:
    plugin = Fluentd("127.0.0.1", port, **options)
    try:
        plugin.open()
        yield plugin
    finally:
        plugin.close()


def numbers(start: int, stop: int, tag: str = "web") -> Batch:
    return batch_of([event({"n": n}, tag=tag, at_s=n) for n in range(start, stop)])


def deliver(plugin: Fluentd, batch: Batch) -> int:
    """Write as a seat does: after an OSError close, open and try the same batch again. Returns the failures."""
    deadline = time.monotonic() + DEADLINE_S
    failures = 0
    while True:
        try:
            plugin.write(batch)
        except OSError:
            failures += 1
            reopen(plugin, deadline)
        else:
            return failures


def reopen(plugin: Fluentd, deadline: float) -> None:
    while True:
        plugin.close()
        try:
            plugin.open()
        except OSError:
            assert time.monotonic() < deadline, "the receiver did not come back"
        else:
            return


def test_the_port_is_24224_unless_told_otherwise() -> None:
    plugin = Fluentd("192.168.0.1")
    assert (plugin.host, plugin.port) == ("192.168.0.1", 24224)


def test_an_impossible_port_is_named() -> None:
    assert "no port 70000" in Fluentd("h", 70_000).check()[0][0]
    with pytest.raises(ConfigError, match="above 0"):
        Fluentd("h", 0)


def test_an_ack_timeout_beyond_the_hang_limit_is_refused() -> None:
    problem, mend = Fluentd("h", ack_timeout="10m").check()[0]
    assert "240 s" in problem
    assert mend


def test_a_written_batch_is_stored_with_tag_time_and_record(forward_receiver: Receiver) -> None:
    record = {"message": "hi", "size": 7, "list": [1, {"a": None}]}
    with opened(forward_receiver.port) as plugin:
        plugin.write(batch_of([Event("a.b", SOME_NS, record)]))
    assert forward_receiver.events() == [{"tag": "a.b", "time_ns": SOME_NS, "record": record}]


def test_an_independent_server_takes_tag_time_and_record(fluent_logger_server: Receiver) -> None:
    record = {"message": "héllo", "n": 2**53, "f": 1.5, "yes": True, "nested": {"list": [1, None]}}
    with opened(fluent_logger_server.port) as plugin:
        plugin.write(batch_of([Event("a.b", SOME_NS, record)]))
    stored = fluent_logger_server.wait_for(1)
    assert stored == [{"tag": "a.b", "time_ns": SOME_NS, "record": record}]


def test_an_independent_server_takes_ten_thousand_events_in_order(fluent_logger_server: Receiver) -> None:
    with opened(fluent_logger_server.port) as plugin:
        for start in range(0, 10_000, 1_000):
            plugin.write(numbers(start, start + 1_000))
    arrived = [one["record"]["n"] for one in fluent_logger_server.wait_for(10_000)]
    judge(range(10_000), arrived).assert_right()


def test_runs_of_tags_arrive_in_order(forward_receiver: Receiver) -> None:
    tags = ["a", "a", "b", "a", "c", "c"]
    batch = batch_of([event({"n": n}, tag=tag) for n, tag in enumerate(tags)])
    with opened(forward_receiver.port) as plugin:
        plugin.write(batch)
    assert [(one["tag"], one["record"]["n"]) for one in forward_receiver.events()] == [
        *zip(tags, range(6), strict=True)
    ]


def test_a_thousand_chunks_of_one_batch_do_not_block_one_another(forward_receiver: Receiver) -> None:
    batch = batch_of([event({"n": n, "text": "x" * 2_000}, tag=f"t{n % 2}") for n in range(1_000)])
    with opened(forward_receiver.port) as plugin:
        plugin.write(batch)
    judge(range(1_000), [one["n"] for one in forward_receiver.records()]).assert_right()


def test_lines_that_nobody_parsed_arrive_as_messages(forward_receiver: Receiver) -> None:
    with opened(forward_receiver.port) as plugin:
        plugin.write(block_of("one", "two"))
    assert forward_receiver.records() == [{"message": "one"}, {"message": "two"}]


def test_a_batch_larger_than_a_chunk_arrives_whole(forward_receiver: Receiver) -> None:
    batch = batch_of([event({"n": n, "text": "x" * 100_000}) for n in range(50)])
    with opened(forward_receiver.port) as plugin:
        plugin.write(batch)
    judge(range(50), [one["n"] for one in forward_receiver.records()]).assert_right()


def test_an_empty_batch_is_done_at_once(forward_receiver: Receiver) -> None:
    with opened(forward_receiver.port) as plugin:
        plugin.write(Batch(Dicts([], []), "web", promise(0)))
    assert forward_receiver.events() == []


def test_what_cannot_be_packed_raises_before_anything_is_sent(forward_receiver: Receiver) -> None:
    good, bad = event({"n": 1}, tag="a"), event({"n": object()}, tag="b")
    with opened(forward_receiver.port) as plugin:
        with pytest.raises(TypeError):
            plugin.write(batch_of([good, bad]))
        plugin.write(batch_of([good]))
    assert forward_receiver.records() == [{"n": 1}]


def test_a_refused_connection_names_the_server() -> None:
    port = free_port()
    with pytest.raises(ConnectionRefusedError, match=f"127.0.0.1:{port}"), opened(port):
        pass


def test_an_unknown_host_is_an_os_error_that_names_it() -> None:
    plugin = Fluentd("no-such-host.invalid")
    with pytest.raises(OSError, match=r"no-such-host\.invalid:24224"):
        plugin.open()
    plugin.close()


def test_a_server_that_never_acks_is_a_timeout(forward_receiver: Receiver) -> None:
    forward_receiver.kill()
    forward_receiver.start("never-ack")
    with (
        opened(forward_receiver.port, ack_timeout=0.2) as plugin,
        pytest.raises(TimeoutError, match=r"no ack within 0\.2 s"),
    ):
        plugin.write(numbers(0, 3))


def test_a_server_that_never_reads_is_a_timeout(forward_receiver: Receiver) -> None:
    forward_receiver.kill()
    forward_receiver.start("no-read")
    batch = batch_of([event({"text": "x" * 1_000_000}) for _ in range(20)])
    with opened(forward_receiver.port, ack_timeout=0.2) as plugin, pytest.raises(TimeoutError, match="no ack"):
        plugin.write(batch)


def test_a_wrong_ack_is_no_ack(forward_receiver: Receiver) -> None:
    forward_receiver.kill()
    forward_receiver.start("wrong-ack")
    with opened(forward_receiver.port) as plugin, pytest.raises(OSError, match="acked what was not sent"):
        plugin.write(numbers(0, 3))


def test_a_server_that_asks_for_a_key_is_explained(forward_receiver: Receiver) -> None:
    forward_receiver.kill()
    forward_receiver.start("hello")
    with opened(forward_receiver.port) as plugin, pytest.raises(OSError, match="shared key"):
        plugin.write(numbers(0, 3))


def test_a_connection_that_ends_before_the_ack_is_an_error(forward_receiver: Receiver) -> None:
    forward_receiver.kill()
    forward_receiver.start("drop-first-ack")
    with opened(forward_receiver.port) as plugin, pytest.raises(ConnectionResetError):
        plugin.write(numbers(0, 3))


def test_only_the_chunk_whose_ack_was_lost_arrives_twice(forward_receiver: Receiver) -> None:
    batch = batch_of([event({"n": n}, tag=f"t{n}") for n in range(10)])
    forward_receiver.kill()
    forward_receiver.start("drop-first-ack")
    with opened(forward_receiver.port) as plugin:
        assert deliver(plugin, batch) == 1
    judge(range(10), [one["n"] for one in forward_receiver.records()]).assert_right(duplicates_max=1)


def test_an_idle_connection_that_the_server_closed_is_replaced_before_writing(forward_receiver: Receiver) -> None:
    forward_receiver.kill()
    forward_receiver.start("close-idle")
    with opened(forward_receiver.port) as plugin:
        for n in range(5):
            plugin.write(numbers(n, n + 1))
            wait_until(lambda: not plugin.alive())
    judge(range(5), [one["n"] for one in forward_receiver.records()]).assert_right()


def test_nothing_is_lost_while_the_server_is_killed_and_revived(forward_receiver: Receiver) -> None:
    count, size = 60, 100
    done = threading.Event()

    def killer() -> None:
        kills = 0
        while kills < 4 and not done.is_set():
            stored = len(forward_receiver.events())
            wait_until(lambda before=stored: done.is_set() or len(forward_receiver.events()) >= before + 5 * size)
            forward_receiver.kill()
            forward_receiver.start()
            kills += 1

    thread = threading.Thread(target=killer)
    with opened(forward_receiver.port) as plugin:
        thread.start()
        failures = sum(deliver(plugin, numbers(n * size, (n + 1) * size)) for n in range(count))
    done.set()
    thread.join(DEADLINE_S)
    arrived = [one["n"] for one in forward_receiver.records()]
    judge(range(count * size), arrived).assert_right(duplicates_max=failures * size)


def test_an_independent_server_that_is_restarted_between_batches_gets_everything(
    fluent_logger_server: Receiver,
) -> None:
    with opened(fluent_logger_server.port) as plugin:
        plugin.write(numbers(0, 100))
        fluent_logger_server.wait_for(100)
        fluent_logger_server.stop()
        fluent_logger_server.start()
        deliver(plugin, numbers(100, 200))
    judge(range(200), [one["record"]["n"] for one in fluent_logger_server.wait_for(200)]).assert_right()


def test_probe_says_whether_the_server_listens(forward_receiver: Receiver) -> None:
    with opened(forward_receiver.port) as plugin:
        assert plugin.probe()
        forward_receiver.kill()
        assert not plugin.probe()
        forward_receiver.start()
        assert plugin.probe()


def test_probe_works_before_any_connection_and_never_raises() -> None:
    plugin = Fluentd("127.0.0.1", free_port())
    with pytest.raises(ConnectionRefusedError):
        plugin.open()
    assert not plugin.probe()
    assert not Fluentd("127.0.0.1").probe()


def test_alive_notices_that_the_server_went_away(forward_receiver: Receiver) -> None:
    with opened(forward_receiver.port) as plugin:
        plugin.write(numbers(0, 1))
        assert plugin.alive()
        forward_receiver.kill()
        wait_until(lambda: not plugin.alive())


def test_abort_ends_a_write_that_waits_for_an_ack(forward_receiver: Receiver) -> None:
    forward_receiver.kill()
    forward_receiver.start("never-ack")
    with opened(forward_receiver.port) as plugin:
        error = raised_after_abort(plugin, numbers(0, 3))
    assert "told to stop" in str(error)


def test_abort_ends_a_write_to_a_server_that_never_reads(forward_receiver: Receiver) -> None:
    forward_receiver.kill()
    forward_receiver.start("no-read")
    with opened(forward_receiver.port) as plugin:
        error = raised_after_abort(plugin, batch_of([event({"text": "x" * 1_000_000}) for _ in range(20)]))
    assert "told to stop" in str(error)


def test_nothing_is_sent_after_abort(forward_receiver: Receiver) -> None:
    with opened(forward_receiver.port) as plugin:
        plugin.abort()
        with pytest.raises(OSError, match="told to stop"):
            plugin.write(numbers(0, 3))
        plugin.close()
        with pytest.raises(OSError, match="told to stop"):
            plugin.open()
    assert forward_receiver.events() == []


def test_abort_ends_connecting() -> None:
    listener = socket.socket()
    fillers = []
    try:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):  # the backlog is full: further connections get no answer
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        plugin = Fluentd("127.0.0.1", listener.getsockname()[1], timeout="30s")
        errors: list[BaseException] = []
        thread = threading.Thread(target=lambda: errors.append(error_of(plugin.open)))
        thread.start()
        wait_until(lambda: plugin._client is not None and plugin._client._sock is not None)
        plugin.abort()
        thread.join(DEADLINE_S)
        plugin.close()
    finally:
        for sock in [listener, *fillers]:
            sock.close()
    assert "told to stop" in str(errors[0])


def raised_after_abort(plugin: Fluentd, batch: Batch) -> BaseException:
    """Write in a thread, abort once something is on its way, and return what the write raised."""
    errors: list[BaseException] = []
    thread = threading.Thread(target=lambda: errors.append(error_of(lambda: plugin.write(batch))))
    thread.start()
    thread.join(0.3)  # it must still wait by then; a slow machine only makes the abort come earlier
    assert thread.is_alive()
    plugin.abort()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    return errors[0]


def error_of(call: Any) -> BaseException:
    try:
        call()
    except OSError as error:
        return error
    return AssertionError("nothing was raised")


def wait_until(holds: Any) -> None:
    deadline = time.monotonic() + DEADLINE_S
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < deadline, "it never happened"
        pause.wait(0.01)


def npm_server(receiver: Receiver, **options: Any) -> int:
    """Start the independent server anew with these options, and return its port."""
    receiver.stop()
    receiver.start(json.dumps(options))
    return receiver.port


SECRETS: list[dict[str, Any]] = [{"shared_key": "k"}, {"shared_key": "k", "user": "ann", "password": "p"}]


@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("secrets", [{}, *SECRETS], ids=["open", "key", "user"])
@pytest.mark.parametrize("tls", ["", "server", "both"])
def test_an_independent_server_lets_us_in(
    fluent_logger_server: Receiver, certificates: Certificates, secrets: dict[str, Any], gzip: bool, tls: str
) -> None:
    theirs: dict[str, Any] = {"key": "k"} if secrets else {}
    theirs |= {"users": {"ann": "p"}} if "user" in secrets else {}
    theirs |= {"cert": certificates.server} if tls else {}
    theirs |= {"ca": certificates.ca} if tls == "both" else {}
    ours = {**secrets, "gzip": gzip, **({"tls": True, "ca": certificates.ca} if tls else {})}
    ours |= {"cert": certificates.client} if tls == "both" else {}
    with opened(npm_server(fluent_logger_server, **theirs), **ours) as plugin:
        for start in range(0, 3_000, 1_000):
            plugin.write(numbers(start, start + 1_000))
            assert plugin.alive()
    arrived = [one["record"]["n"] for one in fluent_logger_server.wait_for(3_000)]
    judge(range(3_000), arrived).assert_right()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"shared_key": "wrong"}, "mismatch"),
        ({"shared_key": "k", "user": "ann", "password": "wrong"}, "mismatch"),
        ({"shared_key": "k", "hostname": "npm"}, "Same hostname"),
    ],
)
def test_an_independent_server_that_refuses_us_says_why(
    fluent_logger_server: Receiver, options: dict[str, Any], reason: str
) -> None:
    users = {"users": {"ann": "p"}} if "user" in options else {}
    port = npm_server(fluent_logger_server, key="k", **users)
    with pytest.raises(PermissionError, match=reason), opened(port, **options):
        pass


def test_a_server_of_another_authority_gets_nothing(fluent_logger_server: Receiver, certificates: Certificates) -> None:
    port = npm_server(fluent_logger_server, cert=certificates.stranger)
    with pytest.raises(OSError, match=f"127.0.0.1:{port}: TLS: .*certificate"), opened(port, tls=True):
        pass
    with opened(port, tls=True, verify=False) as plugin:
        plugin.write(numbers(0, 1))
    fluent_logger_server.wait_for(1)


def test_a_server_that_asks_for_no_key_is_a_timeout_that_says_so(forward_receiver: Receiver) -> None:
    with (
        pytest.raises(TimeoutError, match="does the receiver want one"),
        opened(forward_receiver.port, timeout=0.2, shared_key="k"),
    ):
        pass


def test_a_server_that_speaks_no_tls_is_a_timeout(forward_receiver: Receiver) -> None:
    with pytest.raises(OSError, match="TLS"), opened(forward_receiver.port, timeout=0.2, tls=True):
        pass


def test_without_keepalive_each_write_has_a_connection_of_its_own(forward_receiver: Receiver) -> None:
    with opened(forward_receiver.port, keepalive=False) as plugin:
        for n in range(3):
            plugin.write(numbers(n, n + 1))
            assert plugin._client is not None
            assert plugin._client._sock is None
            assert plugin.alive()
    judge(range(3), [one["n"] for one in forward_receiver.records()]).assert_right()


def test_an_idle_tls_connection_that_the_server_closed_is_noticed(
    fluent_logger_server: Receiver, certificates: Certificates
) -> None:
    options = {"cert": certificates.server}
    with opened(npm_server(fluent_logger_server, **options), tls=True, ca=certificates.ca) as plugin:
        plugin.write(numbers(0, 10))
        fluent_logger_server.wait_for(10)
        fluent_logger_server.stop()
        wait_until(lambda: not plugin.alive())
        fluent_logger_server.start(json.dumps(options))
        deliver(plugin, numbers(10, 20))
        judge(range(20), [one["record"]["n"] for one in fluent_logger_server.wait_for(20)]).assert_right()


def test_abort_ends_a_write_under_tls(fluent_logger_server: Receiver, certificates: Certificates) -> None:
    port = npm_server(fluent_logger_server, cert=certificates.server, key="k")
    with opened(port, tls=True, ca=certificates.ca, shared_key="k") as plugin:
        plugin.abort()
        with pytest.raises(OSError, match="told to stop"):
            plugin.write(numbers(0, 3))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"ca": "ca.pem"}, "TLS, which is off"),
        ({"verify": False}, "TLS, which is off"),
        ({"tls": True, "key": "key.pem"}, "without a certificate"),
        ({"user": "ann"}, "go with a shared key"),
    ],
)
def test_options_that_do_nothing_alone_are_refused(options: dict[str, Any], problem: str) -> None:
    ((what, mend),) = Fluentd("h", **options).check()
    assert problem in what
    assert mend
