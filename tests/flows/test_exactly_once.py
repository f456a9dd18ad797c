"""Agents that are killed again and again, and a file at the end that holds every event once all the same."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from swak.audit import Audit
from swak.ledger import Ledger
from tests.flows.agent import Agent, Lines, settled_bytes
from tests.flows.ports import free_port
from tests.flows.waiting import WAIT_S, until
from tests.house import ROOT
from tests.oracle import Verdict, judge

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a kill is POSIX's")

KILLED = -9
FAULTS = ["checkpoint.write:1", "checkpoint.sync:2", "ledger.rename:2", "checkpoint.rename:1", "checkpoint.half:2"]
"""Where the process dies: what it has delivered since the checkpoint before is read again each time."""


def up(folder: Path, *arguments: str, fault: str = "", timeout_s: float = WAIT_S) -> tuple[int, str]:
    """Run an agent until it ends; return the exit code and what it told."""
    environ = {**os.environ, "SWAK_FAULT": fault, "PYTHONPATH": str(ROOT), "SWAK_HOME": str(folder / "home")}
    command = [sys.executable, "-m", "swak", "up", "--no-view", "recipe.py", *arguments]
    agent = subprocess.Popen(command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _, told = agent.communicate(timeout=timeout_s)
        return agent.returncode, told.decode()
    finally:
        with suppress(ProcessLookupError):
            agent.kill()


def delivered(folder: Path, count: int) -> Verdict:
    """Judge what the file holds of so many lines."""
    records = [json.loads(line) for line in (folder / "o.jsonl").read_text().splitlines()]
    assert [one["message"] for one in records] == [Lines.line(int(one["message"][:8])) for one in records]
    return judge(range(count), [int(one["message"][:8]) for one in records])


def killed_again_and_again(folder: Path, options: str) -> Verdict:
    """Let an agent die at each of FAULTS while its log grows and is rotated, then let it finish."""
    recipe = 'task(in_.FileTailing("app.log", fields=["id"]), out.TimedBuffer("50ms"), out.File("o.jsonl"%s), name="a")'
    (folder / "recipe.py").write_text(recipe % options)
    with Lines(folder / "app.log", pause_s=0.005, burst=40, seed=5) as lines:
        for turn, fault in enumerate(FAULTS):
            code, told = up(folder, fault=fault)
            assert code == KILLED, told
            if turn == 2:
                lines.rotate()
        lines.stop()
    code, told = up(folder, "--once")
    assert (code, "clean" in told) == (0, True), told
    audit = Audit(Ledger(folder / "home" / "data" / "recipe" / "ledger.json").look(), 0)
    assert audit.unaccounted == []
    return delivered(folder, lines.count)


def test_killed_again_and_again_the_file_holds_every_event_once_and_in_order(tmp_path: Path) -> None:
    killed_again_and_again(tmp_path, ', dedupe="id"').assert_right(duplicates_max=0)


def test_without_dedupe_a_kill_repeats_events(tmp_path: Path) -> None:
    verdict = killed_again_and_again(tmp_path, "")
    assert verdict.duplicates > 0
    verdict.assert_right(duplicates_max=verdict.duplicates)


COUNT = 20_000


def spooled(folder: Path, port: int) -> None:
    """Let an agent put a whole log into its spool, with nobody to send it to, and stop it in order."""
    folder.mkdir()
    sending = 'task(in_.FileTailing("app.log"), out.DiskBuffer("spool", fsync="1ms"), out.Json(), '
    (folder / "recipe.py").write_text(f'{sending}out.Fluentd("127.0.0.1", {port}), name="app")')
    log = folder / "app.log"
    log.write_text("".join(f'{{"n": {n}, "text": "{"x" * 200}"}}\n' for n in range(COUNT)))
    agent = Agent(folder, "recipe.py", "--no-view")
    try:
        size = log.stat().st_size
        until(lambda: settled_bytes(agent.data_dir, "app") == size, lambda: agent.log)
        assert agent.end(signal.SIGTERM) == 0, agent.log
    finally:
        agent.kill()


def sent_twice(folder: Path, dedupe: int) -> tuple[Verdict, str]:
    """Kill a sender after the receiver got chunks, before that was kept; return what the receiver has, and told."""
    port = free_port()
    spooled(folder / "sender", port)
    (folder / "receiver").mkdir()
    receiving = f'task(in_.Forward(port={port}, dedupe={dedupe}), out.File("got.jsonl", fsync="1ms"), name="in")'
    (folder / "receiver" / "recipe.py").write_text(receiving)
    receiver = Agent(folder / "receiver", "recipe.py", "--no-view")
    try:
        receiver.wait_until_told("listening")
        for fault in ("checkpoint.write:1", "checkpoint.sync:1"):
            code, told = up(folder / "sender", fault=fault)
            assert code == KILLED, told
        code, told = up(folder / "sender", "--once")
        assert (code, "clean" in told) == (0, True), told
        assert receiver.end(signal.SIGTERM) == 0, receiver.log
    finally:
        receiver.kill()
    got = [json.loads(line)["n"] for line in (folder / "receiver" / "got.jsonl").read_text().splitlines()]
    return judge(range(COUNT), got, ordered=False), receiver.log


def test_what_a_killed_sender_sends_again_from_its_spool_is_taken_once(tmp_path: Path) -> None:
    verdict, told = sent_twice(tmp_path, 1_000)
    verdict.assert_right(duplicates_max=0)
    assert re.search(r"chunks that came again and were not taken: [1-9]", told), told


def test_a_receiver_that_remembers_nothing_takes_it_twice(tmp_path: Path) -> None:
    verdict, told = sent_twice(tmp_path, 0)
    assert verdict.duplicates > 0
    verdict.assert_right(duplicates_max=verdict.duplicates)
    assert "came again" not in told
