"""Recipes that listen: real senders, thousands that say nothing, slow ones, and what becomes of events at a stop."""

from __future__ import annotations

import http.client
import json
import logging
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from swak import in_, out, running, task
from tests.flows.agent import Agent
from tests.flows.waiting import WAIT_S, until, view_of
from tests.oracle import judge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from swak.actors.running import Run

LISTENING = re.compile(r"listening.*?127\.0\.0\.1:(\d+)")
IDLE = 2_000
IDLE_BYTES = 16 * 1024
"""What an idle connection may cost, with the sender's end, which lives in the same process here."""


@contextmanager
def listening(caplog: pytest.LogCaptureFixture, source: Any, *stages: Any) -> Iterator[tuple[int, Run]]:
    """Run a recipe whose input takes a free port, and give that port."""
    with caplog.at_level("INFO", "swak"), running(task(source, *stages)) as run:
        until(lambda: LISTENING.search(caplog.text), lambda: caplog.text)
        found = LISTENING.search(caplog.text)
        assert found is not None
        yield int(found[1]), run


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("python-logstash-logger")
    logger.setLevel("INFO")
    logger.propagate = False
    yield logger
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


def logstash(name: str) -> Any:
    return pytest.importorskip(name, reason=f"needs {name}")


def say(logger: logging.Logger) -> None:
    """What the library's own example1.py says."""
    logger.error("python-logstash: test logstash error message.")
    logger.info("python-logstash: test logstash info message.")
    logger.warning("python-logstash: test logstash warning message.")


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize(("name", "make"), [("UDPLogstashHandler", in_.Udp), ("TCPLogstashHandler", in_.Tcp)])
def test_python_logstash_is_merged(
    name: str, make: Any, version: int, logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    library = logstash("logstash")
    kept = out.Memory()
    with listening(caplog, make(0, codec="json"), kept) as (port, _):
        logger.addHandler(getattr(library, name)("127.0.0.1", port, version=version))
        say(logger)
        until(lambda: len(kept.records) == 3, lambda: kept.records)
    record, sent = kept.records[0], kept.events[0]
    fields = record if version else record["@fields"]
    assert record["message" if version else "@message"] == "python-logstash: test logstash error message."
    assert fields["levelname" if "levelname" in fields else "level"] == "ERROR"
    assert record["host"] == (socket.gethostname() if version else "127.0.0.1")
    assert abs(sent.time_ns / 1e9 - kept.events[1].time_ns / 1e9) < WAIT_S
    if version:
        assert record["@timestamp"][:19] == _iso(sent.time_ns)


def _iso(time_ns: int) -> str:
    from swak.formats.times import iso_ms

    return iso_ms(time_ns)[:19]


@pytest.mark.parametrize(("name", "make"), [("LogstashHandler", in_.Udp), ("TCPLogstashHandler", in_.Tcp)])
def test_python_logstash_stays_as_it_came_when_asked_for(
    name: str, make: Any, logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    library = logstash("logstash")
    kept = out.Memory()
    with listening(caplog, make(0, codec="plain"), kept) as (port, _):
        logger.addHandler(getattr(library, name)("127.0.0.1", port, version=1))
        say(logger)
        until(lambda: len(kept.records) == 3, lambda: kept.records)
    record = kept.records[0]
    inner = json.loads(record["message"])
    assert set(record) == {"message", "host"}
    assert record["host"] == "127.0.0.1"
    assert inner["message"] == "python-logstash: test logstash error message."
    assert inner["type"] == "logstash"
    assert inner["tags"] == []


@pytest.mark.parametrize(("transport", "make"), [("UdpTransport", in_.Udp), ("TcpTransport", in_.Tcp)])
def test_python_logstash_async_arrives(
    transport: str, make: Any, logger: logging.Logger, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = logstash("logstash_async.handler")
    constants = logstash("logstash_async.constants").constants
    monkeypatch.setattr(constants, "QUEUED_EVENTS_FLUSH_INTERVAL", 0.1)
    monkeypatch.setattr(constants, "QUEUE_CHECK_INTERVAL", 0.1)
    kept = out.Memory()
    with listening(caplog, make(0, codec="json"), kept) as (port, _):
        handler = library.AsynchronousLogstashHandler(
            "127.0.0.1", port, database_path=None, transport=f"logstash_async.transport.{transport}"
        )
        logger.addHandler(handler)
        say(logger)
        until(lambda: len(kept.records) == 3, lambda: kept.records)
    record = kept.records[0]
    assert record["message"] == "python-logstash: test logstash error message."
    assert record["level"] == "ERROR"
    assert record["@version"] == "1"
    assert record["@timestamp"][:19] == _iso(kept.events[0].time_ns)


@pytest.mark.usefixtures("many_descriptors")
@pytest.mark.parametrize("kind", ["tcp", "http"])
def test_two_thousand_who_say_nothing_do_not_keep_the_others(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    kept = out.Memory()
    source = in_.Tcp(0, codec="json", host_field=None) if kind == "tcp" else in_.Http(0, host_field=None)
    with listening(caplog, source, kept) as (port, _):
        before_bytes = psutil.Process().memory_info().rss
        idle = [socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) for _ in range(IDLE)]
        for sock in idle[: IDLE // 4]:
            sock.sendall(b'{"half' if kind == "tcp" else b"POST / HTTP/1.1\r\nHo")
        for sock in idle[IDLE // 4 : IDLE // 2] if kind == "http" else []:
            sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16000000\r\n\r\n")
        for number in range(10):
            if kind == "tcp":
                with socket.create_connection(("127.0.0.1", port)) as sock:
                    sock.sendall(json.dumps({"n": number}).encode() + b"\n")
                until(lambda wanted=number: len(kept.records) > wanted, lambda: kept.records)  # type: ignore[misc]
            else:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
                connection.request("POST", "/", json.dumps({"n": number}))
                assert connection.getresponse().status == 200
                connection.close()
        assert [one["n"] for one in kept.records] == list(range(10))
        grown_bytes = psutil.Process().memory_info().rss - before_bytes
        print(f"{IDLE} idle connections over {kind}, both ends: {grown_bytes / 2**20:.1f} MiB")  # noqa: T201 - a figure, for -s
        assert grown_bytes < IDLE * IDLE_BYTES
        for sock in idle:
            sock.close()


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] < 3 * IDLE:
        pytest.skip("this machine lets nobody open so many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_what_comes_over_tcp_and_goes_over_tcp_arrives_whole_and_in_order(caplog: pytest.LogCaptureFixture) -> None:
    kept = out.Memory()
    with listening(caplog, in_.Tcp(0, codec="json", host_field=None), kept) as (port, _):
        with running(task(in_.Counter(20_000), out.Tcp("127.0.0.1", port))) as sender:
            assert sender.wait(WAIT_S)
        until(lambda: len(kept.records) >= 20_000, lambda: len(kept.records))
    judge(range(1, 20_001), [one["f1"] for one in kept.records]).assert_right()


def test_what_comes_over_http_and_goes_over_http_arrives_whole_and_in_order(caplog: pytest.LogCaptureFixture) -> None:
    kept = out.Memory()
    with listening(caplog, in_.Http(0, host_field=None), kept) as (port, _):
        target = out.Http(f"http://127.0.0.1:{port}/", gzip=True, format="json_array")
        with running(task(in_.Counter(20_000), target)) as sender:
            assert sender.wait(WAIT_S)
    judge(range(1, 20_001), [one["f1"] for one in kept.records]).assert_right()


def test_udp_arrives_on_one_machine_when_it_is_read(caplog: pytest.LogCaptureFixture) -> None:
    kept = out.Memory()
    with listening(caplog, in_.Udp(0, codec="json", host_field=None), kept) as (port, _):
        with running(task(in_.Counter(500, rate="2000/s"), out.Udp("127.0.0.1", port))) as sender:
            assert sender.wait(WAIT_S)
        until(lambda: len(kept.records) >= 500, lambda: len(kept.records))
    assert [one["f1"] for one in kept.records] == list(range(1, 501))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what it dropped")
def test_what_udp_loses_is_counted_to_the_last_number(caplog: pytest.LogCaptureFixture) -> None:
    sent = 3_000
    kept = out.Memory()
    source = in_.Udp(0, codec="json", host_field=None, receive_buffer="4k")
    with listening(caplog, source, kept) as (port, run), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for number in range(sent):
            sock.sendto(json.dumps({"n": number}).encode(), ("127.0.0.1", port))
        until(lambda: len(kept.records) + _dropped(run) == sent, lambda: (len(kept.records), _dropped(run)))
    numbers = [one["n"] for one in kept.records]
    assert numbers == sorted(set(numbers))
    assert len(set(range(sent)) - set(numbers)) == sent - len(numbers)


def _dropped(run: Run) -> int:
    """Read from the receipt as it stands now."""
    found = re.search(r"(\d+) datagrams dropped by the kernel", run.receipt().inputs[0].notes)
    return int(found[1]) if found else 0


def test_a_sender_of_single_bytes_keeps_nobody(caplog: pytest.LogCaptureFixture) -> None:
    kept = out.Memory()
    with listening(caplog, in_.Tcp(0, codec="json", host_field=None), kept) as (port, _):
        with (
            socket.create_connection(("127.0.0.1", port)) as slow,
            socket.create_connection(("127.0.0.1", port)) as other,
        ):
            slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line = json.dumps({"slow": "x" * 500}).encode()
            for at in range(len(line)):
                slow.sendall(line[at : at + 1])
                if at % 50 == 0:
                    other.sendall(b'{"n":%d}\n' % at)
                    until(lambda wanted=at // 50: len(kept.records) > wanted, lambda: kept.records)  # type: ignore[misc]
        until(lambda: {"slow": "x" * 500} in kept.records, lambda: kept.records)


def test_a_sender_that_vanishes_in_a_line_leaves_what_it_said(caplog: pytest.LogCaptureFixture) -> None:
    kept = out.Memory()
    with listening(caplog, in_.Tcp(0, codec="json", host_field=None), kept) as (port, _):
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b'{"n":1}\n{"n":')
            until(lambda: len(kept.records) == 1, lambda: kept.records)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an end
        until(lambda: len(kept.records) == 2, lambda: kept.records)
    assert kept.records == [{"n": 1}, {"message": '{"n":', "tags": ["_jsonparsefailure"]}]


def test_who_waits_for_an_answer_at_a_stop_gets_the_right_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    statuses: list[int] = []
    path = tmp_path / "out.json"

    def send(port: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
        connection.request("POST", "/", '{"n":1}')
        statuses.append(connection.getresponse().status)
        connection.close()

    stages = [in_.Http(0, host_field=None), out.TimedBuffer("20s"), out.File(str(path))]
    with listening(caplog, *stages) as (port, run):
        thread = threading.Thread(target=send, args=(port,))
        thread.start()
        until(lambda: view_of(run, "TimedBuffer").tally.held, run.snapshot)
        assert statuses == []
    thread.join(WAIT_S)
    assert statuses == [200]
    assert path.read_text() == '{"n":1}\n'


def test_an_agent_that_is_killed_has_lost_nothing_that_it_answered(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.py"
    recipe.write_text('task(in_.Http(0, host_field=None), out.File("out.json", fsync="50ms"))\n')
    sent = 0
    answered: list[int] = []
    for _ in range(3):
        agent = Agent(tmp_path, str(recipe))
        until(lambda: LISTENING.search(agent.log), lambda: agent.log)  # noqa: B023 - called in this turn only
        found = LISTENING.search(agent.log)
        assert found is not None
        connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=WAIT_S)
        for number in range(sent, sent + 8):
            connection.request("POST", "/", json.dumps({"n": number}))
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            answered.append(number)
        connection.request("POST", "/", json.dumps({"n": -1}))
        sent += 8
        agent.kill()
        connection.close()
    kept = [json.loads(line)["n"] for line in (tmp_path / "out.json").read_text().splitlines()]
    assert [number for number in kept if number >= 0] == answered


NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}/body; client_max_body_size 200;
  proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{upstream}; }} }}
}}
"""


def test_nginx_in_between_splits_bodies_and_loses_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if nginx is None:
        pytest.skip("needs nginx (apt-get install nginx-light)")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kept = out.Memory()
    with listening(caplog, in_.Http(0, host_field=None), kept) as (upstream, _):
        (tmp_path / "nginx.conf").write_text(NGINX.format(folder=tmp_path, port=port, upstream=upstream))
        process = subprocess.Popen([nginx, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")])
        try:
            with running(task(in_.Counter(100), out.Http(f"http://127.0.0.1:{port}/"))) as sender:
                assert sender.wait(WAIT_S)
        finally:
            process.terminate()
            process.wait(WAIT_S)
    judge(range(1, 101), [one["f1"] for one in kept.records]).assert_right()


def test_curl_is_served(caplog: pytest.LogCaptureFixture) -> None:
    program = shutil.which("curl")
    if program is None:
        pytest.skip("needs curl (apt-get install curl)")
    kept = out.Memory()
    with listening(caplog, in_.Http(0, host_field=None), kept) as (port, _):
        body = json.dumps({"long": "x" * 2_000_000})
        for extra in ([], ["-H", "Transfer-Encoding: chunked"], ["--http1.0"], ["-H", "Expect: 100-continue"]):
            command = [
                program,
                "-sS",
                "-m",
                "20",
                "-w",
                "%{http_code}",
                "-o",
                "/dev/null",
                "--data-binary",
                "@-",
                *extra,
            ]
            done = subprocess.run(
                [*command, f"http://127.0.0.1:{port}/"],
                input=body,
                capture_output=True,
                text=True,
                check=True,
                timeout=30,
            )
            assert done.stdout == "200", done
    assert len(kept.records) == 4
