"""`swak up` as people use it: from text, file and pipe, until Ctrl-C, into a full disk, twice at once."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.flows.agent import settled_bytes, tail_of
from tests.flows.waiting import WAIT_S, until
from tests.house import ROOT
from tests.oracle import judge
from tests.servers.receivers import HERE, Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.flows.agent import Agent
    from tests.flows.conftest import Start

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and pipes of POSIX")

FIRST = """\
main(
    in.DummyData(type="people"),

    out.Stdout()
)
"""
SECOND = """\
task(
    in.FileTailing("/var/log/mylog.txt"),

    out.MyLogParser(),
    out.TimedBuffer("5M"),

    failover(
        out.Fluentd("192.168.0.1"),
        out.Fluentd("192.168.0.2"),

        last=out.File('/tmp/failed.txt'),
        start="ip"
    )
)
"""
THIRD = """\
task(
    in.MySQLTailing("127.0.0.1", 'logdb'),

    out.SizedBuffer(100),
    out.Exec(
        "/usr/bin/r detect.r",
    )
    out.Stdout()
)
"""
PARSER = '''
from swak import Event, Filter


class MyLogParser(Filter):
    """Cuts a line into number and text."""

    def process(self, event: Event) -> Event:
        number, _, text = event.record["message"].partition(" ")
        return event.replace(record={"n": int(number), "text": text})
'''
COUNT = 1_000


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell's command line in which `swak` is this one."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SWAK")}
    environment["PYTHONPATH"] = str(ROOT)
    line = f'swak() {{ "{sys.executable}" -m swak "$@"; }}\n{command}'
    given = ["bash", "-o", "pipefail", "-c", line]
    return subprocess.run(
        given, cwd=folder, env=environment, capture_output=True, text=True, timeout=WAIT_S, check=False
    )


def test_echo_through_standard_input_and_output_prints_the_line_format(tmp_path: Path) -> None:
    done = shell("echo 'hello world' | swak up -e 'in.Stdin() | out.Stdout()'", tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000 \S+ hello world\n", done.stdout)
    assert done.stderr.endswith("1 delivered, 0 will replay, 0 lost\nclean\n")


def test_numbers_pass_from_pipe_to_pipe_whole_and_in_order(tmp_path: Path) -> None:
    done = shell("seq 0 199999 | swak up -q -e 'in.Stdin() | out.Stdout(host=\"h\")'", tmp_path)
    assert done.returncode == 0, done.stderr
    judge(range(200_000), [int(line.rsplit(" ", 1)[1]) for line in done.stdout.splitlines()]).assert_right()


@pytest.mark.parametrize("kind", ["task", "main"])
def test_a_reader_that_has_enough_ends_the_run_by_itself(tmp_path: Path, kind: str) -> None:
    done = shell(f"swak up -e '{kind}(in.Counter(), out.Stdout(host=\"h\"))' | head -1", tmp_path)
    assert done.stdout.count("\n") == 1
    assert done.returncode == 1
    assert re.search(r"lost: \d+ events of \S+/Counter\n", done.stderr)
    assert "Traceback" not in done.stderr


def test_the_first_recipe_prints_people_until_ctrl_c(start: Start, tmp_path: Path) -> None:
    (tmp_path / "people.py").write_text(FIRST)
    agent = start(str(tmp_path / "people.py"))
    until(lambda: agent.out.count("\n") >= 2, lambda: agent.log)
    assert agent.end(signal.SIGINT) == 0, agent.log
    assert agent.log.endswith(f"{agent.out.count(chr(10))} delivered, 0 will replay, 0 lost\nclean\n")
    assert all("@example." in line for line in agent.out.splitlines())


@pytest.fixture
def receivers(tmp_path: Path) -> Iterator[list[Receiver]]:
    """Two stand-ins for Fluentd servers. Started."""
    command = [sys.executable, str(HERE / "forward_server.py")]
    made = [Receiver(command, tmp_path / f"received-{number}.jsonl") for number in (1, 2)]
    for receiver in made:
        receiver.start()
    yield made
    for receiver in made:
        receiver.kill()


def with_places(recipe: str, folder: Path, receivers: list[Receiver]) -> str:
    """Return the second recipe with paths and addresses that exist here."""
    for number, receiver in enumerate(receivers, 1):
        recipe = recipe.replace(f'"192.168.0.{number}"', f'"127.0.0.1", {receiver.port}')
    recipe = recipe.replace("/var/log/mylog.txt", str(folder / "mylog.txt"))
    return recipe.replace("/tmp/failed.txt", str(folder / "failed.txt"))


def log_lines(folder: Path, numbers: range) -> None:
    with (folder / "mylog.txt").open("a") as log:
        log.write("".join(f"{number} something happened\n" for number in numbers))


@pytest.mark.parametrize("given", ["file", "stdin", "text"])
def test_the_second_recipe_ships_a_log_with_a_parser_from_beside_it(
    start: Start, tmp_path: Path, receivers: list[Receiver], given: str
) -> None:
    text = with_places(SECOND, tmp_path, receivers)
    (tmp_path / "parsers.py").write_text(PARSER)
    (tmp_path / "ship.py").write_text(text)
    log_lines(tmp_path, range(COUNT))
    state = ("--once", "--data-dir", str(tmp_path / "data"))
    if given == "file":
        agent = start(str(tmp_path / "ship.py"), *state)
    elif given == "stdin":
        agent = start("-", *state, given=text)
    else:
        agent = start("-e", text, *state)
    assert agent.end() == 0, agent.log
    judge(range(COUNT), [record["n"] for one in receivers for record in one.records()]).assert_right()
    assert sorted(len(one.records()) for one in receivers) == [0, COUNT], 'start="ip" prefers one of them'
    assert not tail_of(tmp_path / "failed.txt")


def wait_until_all_is_acked(folder: Path, agent: Agent) -> None:
    size_bytes = (folder / "mylog.txt").stat().st_size
    until(lambda: settled_bytes(folder / "data", "ship-1") == size_bytes, lambda: agent.log)


def test_the_second_recipe_fails_over_and_keeps_what_nobody_takes(
    start: Start, tmp_path: Path, receivers: list[Receiver]
) -> None:
    text = with_places(SECOND, tmp_path, receivers).replace('"5M"', '"0.1s"')
    (tmp_path / "parsers.py").write_text(PARSER)
    (tmp_path / "ship.py").write_text(text)
    log_lines(tmp_path, range(COUNT))
    agent = start(str(tmp_path / "ship.py"), "--data-dir", str(tmp_path / "data"))
    wait_until_all_is_acked(tmp_path, agent)
    preferred, other = sorted(receivers, key=lambda one: -len(one.records()))
    preferred.kill()
    log_lines(tmp_path, range(COUNT, 2 * COUNT))
    wait_until_all_is_acked(tmp_path, agent)
    other.kill()
    log_lines(tmp_path, range(2 * COUNT, 3 * COUNT))
    wait_until_all_is_acked(tmp_path, agent)
    preferred.start()
    agent.wait_until_told("failover uses this output now")
    assert agent.end(signal.SIGTERM) == 0, agent.log
    kept = [json.loads(line)["n"] for line in (tmp_path / "failed.txt").read_text().splitlines()]
    judge(range(COUNT), [record["n"] for record in preferred.records()]).assert_right()
    judge(range(COUNT, 2 * COUNT), [record["n"] for record in other.records()]).assert_right()
    judge(range(2 * COUNT, 3 * COUNT), kept).assert_right()


def test_the_third_recipe_is_refused_where_its_comma_is_missing(start: Start, tmp_path: Path) -> None:
    (tmp_path / "detect.py").write_text(THIRD)
    agent = start(str(tmp_path / "detect.py"))
    assert agent.end() == 78
    assert "detect.py:7  " in agent.log
    assert "comma" in agent.log
    assert "Traceback" not in agent.log


def test_a_second_agent_on_one_data_directory_is_refused_and_told_who_has_it(start: Start, tmp_path: Path) -> None:
    arguments = ("-e", 'in.DummyData() | out.File("people.txt")', "--data-dir", str(tmp_path / "data"))
    first = start(*arguments)
    until(lambda: tail_of(tmp_path / "people.txt"), lambda: first.log)
    second = start(*arguments)
    assert second.end() == 74
    assert f"in use by another swak (process {first.pid})" in second.log
    assert first.end(signal.SIGTERM) == 0, first.log
    third = start(*arguments)  # the lock ends with its process
    third.wait_until_told("running")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "swak-test", str(place)]
    if sys.platform != "linux" or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small file system on Linux")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_holds_up_and_loses_nothing(start: Start, tmp_path: Path, small_disk: Path) -> None:
    ballast, target = small_disk / "ballast", small_disk / "out.txt"
    ballast.write_bytes(b"x" * 400 * 1024)
    log_lines(tmp_path, range(100))
    recipe = f'in.FileTailing("mylog.txt") | out.File("{target}", format="raw")'
    agent = start("-e", recipe, "--data-dir", str(tmp_path / "data"))
    count = 10_000
    until(lambda: "\n99 " in tail_of(target), lambda: agent.log)
    for number in range(100, count, 100):
        log_lines(tmp_path, range(number, number + 100))
    agent.wait_until_told("the disk is full")
    assert target.read_text().endswith("\n"), "no torn line stays"
    ballast.unlink()
    until(lambda: f"\n{count - 1} " in tail_of(target), lambda: agent.log)
    assert agent.end(signal.SIGTERM) == 0, agent.log
    numbers = [int(line.split()[0]) for line in target.read_text().splitlines()]
    judge(range(count), numbers).assert_right()


def test_positions_that_cannot_be_written_hold_nothing_up_and_cost_repeats_at_most(
    start: Start, tmp_path: Path, small_disk: Path
) -> None:
    ballast, target, data_dir = small_disk / "ballast", tmp_path / "out.txt", small_disk / "data"
    log = tmp_path / "mylog.txt"
    recipe = f'task(in.FileTailing("{log}"), out.File("{target}", format="raw"), name="app")'
    arguments = ("-e", recipe, "--data-dir", str(data_dir))
    log_lines(tmp_path, range(100))
    agent = start(*arguments)
    until(lambda: settled_bytes(data_dir, "app") == log.stat().st_size, lambda: agent.log)
    fill_up(ballast)
    log_lines(tmp_path, range(100, 200))
    agent.wait_until_told("cannot be written; a restart now would replay more")
    until(lambda: "\n199 " in tail_of(target), lambda: agent.log)
    agent.kill()
    ballast.unlink()
    log_lines(tmp_path, range(200, 300))
    agent = start(*arguments)
    until(lambda: "\n299 " in tail_of(target), lambda: agent.log)
    fill_up(ballast)
    log_lines(tmp_path, range(300, 400))
    agent.wait_until_told("cannot be written; a restart now would replay more")
    ballast.unlink()
    until(lambda: settled_bytes(data_dir, "app") == log.stat().st_size, lambda: agent.log)
    assert agent.end(signal.SIGTERM) == 0, agent.log
    numbers = [int(line.split()[0]) for line in target.read_text().splitlines()]
    judge(range(400), numbers).assert_right(duplicates_max=100)


def fill_up(ballast: Path) -> None:
    """Write until no byte more fits."""
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4_096))


def test_a_device_that_is_always_full_is_waited_for(start: Start, tmp_path: Path) -> None:
    agent = start("-e", 'in.Counter(10) | out.File("/dev/full")', "--grace", "0.2s")
    agent.wait_until_told("the disk is full")
    assert agent.end(signal.SIGTERM) == 1
    assert "lost: 10 events of" in agent.log
    assert not tail_of(tmp_path / "stdout.txt")


def test_with_standard_error_closed_it_delivers_all_the_same(tmp_path: Path) -> None:
    command = f'echo x | {sys.executable} -m swak up -e \'in.Stdin() | out.File("out.txt", format="raw")\' 2>&-'
    ended = subprocess.run(["sh", "-c", command], cwd=tmp_path, timeout=50, check=False)
    assert ended.returncode == 0
    assert (tmp_path / "out.txt").read_text() == "x\n"


def test_lines_that_were_cut_are_in_the_receipt(tmp_path: Path) -> None:
    (tmp_path / "long.log").write_text("a" * 3_000 + "\n" + "b\n" + "c" * 2_000 + "\n")
    text = 'in_.FileTailing("long.log", follow=False, max_line=1000) | out.Null()'
    command = [sys.executable, "-m", "swak", "up", "--once", "-e", text]
    ended = subprocess.run(command, cwd=tmp_path, timeout=50, check=True, capture_output=True, text=True)
    assert "3 delivered, 0 will replay, 0 lost; 2 lines were longer than max_line: 3000 bytes left out" in ended.stderr
