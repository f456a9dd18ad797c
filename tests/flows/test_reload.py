"""Reloads as people ask for them: by command, by signal, by saving the recipe; under load, with dead outputs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from swak import in_, out, running, task
from swak.reloading.changing import REMOVED
from swak.testing import Recorder
from tests.flows.agent import environ, swak, tail_of
from tests.flows.numbered import LINE_BYTES, lines, numbers_in
from tests.flows.ports import free_port
from tests.flows.waiting import WAIT_S, until, view_of
from tests.oracle import judge
from tests.reloads import assert_accounted_for, reload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.flows.conftest import Start

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets and signals"),
    pytest.mark.timeout(180),
]

TAIL = 'in_.FileTailing("app.log")'
RAW = 'out.File("{}", format="raw")'
STORM_S = 4.0
EVERY_S = 0.05


def recipe(folder: Path, *stages: str, head: str = "") -> None:
    """Save a recipe as editors do: a new file in the old one's place."""
    text = f'{head}\ntask({", ".join(stages)}, name="web")\n'
    (folder / "web.py.new").write_text(text)
    (folder / "web.py.new").rename(folder / "web.py")


def raw(path: str) -> str:
    return RAW.format(path)


def append(folder: Path, numbers: range) -> None:
    with (folder / "app.log").open("ab") as file:
        file.write(lines(numbers))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    recipe(tmp_path, TAIL, raw("a.txt"))
    append(tmp_path, range(100))
    yield tmp_path
    for path in (tmp_path / "home" / "run").glob("*.json"):
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            os.kill(json.loads(path.read_text())["pid"], signal.SIGKILL)


def up(folder: Path, *arguments: str) -> int:
    done = swak(folder, "up", "-d", *arguments, "web.py")
    assert done.returncode == 0, done.stderr
    return int((folder / "home" / "run" / "web.pid").read_text())


def status(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(swak(folder, "status", "--json").stdout)
    return told


def written(path: Path, count: int) -> None:
    until(lambda: path.exists() and path.stat().st_size >= count * LINE_BYTES, lambda: tail_of(path), 60)


def letters_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def stopped(folder: Path) -> None:
    """Stop the agent; everything is accounted for."""
    done = swak(folder, "stop")
    assert done.returncode == 0, done.stdout + done.stderr
    audit = swak(folder, "audit")
    assert audit.returncode == 0, audit.stdout


def test_a_reload_adds_an_output_and_its_plan_says_so(folder: Path) -> None:
    up(folder)
    written(folder / "a.txt", 100)
    recipe(folder, TAIL, f"[{raw('a.txt')}, {raw('b.txt')}]")
    plan = swak(folder, "plan", "web.py")
    shown = ">  web/FileTailing  hands on in another way\n+  web/File-2       is new\n"
    assert (plan.returncode, plan.stdout) == (0, shown)
    assert list(status(folder)["stages"]) == ["web/FileTailing", "web/File"]
    done = swak(folder, "reload")
    assert (done.returncode, done.stdout) == (0, plan.stdout), done.stderr
    append(folder, range(100, 200))
    written(folder / "b.txt", 100)
    written(folder / "a.txt", 200)
    told = status(folder)["reloads"]
    assert (told["counts"], told["last"]["added"]) == ({"done": 1}, ["web/File-2"])
    assert swak(folder, "reload").stdout == "nothing is different\n"
    stopped(folder)
    assert numbers_in(folder / "a.txt") == list(range(200))
    assert numbers_in(folder / "b.txt") == list(range(100, 200))


BAD = {
    "no Python": ("task(", 78, "web.py:1"),
    "raises": ("\nraise ValueError('no')", 78, "web.py:2  ValueError: no"),
    "sys.exit": ("import sys\nsys.exit(0)", 78, "web.py:2  it ends the process"),
    "os._exit": ("import os\nos._exit(0)", 78, "ends the process with exit code 0"),
    "no such option": (
        "task(in_.FileTailing('app.log'), out.File('a.txt', fromat='raw'))",
        78,
        'did you mean "format"',
    ),
    "cannot open": (
        (
            "class Bad(Filter):\n  def open(self): raise ValueError('never')\n"
            "  def process(self, event): return event\n"
            "task(in_.FileTailing('app.log'), Bad(), out.File('a.txt', format='raw'), name='web')"
        ),
        1,
        "web/Bad: ValueError('never')",
    ),
    "main for task": ("main(in_.FileTailing('app.log'), out.Null(), name='web')", 78, "web runs as a task"),
}


def test_a_recipe_that_is_wrong_changes_nothing(folder: Path) -> None:
    pid = up(folder)
    written(folder / "a.txt", 100)
    for name, (text, code, told) in BAD.items():
        (folder / "web.py").write_text(text)
        done = swak(folder, "reload")
        assert (name, done.returncode) == (name, code), done.stderr
        assert told in done.stderr, done.stderr
    append(folder, range(100, 200))
    written(folder / "a.txt", 200)
    now = status(folder)
    assert (now["pid"], list(now["stages"])) == (pid, ["web/FileTailing", "web/File"])
    assert now["reloads"]["counts"] == {"refused": 6, "rolled_back": 1}
    stopped(folder)
    assert numbers_in(folder / "a.txt") == list(range(200))


def test_sighup_reloads_in_the_background_and_a_dead_output_that_is_removed_loses_nothing(folder: Path) -> None:
    recipe(folder, TAIL, f'[{raw("a.txt")}, out.Tcp("127.0.0.1", {free_port()})]')
    pid = up(folder, "--grace", "1s")
    written(folder / "a.txt", 100)
    recipe(folder, TAIL, raw("a.txt"))
    os.kill(pid, signal.SIGHUP)
    until(lambda: "web/Tcp" not in status(folder)["stages"], lambda: status(folder), 60)
    append(folder, range(100, 200))
    written(folder / "a.txt", 200)
    until(lambda: status(folder)["oldest_s"] is None, "all is settled")
    assert status(folder)["dead"] == 100
    stopped(folder)
    (path,) = (folder / "home" / "data").rglob("dead-letters.jsonl")
    letters = letters_in(path)
    assert {one["reason"] for one in letters} == {REMOVED}
    assert len(letters) == 100


def test_saving_the_recipe_or_a_module_beside_it_reloads(start: Start, folder: Path) -> None:
    (folder / "mine.py").write_text("PATH = 'a.txt'\n")
    recipe(folder, TAIL, 'out.File(PATH, format="raw")', head="from mine import PATH")
    agent = start("--watch", "web.py")
    written(folder / "a.txt", 100)
    (folder / "mine.py").write_text("PATH = 'b.txt'\n")
    agent.wait_until_told("reloaded")
    append(folder, range(100, 200))
    written(folder / "b.txt", 100)
    recipe(folder, TAIL, raw("c.txt"))
    until(lambda: agent.log.count("reloaded") == 2, lambda: agent.log)
    append(folder, range(200, 300))
    written(folder / "c.txt", 100)
    assert agent.end(signal.SIGTERM) == 0
    for path, numbers in {"a.txt": range(100), "b.txt": range(100, 200), "c.txt": range(200, 300)}.items():
        assert numbers_in(folder / path) == list(numbers)


def test_a_hangup_of_the_terminal_still_drains(start: Start, folder: Path) -> None:
    agent = start("web.py")
    written(folder / "a.txt", 100)
    assert agent.end(signal.SIGHUP) == 0
    assert "draining" in agent.log


def test_the_service_manager_hears_of_a_reload(folder: Path) -> None:
    heard: list[str] = []
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sock:
        sock.bind(str(folder / "notify"))
        sock.settimeout(WAIT_S)
        environment = environ(folder) | {"NOTIFY_SOCKET": str(folder / "notify")}
        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen(
                [sys.executable, "-m", "swak", "up", "web.py"], cwd=folder, env=environment, stderr=log
            ) as agent,
        ):

            def hear(text: str) -> None:
                while not any(text in one for one in heard):
                    heard.append(sock.recv(4096).decode())

            try:
                hear("READY=1")
                heard.clear()
                agent.send_signal(signal.SIGHUP)
                hear("RELOADING=1\nMONOTONIC_USEC=")
                hear("READY=1")
                agent.send_signal(signal.SIGTERM)
                assert agent.wait(WAIT_S) == 0
            finally:
                agent.kill()


def test_a_storm_of_reloads_under_load_ends_in_the_last_recipe_and_loses_nothing(folder: Path) -> None:
    dead = f'out.Tcp("127.0.0.1", {free_port()})'
    pid = up(folder, "--grace", "300ms")
    sent, number = 100, 0
    until_s = time.monotonic() + STORM_S
    pause = threading.Event()
    while time.monotonic() < until_s:
        number += 1
        extra = [dead] * (number % 2) + [raw(f"extra{number % 3}.txt")] * (number % 3)
        middle = [f"out.Drop(\"message == '{number}'\")"] * (number % 4 // 2)
        recipe(folder, TAIL, *middle, f"[{', '.join([raw('a.txt'), *extra[:2]])}]")
        os.kill(pid, signal.SIGHUP)
        append(folder, range(sent, sent + 50))
        sent += 50
        pause.wait(EVERY_S)
    recipe(folder, TAIL, f"[{raw('a.txt')}, {raw('last.txt')}]")
    os.kill(pid, signal.SIGHUP)
    until(lambda: not status(folder)["reloads"]["under_way"], lambda: status(folder), 90)
    assert swak(folder, "reload").returncode == 0  # it comes after all that were asked for
    told = status(folder)
    assert set(told["stages"].values()) == {"running"}, told
    assert len(told["stages"]) == 3, told
    append(folder, range(sent, sent + 50))
    written(folder / "last.txt", 50)
    until(lambda: status(folder)["oldest_s"] is None, lambda: status(folder), 60)
    counts = told["reloads"]["counts"]
    assert counts["done"] >= 2
    assert sum(counts.values()) <= number + 2
    stopped(folder)
    # A filter that went while the dead output behind it stayed could not pass on what it had: that is kept.
    letters = [one for path in (folder / "home" / "data").rglob("dead-letters.jsonl") for one in letters_in(path)]
    kept = [int(one["record"]["message"][:8]) for one in letters if one["stage"].startswith("Drop")]
    delivered = numbers_in(folder / "a.txt")
    judge(sorted(set(range(sent + 50)) - (set(kept) - set(delivered))), delivered).assert_right()
    assert set(range(sent + 50)) == {*kept, *delivered}
    assert numbers_in(folder / "last.txt")[-50:] == list(range(sent, sent + 50))


def test_what_comes_by_tcp_meanwhile_arrives_once_and_in_order(caplog: pytest.LogCaptureFixture) -> None:
    port, sink, count = free_port(), Recorder(), 3_000
    source = in_.Tcp(port, host="127.0.0.1")
    dead = out.Tcp("127.0.0.1", free_port())

    def wanted(number: int) -> Any:
        stages: list[Any] = [out.Drop(f"message == 'x{number}'")] * (number % 2)
        outputs: list[Any] = [sink, *([dead] if number % 3 == 0 else []), *([out.Null()] if number % 2 else [])]
        return task(source, *stages, outputs, name="t")

    with caplog.at_level("ERROR"), running(wanted(1), grace_s=20) as run:
        until(lambda: view_of(run, "Tcp").state == "running", "it listens")
        over = threading.Event()

        def send() -> None:
            with closing(socket.create_connection(("127.0.0.1", port), WAIT_S)) as sock:
                for number in range(count):
                    sock.sendall(b"%d\n" % number)
                    over.wait(0.001)

        sender = threading.Thread(target=send)
        sender.start()
        number = 1
        while sender.is_alive():
            number += 1
            assert reload(run, wanted(number), leave_s=0.1).wait().trouble == ""
        sender.join()
        assert number > 5
        assert reload(run, task(source, sink, name="t"), leave_s=0.1).wait().trouble == ""
        sink.wait_for(count)
        assert [int(one["message"]) for one in sink.records] == list(range(count))
        run.drain()
        assert_accounted_for(run)
        assert [one.delivered for one in run.receipt().inputs] == [count]


def test_a_port_moves_from_one_flow_to_another_without_a_stall() -> None:
    first, second, sink, other = free_port(), free_port(), Recorder(), Recorder()

    def flows(one: int, two: int) -> list[Any]:
        return [
            task(in_.Tcp(one, host="127.0.0.1"), sink, name="a"),
            task(in_.Tcp(two, host="127.0.0.1"), [other, out.Tcp("127.0.0.1", free_port())], name="b"),
        ]

    def send(port: int, text: str) -> None:
        with closing(socket.create_connection(("127.0.0.1", port), WAIT_S)) as sock:
            sock.sendall(f"{text}\n".encode())

    with running(flows(first, second), grace_s=1) as run:
        until(lambda: all(view.state != "opening" for view in run.snapshot()), "all is open")
        send(first, "1")
        send(second, "2")
        sink.wait_for(1)
        other.wait_for(1)
        change = reload(run, *flows(second, first), leave_s=2)
        assert change.verdict.trouble == ""
        inputs = [post for post in run.crew.inputs() if not post.leaving]
        until(lambda: all(post.seat is not None and post._shown_state() == "running" for post in inputs), "both listen")
        send(second, "3")
        send(first, "4")
        assert [one["message"] for one in sink.wait_for(2)] == ["1", "3"]
        assert [one["message"] for one in other.wait_for(2)] == ["2", "4"]
        change.wait()
        run.stop()
        assert run.wait(WAIT_S)
        assert_accounted_for(run)
