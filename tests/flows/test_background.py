"""Agents in the background as people use them: started, looked for, restarted, killed, and left by their terminal."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.flows.agent import environ, swak, tail_of
from tests.flows.waiting import WAIT_S, until
from tests.house import ROOT
from tests.oracle import judge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.flows.conftest import Start


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sessions and signals of POSIX")

RECIPE = 'task(in_.FileTailing("app.log"), out.File("out.txt", format="raw"), name="web")\n'


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a recipe and a log; agents that run from it are ended with the test."""
    (tmp_path / "web.py").write_text(RECIPE)
    lines(tmp_path, range(100))
    yield tmp_path
    for path in (tmp_path / "home" / "run").glob("*.json"):
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            os.kill(json.loads(path.read_text())["pid"], signal.SIGKILL)


def lines(folder: Path, numbers: range) -> None:
    with (folder / "app.log").open("a") as file:
        file.write("".join(f"{number}\n" for number in numbers))


def up(folder: Path, *arguments: str) -> int:
    """Start an agent in the background; return its process id."""
    done = swak(folder, "up", "-d", *arguments)
    assert done.returncode == 0, done.stderr
    return pid_of(folder)


def pid_of(folder: Path, name: str = "web") -> int:
    return int((folder / "home" / "run" / f"{name}.pid").read_text())


def written(folder: Path, last: int) -> None:
    until(lambda: tail_of(folder / "out.txt").endswith(f"\n{last}\n"), lambda: tail_of(folder / "out.txt"))


def log_of(folder: Path, name: str = "web") -> str:
    return (folder / "home" / "logs" / f"{name}.log").read_text()


def test_an_agent_is_started_found_and_stopped(folder: Path) -> None:
    done = swak(folder, "up", "-d", "web.py")
    assert done.returncode == 0, done.stderr
    pid = pid_of(folder)
    assert done.stderr == f"web: started, process {pid}\nlog: {folder}/home/logs/web.log\n"
    assert os.getsid(pid) == pid
    assert [(one["name"], one["pid"]) for one in json.loads(swak(folder, "ps", "--json").stdout)] == [("web", pid)]
    written(folder, 99)
    status = json.loads(swak(folder, "status", "--json").stdout)
    assert (status["state"], status["events"], status["pid"]) == ("running", 100, pid)
    ended = swak(folder, "stop", "web")
    assert (ended.returncode, ended.stderr) == (0, "web: stopped\n")
    assert ended.stdout.endswith("web/FileTailing: 100 delivered, 0 will replay, 0 lost\nclean\n")
    assert log_of(folder).endswith("clean\n")
    assert swak(folder, "ps").stderr == "no agent runs\n"
    assert list((folder / "home" / "run").iterdir()) == []
    assert swak(folder, "audit").returncode == 0


def test_what_is_wrong_is_told_in_the_foreground_as_by_a_start_there(folder: Path) -> None:
    (folder / "bad.py").write_text("task(in_.FileTailing('a'), out.Nul())\n")
    here, there = swak(folder, "up", "bad.py"), swak(folder, "up", "-d", "bad.py")
    assert (here.returncode, here.stderr) == (there.returncode, there.stderr)
    assert here.returncode == 78
    up(folder, "web.py")
    again = swak(folder, "up", "-d", "web.py")
    assert again.returncode == 74
    assert f'"web" runs already (process {pid_of(folder)}); stop it' in again.stderr
    other = swak(folder, "up", "-d", "--name", "other", "--data-dir", "home/data/web", "web.py")
    assert other.returncode == 74
    assert f"in use by another swak (process {pid_of(folder)})" in other.stderr


def test_a_recipe_that_has_ended_before_it_was_ready_is_told(folder: Path) -> None:
    done = swak(folder, "up", "-d", "--once", "-e", "in_.Memory() | out.Null()", "--name", "short")
    assert done.returncode == 0
    assert swak(folder, "ps").stderr == "no agent runs\n"


def test_stages_that_could_not_open_are_named(folder: Path) -> None:
    done = swak(folder, "up", "-d", "-e", 'in_.FileTailing("app.log") | out.Fluentd("127.0.0.1", 1)', "--name", "f")
    assert done.returncode == 0
    assert "/Fluentd: retrying (ConnectionRefusedError" in done.stderr


def test_two_may_run_under_names_of_their_own_and_have_to_be_named(folder: Path) -> None:
    for name in ("one", "two"):
        up_named = swak(folder, "up", "-d", "--name", name, "--data-dir", name, "web.py")
        assert up_named.returncode == 0, up_named.stderr
    several = swak(folder, "status")
    assert several.returncode == 74
    assert "several agents run: one, two; name one of them" in several.stderr
    assert 'did you mean "two"' in swak(folder, "stop", "tow").stderr
    assert swak(folder, "stop", "one").returncode == 0
    assert swak(folder, "stop").returncode == 0


def test_a_stop_ends_with_the_process(folder: Path, start: Start) -> None:
    agent = start("web.py")
    until(lambda: swak(folder, "status").returncode == 0, lambda: agent.log)
    assert swak(folder, "stop").returncode == 0
    assert agent.process.poll() == 0


def test_a_restart_keeps_recipe_options_and_positions(folder: Path) -> None:
    done = swak(folder, "up", "-d", "--name", "mine", "--data-dir", "data", "web.py", said={"SWAK_LOG_FORMAT": "json"})
    assert done.returncode == 0, done.stderr
    before = pid_of(folder, "mine")
    written(folder, 99)
    done = swak(folder / "home", "restart", "mine", said={"SWAK_HOME": str(folder / "home")})
    assert done.returncode == 0, done.stderr
    assert pid_of(folder, "mine") != before
    lines(folder, range(100, 200))
    written(folder, 199)
    assert swak(folder, "stop").returncode == 0
    judge(range(200), [int(line) for line in (folder / "out.txt").read_text().split()]).assert_right()
    assert all(line.startswith("{") for line in log_of(folder, "mine").splitlines())


def test_a_restart_into_a_recipe_that_is_wrong_stops_nothing(folder: Path) -> None:
    pid = up(folder, "web.py")
    (folder / "web.py").write_text("task(\n")
    done = swak(folder, "restart")
    assert done.returncode == 78
    assert done.stderr.endswith("web runs on\n")
    assert json.loads(swak(folder, "status", "--json").stdout)["pid"] == pid


def test_a_killed_agent_leaves_nothing_in_the_way(folder: Path) -> None:
    first = up(folder, "web.py")
    written(folder, 99)
    until(
        lambda: json.loads(swak(folder, "audit", "--json").stdout)["inputs"]["web/FileTailing"]["delivered"] == 100, ""
    )
    os.kill(first, signal.SIGKILL)
    until(lambda: swak(folder, "ps").stderr == "no agent runs\n", "it is seen that nobody runs")
    assert (folder / "home" / "run" / "web.sock").exists()
    assert '"web" does not run' in swak(folder, "status", "web").stderr
    lines(folder, range(100, 200))
    assert up(folder, "web.py") != first
    written(folder, 199)
    assert swak(folder, "stop").returncode == 0
    numbers = [int(line) for line in (folder / "out.txt").read_text().split()]
    judge(range(200), numbers).assert_right(duplicates_max=100)


def test_an_agent_that_does_not_obey_is_killed_only_when_that_is_said(folder: Path) -> None:
    pid = up(folder, "web.py")
    os.kill(pid, signal.SIGSTOP)
    done = swak(folder, "stop", "--now")
    assert done.returncode == 1
    assert done.stderr.endswith("web: killed\n")
    assert swak(folder, "ps").stderr == "no agent runs\n"


def test_the_closed_terminal_does_not_end_it(folder: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    shell = subprocess.Popen(
        ["sh", "-c", f"{sys.executable} -m swak up -d web.py; echo started; read wait"],
        cwd=folder,
        env=environ(folder) | {"PYTHONPATH": str(ROOT)},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_controlled,  # noqa: PLW1509 - the test has no other threads here
    )
    os.close(theirs)
    told = b""
    while b"started\r\n" not in told:
        told += os.read(ours, 1_000)
    pid = pid_of(folder)
    os.close(ours)  # the terminal hangs up: its session gets SIGHUP
    assert shell.wait(WAIT_S) == -signal.SIGHUP
    os.kill(pid, signal.SIGHUP)  # and even one that is sent to it
    lines(folder, range(100, 200))
    written(folder, 199)
    done = swak(folder, "stop")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("clean\n")


def _controlled() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_logs_shows_the_end_and_follows_to_the_end_of_the_agent(folder: Path) -> None:
    up(folder, "-v", "web.py")
    command = [sys.executable, "-m", "swak", "logs", "-f", "-n", "1000"]
    follower = subprocess.Popen(command, cwd=folder, env=environ(folder), stdout=subprocess.PIPE)
    assert follower.stdout is not None
    first = follower.stdout.readline()
    assert first
    assert swak(folder, "stop").returncode == 0
    rest = follower.stdout.read()
    follower.stdout.close()
    assert follower.wait(WAIT_S) == 0
    assert (first + rest).decode() == log_of(folder)
    assert swak(folder, "logs", "web", "-n", "1").stdout == "clean\n", "also after its end"
    assert swak(folder, "logs", "nobody").returncode == 74


def test_what_an_agent_prints_is_in_its_rotated_log_whole_and_in_order(folder: Path) -> None:
    count = 200_000
    recipe = f'task(in_.Counter({count}, rate="60000/s"), out.Stdout(format="json", host="x" * 40), name="web")'
    done = swak(folder, "up", "-d", "-q", "--once", "--name", "loud", "-e", recipe)
    assert done.returncode == 0, done.stderr
    logs = folder / "home" / "logs"
    until(lambda: swak(folder, "ps").stderr == "no agent runs\n", lambda: swak(folder, "status").stdout, 50)
    files = sorted(logs.glob("loud.log*"), key=lambda path: -int(path.suffix[1:]) if path.suffix != ".log" else 0)
    assert len(files) > 1
    told = "".join(path.read_text() for path in files).splitlines()
    judge(range(1, count + 1), [json.loads(line)["f1"] for line in told]).assert_right()


def test_a_foreground_agent_is_found_too_and_says_where_it_is(start: Start, folder: Path) -> None:
    agent = start("web.py")
    written(folder, 99)
    until(lambda: "foreground" in swak(folder, "ps").stdout, lambda: agent.log)
    assert "runs in the foreground" in swak(folder, "restart").stderr
    assert "its log goes to its terminal" in swak(folder, "logs").stderr
    assert swak(folder, "stop").returncode == 0
    assert agent.end() == 0


def test_agents_of_one_recipe_get_names_of_their_own(start: Start, folder: Path) -> None:
    for name in ("one", "two"):
        start("web.py", "--data-dir", name)
    until(lambda: swak(folder, "ps").stdout.count("foreground") == 2, lambda: swak(folder, "ps").stdout)
    assert {one["name"] for one in json.loads(swak(folder, "ps", "--json").stdout)} == {"web", "web-2"}


def test_a_recipe_from_standard_input_cannot_go_to_the_background(folder: Path) -> None:
    assert swak(folder, "up", "-d", "-").returncode == 2
    assert swak(folder, "up", "-d").returncode == 2
    assert swak(folder, "up", "-d", "--name", "../x", "web.py").returncode == 2


def test_an_agent_that_cannot_be_asked_gets_a_signal_and_its_ledger_says_how_it_ended(folder: Path) -> None:
    up(folder, "web.py")
    written(folder, 99)
    (folder / "home" / "run" / "web.sock").unlink()
    done = swak(folder, "stop")
    assert done.returncode == 0, done.stderr
    assert "it gets a signal instead\nweb: stopped\nits ledger says: drained\n" in done.stderr


def test_who_lost_something_or_kept_no_ledger_did_not_end_well_as_far_as_anybody_knows(folder: Path) -> None:
    recipe = 'task(in_.Counter(rate="1000/s"), out.TimedBuffer("5M"), out.Null(), name="n")'
    for arguments, told in (((), "events of n/Counter: read, not settled"), (("--ephemeral",), "it kept no ledger")):
        up(folder, "--name", "web", "--grace", "0s", *arguments, "-e", recipe)
        until(lambda: int(asked_events(folder)) > 0, lambda: log_of(folder))
        (folder / "home" / "run" / "web.sock").unlink()
        done = swak(folder, "stop")
        assert done.returncode == 1
        assert told in done.stderr or "its ledger says: drained" not in done.stderr


def asked_events(folder: Path) -> int:
    return int(json.loads(swak(folder, "status", "--json").stdout)["events"])


def test_two_agents_of_one_home_run_side_by_side_and_are_found_by_name_and_recipe(folder: Path) -> None:
    (folder / "api.py").write_text(RECIPE.replace("out.txt", "api.txt").replace('"web"', '"api"'))
    for name in ("web", "api"):
        assert swak(folder, "up", "-d", f"{name}.py").returncode == 0
    written(folder, 99)
    until(lambda: tail_of(folder / "api.txt").endswith("\n99\n"), "it is written")
    held = {one["name"]: one["data_dir"] for one in json.loads(swak(folder, "ps", "--json").stdout)}
    assert held == {name: str(folder / "home" / "data" / name) for name in ("web", "api")}
    ids = {json.loads(swak(folder, "status", name, "--json").stdout)["agent_id"] for name in ("web.py", "api")}
    assert len(ids) == 2
    for name in ("web.py", "api"):
        assert swak(folder, "stop", name).returncode == 0
        assert swak(folder, "audit", name).returncode == 0
    done = swak(folder, "audit")
    assert done.returncode == 74
    assert "several agents have kept something" in done.stderr
    assert swak(folder, "dlq", "ls", "--name", "api").returncode == 0
