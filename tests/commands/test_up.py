from __future__ import annotations

import json
import os
import queue
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from swak.commands.up import WAIT_S, Telling, run_to_end
from swak.stats import InputReceipt, Receipt, StageView, Tally
from tests.flows.agent import ENDLESS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIVE = """
from swak import EndOfInput, Event, Input, out, task

class Five(Input):
    '''Five events.'''
    def open(self):
        self.number = 0
    def read(self):
        if self.number == 5:
            raise EndOfInput
        self.number += 1
        return [Event("t", self.number, {"message": f"line {self.number}"})]

task(Five(), out.File("five.txt"))
"""

UNHEARD = f'{ENDLESS}\ntask(Endless(), out.Null(), name="web")\n'

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of POSIX")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to work in, without variables that name another one."""
    for name in ("SWAK_DATA_DIR", "SWAK_LOG", "SWAK_LOG_FORMAT", "SWAK_MEMORY_LIMIT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SWAK_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "five.py").write_text(FIVE)
    (tmp_path / "endless.py").write_text(UNHEARD)
    return tmp_path


def up(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "swak", "up", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, input=given, timeout=50)


# What is printed, with a run that a test makes up


class Told:
    """A run that is over and has this to tell."""

    def __init__(self, receipt: Receipt, forced_by: int | None = None) -> None:
        self.signals: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.forced_by = forced_by
        self.steps: list[str] = []
        self._receipt = receipt

    def start(self) -> None:
        self.steps.append("start")

    def run_main(self) -> None:
        self.steps.append("run_main")
        os.kill(os.getpid(), signal.SIGTERM)

    def wait(self, timeout_s: float | None = None) -> bool:
        self.steps.append(f"wait {timeout_s:g}")
        return True

    def snapshot(self) -> list[StageView]:
        return []

    def receipt(self) -> Receipt:
        self.steps.append("receipt")
        return self._receipt

    def close(self) -> None:
        self.steps.append("close")


LOUD = Telling("info", "text", view=False)
QUIET = Telling("warning", "text", view=False)


def receipt(lost: int = 0) -> Receipt:
    tally = Tally()
    tally.into = tally.out = 5
    view = StageView("web", "Stdin", "input", "over", tally, 0, 0, 0.0, None, 0, 0)
    return Receipt((view,), (InputReceipt("web", "Stdin", 5 - lost, 0, lost),))


@posix
def test_a_run_is_started_waited_for_told_and_closed() -> None:
    run = Told(receipt())
    run_to_end(run, LOUD, None)
    assert run.steps == ["start", "run_main", f"wait {WAIT_S:g}", "receipt", "close"]


@posix
def test_a_signal_goes_into_the_queue_and_nowhere_else() -> None:
    before = signal.getsignal(signal.SIGTERM)
    run = Told(receipt())
    run_to_end(run, LOUD, None)
    assert run.signals.get(timeout=5) == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before


@posix
@pytest.mark.parametrize(
    ("lost", "forced_by", "code"), [(0, None, 0), (1, None, 1), (0, signal.SIGINT, 130), (1, signal.SIGTERM, 143)]
)
def test_the_exit_code_says_how_it_ended(lost: int, forced_by: int | None, code: int) -> None:
    assert run_to_end(Told(receipt(lost), forced_by), LOUD, None) == code


@posix
@pytest.mark.parametrize(("telling", "lost", "told"), [(LOUD, 0, True), (QUIET, 0, False), (QUIET, 1, True)])
def test_a_quiet_run_prints_a_receipt_only_when_something_was_lost(
    capsys: pytest.CaptureFixture[str], telling: Telling, lost: int, told: bool
) -> None:
    run_to_end(Told(receipt(lost)), telling, None)
    printed = capsys.readouterr()
    assert (printed.out, "web/Stdin" in printed.err) == ("", told)


@posix
def test_what_a_shell_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        run = Told(receipt())
        run_to_end(run, LOUD, None)
        assert run.signals.empty()
    finally:
        signal.signal(signal.SIGTERM, before)


# The command as it is used


def test_a_recipe_file_runs_to_its_end(place: Path) -> None:
    ran = up("five.py")
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.splitlines()[-2:] == ["five-1/Five: 5 delivered, 0 will replay, 0 lost", "clean"]
    assert (place / "five.txt").read_text().count("line") == 5


def test_a_file_a_text_and_standard_input_do_the_same(place: Path) -> None:
    for arguments, given in ((["five.py"], ""), (["-e", FIVE], ""), (["-"], FIVE)):
        ran = up(*arguments, given=given)
        assert ran.returncode == 0, ran.stderr
    assert (place / "five.txt").read_text().count("line") == 15


def test_equal_runs_print_equal_receipts(place: Path) -> None:
    told = [up("five.py").stderr for _ in range(2)]
    assert told[0] == told[1]
    assert (place / "five.txt").exists()


def test_state_of_a_file_is_kept_and_state_of_a_text_is_not(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    up("five.py")
    assert (place / "home" / "data" / "five" / "checkpoints").is_dir()
    monkeypatch.delenv("SWAK_HOME")
    monkeypatch.setenv("HOME", str(place / "user"))
    monkeypatch.setenv("XDG_STATE_HOME", str(place / "state"))
    up("-e", FIVE)
    assert not (place / "user").exists()
    assert not (place / "state").exists()


def test_an_ephemeral_run_of_a_file_keeps_no_state(place: Path) -> None:
    assert up("five.py", "--ephemeral").returncode == 0
    assert not (place / "home").exists()


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ([], "give either a RECIPE"),
        (["five.py", "-e", "x"], "give either a RECIPE"),
        (["five.py", "--ephemeral", "--data-dir", "d"], "leave one of the two out"),
        (["five.py", "--grace", "soon"], "wants a duration"),
        (["five.py", "--log-level", "loud"], "loud"),
    ],
)
def test_wrong_usage_is_told(arguments: list[str], what: str) -> None:
    ran = up(*arguments)
    assert (ran.returncode, what in ran.stderr) == (2, True)


@pytest.mark.usefixtures("place")
def test_every_problem_of_a_recipe_is_told_and_nothing_starts() -> None:
    ran = up("-e", "in_.Nope() | out.Nope()")
    assert ran.returncode == 78
    assert len([line for line in ran.stderr.splitlines() if line.startswith("<-e>:1  ")]) == 2


@pytest.mark.usefixtures("place")
def test_a_recipe_that_is_not_there_is_told() -> None:
    ran = up("nowhere.py")
    assert (ran.returncode, "nowhere.py" in ran.stderr) == (78, True)


def test_a_data_directory_that_cannot_be_used_is_told(place: Path) -> None:
    ran = up("five.py", "--data-dir", str(place / "five.py"))
    assert ran.returncode == 74
    assert "cannot be used" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.usefixtures("place")
def test_a_log_for_machines_is_json_to_its_last_line() -> None:
    ran = up("five.py", "--log-format", "json")
    last = [json.loads(line) for line in ran.stderr.splitlines()][-1]
    assert (last["event"], last["troubles"]) == ("receipt", [])


# Signals and terminals


class Agent:
    """`swak up` as a process, its standard error a pipe or a terminal."""

    def __init__(self, *arguments: str, stderr: int = subprocess.PIPE) -> None:
        command = [sys.executable, "-m", "swak", "up", *arguments]
        self.process = subprocess.Popen(
            command, stderr=stderr, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )
        self.source = self.process.stderr.fileno() if self.process.stderr is not None else -1

    def read_until(self, text: bytes, source: int | None = None) -> bytes:
        """Read what the agent prints until `text` comes up, within 20 s."""
        read, until = b"", time.monotonic() + 20
        while text not in read:
            left_s = until - time.monotonic()
            assert left_s > 0, f"{text!r} never came up in {read!r}"
            descriptor = self.source if source is None else source
            ready, _, _ = select.select([descriptor], [], [], left_s)
            read += os.read(descriptor, 65_536) if ready else b""
        return read


@pytest.fixture
def agents() -> Iterator[list[Agent]]:
    made: list[Agent] = []
    yield made
    for agent in made:
        agent.process.kill()
        agent.process.wait(20)
        if agent.process.stderr is not None:
            agent.process.stderr.close()


@posix
@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)])
def test_a_signal_drains(agents: list[Agent], number: signal.Signals) -> None:
    agents.append(Agent("endless.py"))
    agents[0].read_until(b"running")
    agents[0].process.send_signal(number)
    assert b"clean" in agents[0].read_until(b"clean")
    assert agents[0].process.wait(20) == 0


@posix
@pytest.mark.usefixtures("place")
def test_a_second_agent_names_the_first(agents: list[Agent]) -> None:
    agents.append(Agent("endless.py"))
    agents[0].read_until(b"running")
    ran = up("endless.py")
    assert ran.returncode == 74
    assert f"in use by another swak (process {agents[0].process.pid})" in ran.stderr


@posix
@pytest.mark.usefixtures("place")
def test_the_live_view_survives_every_size_of_its_terminal(
    agents: list[Agent], monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl
    import pty
    import struct
    import termios

    monkeypatch.setenv("TERM", "xterm")
    for name in ("COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    ours, its = pty.openpty()
    try:
        agents.append(Agent("endless.py", stderr=its))
        for rows, columns in ((24, 80), (20, 10), (1, 1), (0, 0), (23, 80)):
            fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            agents[0].read_until(b"\x1b[2J", ours)
        agents[0].read_until(b"Endless", ours)
        agents[0].process.send_signal(signal.SIGINT)
        agents[0].read_until(b"clean", ours)
        assert agents[0].process.wait(20) == 0
    finally:
        os.close(ours)
        os.close(its)


@posix
@pytest.mark.usefixtures("place")
def test_a_terminal_that_goes_away_takes_nothing_with_it(agents: list[Agent], monkeypatch: pytest.MonkeyPatch) -> None:
    import pty

    monkeypatch.setenv("TERM", "xterm")
    ours, its = pty.openpty()
    try:
        agents.append(Agent("endless.py", stderr=its))
        agents[0].read_until(b"Endless", ours)
    finally:
        os.close(its)
        os.close(ours)
    with pytest.raises(subprocess.TimeoutExpired):
        agents[0].process.wait(1)
    agents[0].process.send_signal(signal.SIGTERM)
    assert agents[0].process.wait(20) == 0


@pytest.mark.usefixtures("place")
def test_a_memory_limit_is_taken_from_option_or_environment_and_refused_when_it_is_too_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert up("--memory-limit", "1MiB", "five.py").returncode == 0
    for given, code, what in (("64 apples", 2, "wants a size"), ("100k", 78, "give at least 1MiB, or no limit")):
        done = up("--memory-limit", given, "five.py")
        assert (done.returncode, what in done.stderr) == (code, True), done.stderr
    monkeypatch.setenv("SWAK_MEMORY_LIMIT", "100k")
    assert up("five.py").returncode == 78
