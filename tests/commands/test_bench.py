"""`swak bench`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from click.testing import CliRunner, Result

from swak.bench.measure import environment
from swak.cli import swak

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "wait4"), reason="counts the CPU time of a child by wait4")


def bench(*arguments: str) -> Result:
    return CliRunner().invoke(swak, ["bench", *arguments])


def test_a_short_run_tells_every_row_for_machines_and_draws(tmp_path: Path) -> None:
    plot = tmp_path / "cpu.svg"
    result = bench("w1", "W4", "L1", "--alone", "--events", "2000", "--runs", "1", "--json", "--plot", str(plot))
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    rows = [(row["workload"], row["who"]) for row in told["rows"]]
    assert rows == [(None, "cat"), (None, "re"), (None, "copy W4"), ("W1", "swak"), ("W4", "swak")]
    assert (told["events"], told["rounds"], len(told["latency"])) == (2_000, 1, 3)
    assert plot.read_text(encoding="utf-8").startswith("<svg")


def test_a_log_of_ones_own_is_used(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    line = b'10.0.0.1 - - [21/Nov/2026:01:07:27 +0000] "GET / HTTP/1.1" 200 22 "-" "curl/8"\n'
    log.write_bytes(line)
    result = bench("W2", "--alone", "--events", "500", "--runs", "1", "--input", str(log), "--json")
    assert result.exit_code == 0, result.output
    row = next(one for one in json.loads(result.stdout)["rows"] if one["workload"] == "W2")
    assert row["mb_per_s"] * 1e6 / row["events_per_s"] == pytest.approx(len(line))


def test_a_table_is_printed_for_people() -> None:
    result = bench("W2", "--alone", "--events", "500", "--runs", "1")
    assert (result.exit_code, "| W2: " in result.stdout) == (0, True), result.output


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["W22"], 2, 'there is no workload "W22"; did you mean "W2"?'),
        (["W1", "--alone", "--peer", "vector"], 2, "leave one of the two out"),
        (["W1", "--peer", "vektor"], 2, "vektor"),
        (["W1", "--alone", "--events", "1000000000000"], 74, "set TMPDIR to a folder on a larger disk"),
        (["W1", "--alone", "--events", "10", "--input", "/no/such/log"], 78, "cannot read /no/such/log"),
    ],
)
def test_what_cannot_be_done_is_told(arguments: list[str], code: int, said: str) -> None:
    result = bench(*arguments)
    assert (result.exit_code, said in result.output) == (code, True), result.output


def test_a_peer_that_is_not_here_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swak.bench.peers.SYSTEM_PATHS", ())
    monkeypatch.setenv("PATH", "")
    result = bench("W1", "--peer", "rsyslog")
    assert result.exit_code == 78
    assert "rsyslog is not here: no rsyslogd on the PATH; apt-get install rsyslog" in result.output


def test_a_plot_that_cannot_be_written_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    result = bench("W1", "--plot", str(tmp_path / "nowhere" / "cpu.svg"))
    assert (result.exit_code, "nowhere" in result.output) == (2, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_children_and_removes_the_files(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "swak", "bench", "W4", "--alone", "--events", "200000"]
    settings = {**environment(), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            children = begun(child.pid)
            child.send_signal(number)
            _, said = child.communicate(timeout=30)
        finally:
            child.kill()
    assert (child.returncode, "stopped: nothing was kept" in said) == (130, True)
    assert [one for one in children if one.is_running()] == []
    assert list(tmp_path.iterdir()) == []


def begun(pid: int) -> list[psutil.Process]:
    """Return the children of a process, as soon as it has some."""
    deadline, pause = time.monotonic() + 30, threading.Event()
    while not (found := psutil.Process(pid).children(recursive=True)):
        assert time.monotonic() < deadline
        pause.wait(0.01)
    return found


def test_help_loads_nothing_heavy() -> None:
    text = (
        "import sys; sys.argv = ['swak', 'bench', '--help']\n"
        "from swak.cli import main\n"
        "try: main()\n"
        "finally: print('modules:', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=30, check=True)
    loaded = set(done.stdout.rpartition("modules:")[2].split())
    assert loaded & {"pykka", "msgspec", "rich", "structlog", "psutil", "msgpack", "swak.bench", "subprocess"} == set()
