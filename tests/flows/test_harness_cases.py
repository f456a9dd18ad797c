"""What Vector's public test harness asks of an agent: a disk buffer that persists, rotations, truncation, wrapped JSON.

Each is a real process that ends in the sequence oracle; nothing here may be repeated, as nothing is killed.
"""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.flows.agent import settled_bytes
from tests.flows.numbered import LINE_BYTES, numbers_in
from tests.flows.rotations import Log, copy, rename
from tests.flows.waiting import until
from tests.oracle import judge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.flows.agent import Agent
    from tests.flows.conftest import Start
    from tests.servers.receivers import Receiver

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

LINES = 5_000
"""In one go: several batches, and more than one read."""
ROTATIONS = 4
GRACE = "0.5s"
"""How long an agent that is stopped tries to reach a receiver that is dead."""
TAILING = 'task(in_.FileTailing("app.log"), out.File("out.txt", format="raw"), name="app")'
BUFFERED = """
task(
    in_.FileTailing("app.log"),
    out.DiskBuffer("spool", max_size="8MiB", fsync="10ms"),
    out.Fluentd("127.0.0.1", {port}),
    name="app",
)
"""
WRAPPED = """
task(
    in_.FileTailing("app.log"),
    out.Json(),
    [
        out.File("outer.jsonl"),
        out.Json("log") | out.File("inner.jsonl"),
    ],
    name="app",
)
"""


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    one = Log(tmp_path / "app.log")
    yield one
    one.close()


def up(start: Start, folder: Path, recipe: str) -> Agent:
    (folder / "recipe.py").write_text(recipe)
    return start("recipe.py", "--data-dir", str(folder / "data"), "-q", "--grace", GRACE)


def let_arrive(path: Path, count: int, agent: Agent) -> None:
    """Wait until so many numbered lines are in a file."""
    until(lambda: path.exists() and path.stat().st_size >= count * LINE_BYTES, lambda: agent.log)


def let_settle(folder: Path, count: int, agent: Agent) -> None:
    """Wait until the checkpoint says that so many numbered lines are safe."""
    until(lambda: settled_bytes(folder / "data", "app") >= count * LINE_BYTES, lambda: agent.log)


def count_of_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# ---- A disk buffer outlives its agent


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_a_disk_buffer_holds_for_a_dead_receiver_comes_once_and_in_order_after_a_restart(
    start: Start, tmp_path: Path, log: Log, forward_receiver: Receiver, number: signal.Signals
) -> None:
    recipe = BUFFERED.format(port=forward_receiver.port)
    forward_receiver.kill()
    for _ in range(2):
        log.write(LINES)
        agent = up(start, tmp_path, recipe)
        let_settle(tmp_path, log.count, agent)
        assert agent.end(number) == (0 if number == signal.SIGTERM else -number), agent.log
        log.unlink()  # only the spool has these lines now
        log.reopen()
    assert not forward_receiver.events()
    agent = up(start, tmp_path, recipe)
    forward_receiver.start()
    until(lambda: len(forward_receiver.events()) >= log.count, lambda: agent.log)
    assert agent.end(signal.SIGTERM) == 0, agent.log
    judge(range(log.count), [int(one["message"][:8]) for one in forward_receiver.records()]).assert_right()


# ---- Rotation and truncation while the agent runs


def test_a_log_that_is_renamed_and_made_anew_comes_once_and_in_order(start: Start, tmp_path: Path, log: Log) -> None:
    log.write(LINES)
    agent = up(start, tmp_path, TAILING)
    let_arrive(tmp_path / "out.txt", 1, agent)
    for _ in range(ROTATIONS):
        rename(log)
        log.write(LINES)  # the writer has not changed over yet
        log.reopen()
        log.write(LINES)
    let_arrive(tmp_path / "out.txt", log.count, agent)
    assert agent.end(signal.SIGTERM) == 0, agent.log
    judge(range(log.count), numbers_in(tmp_path / "out.txt")).assert_right()


def test_a_log_that_is_copied_and_truncated_comes_once_and_in_order(start: Start, tmp_path: Path, log: Log) -> None:
    log.write(LINES)
    agent = up(start, tmp_path, TAILING)
    let_arrive(tmp_path / "out.txt", 1, agent)
    for _ in range(ROTATIONS):
        copy(log)
        log.truncate()
        log.write(LINES)
    let_arrive(tmp_path / "out.txt", log.count, agent)
    assert agent.end(signal.SIGTERM) == 0, agent.log
    assert not log.truncated, "all were in the copies"
    judge(range(log.count), numbers_in(tmp_path / "out.txt")).assert_right()


def test_a_log_that_is_truncated_after_it_was_read_goes_on_from_its_start(
    start: Start, tmp_path: Path, log: Log
) -> None:
    log.write(LINES)
    agent = up(start, tmp_path, TAILING)
    for _ in range(ROTATIONS):
        let_arrive(tmp_path / "out.txt", log.count, agent)
        log.truncate()
        log.write(LINES // 2)  # less than before: the position is beyond the end
    let_arrive(tmp_path / "out.txt", log.count, agent)
    assert agent.end(signal.SIGTERM) == 0, agent.log
    judge(range(log.count), numbers_in(tmp_path / "out.txt")).assert_right()


# ---- JSON in JSON


def test_a_json_document_in_a_json_text_comes_whole_and_in_order(start: Start, tmp_path: Path) -> None:
    inner = [
        {
            "n": n,
            "level": "info",
            "text": 'a "quoted" \\ back\\\\slash,\na line end, é and 🪵',
            "at": {"deep": [n, None]},
        }
        for n in range(LINES)
    ]
    outer = [{"n": one["n"], "stream": "stdout", "log": json.dumps(one) + "\n"} for one in inner]
    (tmp_path / "app.log").write_text("".join(f"{json.dumps(one)}\n" for one in outer))
    agent = up(start, tmp_path, WRAPPED)
    until(
        lambda: all(count_of_lines(tmp_path / name) == LINES for name in ("outer.jsonl", "inner.jsonl")),
        lambda: agent.log,
    )
    assert agent.end(signal.SIGTERM) == 0, agent.log
    for name, sent in (("outer.jsonl", outer), ("inner.jsonl", inner)):
        arrived = records(tmp_path / name)
        judge(range(LINES), [one["n"] for one in arrived]).assert_right()
        assert arrived == sent, name
