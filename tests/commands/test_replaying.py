from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from swak.ack import Origin
from swak.commands.replaying import Replayed, Returning, goes_back, way_into, ways_back
from swak.datadir import DataDir
from swak.deadletters import DeadLetter, DeadLetters, Shelf
from swak.errors import ConfigError, EndOfInput
from swak.event import Event
from swak.testing import event
from swak.topology.load import load_text
from tests.house import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from swak.commands.replaying import Way
    from swak.topology.graph import Topology

WEB = r"""
task(
    in_.FileTailing("none.log", follow=False),
    out.Regex(r"(?P<n>\d+) (?P<text>[a-z]+)"),
    out.Convert({"n": "int"}),
    [
        out.File("all.jsonl"),
        out.DiskBuffer("spool") | out.Drop({"text": "drop"}) | failover(out.File("a.jsonl"), last=out.Null()),
    ],
    name="web",
)
"""


def letter(n: int, stage: str, flow: str = "web", text: str = "ok", **record: Any) -> DeadLetter:
    parsed = record or ({"message": f"{n} {text}"} if stage == "Regex" else {"n": n, "text": text})
    return DeadLetter(event(parsed, tag="t"), Origin("a.log", n), flow, stage, "why")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a recipe, and its data directory in `home/data`."""
    for name in ("SWAK_DATA_DIR", "SWAK_LOG", "SWAK_LOG_FORMAT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SWAK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "web.py").write_text(WEB)
    return tmp_path


def store_of(place: Path) -> Path:
    return place / "home" / "data" / "text" / "dead-letters.jsonl"


def bury(place: Path, *letters: DeadLetter) -> None:
    DeadLetters(store_of(place)).append(letters)


def replay(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "swak", "dlq", "replay", *arguments]
    env = {**os.environ, **environ}
    return subprocess.run(command, env=env, check=False, capture_output=True, text=True, timeout=50)


def left(place: Path) -> list[tuple[str, str]]:
    return [(kept.letter.stage, kept.letter.reason) for kept in Shelf(store_of(place)).letters()]


def numbers(path: Path) -> list[int]:
    return [int(json.loads(line)["n"]) for line in path.read_text().splitlines()] if path.exists() else []


# What letters go into


def stages(topology: Topology) -> dict[str, list[str]]:
    return {flow.name: [stage.name for stage in flow.stages] for flow in topology.flows}


def behind(way: Way) -> dict[str, list[str]]:
    source = Replayed(Returning(Shelf(DataDir.resolve(None, ephemeral=True).dead_letters_path), goes_back))
    topology = way.topology(source)
    assert topology.flows[0].input.plugin is source
    return stages(topology)


SPOOLED = {"web.DiskBuffer": ["DiskBuffer.out", "Drop", "Failover", "File-2", "Null"]}


@pytest.mark.parametrize(
    ("flow", "stage", "found"),
    [
        ("web", "Convert", {"web": ["dead-letters", "Convert", "File", "DiskBuffer"], **SPOOLED}),
        ("web", "File", {"web": ["dead-letters", "File"]}),
        ("web", "DiskBuffer", {"web": ["dead-letters", "DiskBuffer"], **SPOOLED}),
        ("web", "FileTailing", {"web": ["dead-letters", "Regex", "Convert", "File", "DiskBuffer"], **SPOOLED}),
        ("web.DiskBuffer", "Drop", {"web.DiskBuffer": ["dead-letters", "Drop", "Failover", "File-2", "Null"]}),
        ("web.DiskBuffer", "File-2", {"web.DiskBuffer": ["dead-letters", "Failover", "File-2", "Null"]}),
        ("web.DiskBuffer", "Null", {"web.DiskBuffer": ["dead-letters", "Failover", "File-2", "Null"]}),
    ],
)
@pytest.mark.usefixtures("place")
def test_letters_go_back_before_the_stage_that_refused_them(flow: str, stage: str, found: dict[str, list[str]]) -> None:
    (way,) = ways_back(load_text(WEB), {(flow, stage): 1}, "web.py")
    assert behind(way) == found


def test_a_buffer_on_disk_behind_another_is_part_of_it(place: Path) -> None:
    text = 'task(in_.Counter(1), out.DiskBuffer("a"), out.Json(), out.DiskBuffer("b"), out.Null(), name="app")'
    del place
    (way,) = ways_back(load_text(text), {("app.DiskBuffer", "Json"): 1}, "web.py")
    assert behind(way) == {
        "app.DiskBuffer": ["dead-letters", "Json", "DiskBuffer-2"],
        "app.DiskBuffer-2": ["DiskBuffer-2.out", "Null"],
    }


def test_stages_that_the_recipe_does_not_have_are_told_with_those_that_it_has() -> None:
    with pytest.raises(ConfigError) as raised:
        ways_back(load_text(WEB), {("web", "Regexp"): 3, ("app", "Regex"): 1, ("web", "Regex"): 1}, "web.py")
    first, second = map(str, raised.value.problems)
    assert "web/Regexp refused 3 of them, and this recipe has no such stage" in first
    assert "it has web/FileTailing, web/Regex, web/Convert, web/File" in first
    assert "app/Regex refused 1" in second


def test_letters_go_into_the_first_stage_of_another_recipe() -> None:
    text = 'task(in_.Counter(1), {"a": out.Null(), "**": out.Stdout()}, name="x")\ntask(in_.Counter(1), out.Null())'
    assert behind(way_into(load_text(text), "o.py", "x", None)) == {"x": ["dead-letters", "ByTag", "Null", "Stdout"]}
    for flow, wrong in ((None, "several flows"), ("y", "no flow y")):
        with pytest.raises(ConfigError, match=rf"{wrong}; name one of x, task-2: --into o.py:x"):
            way_into(load_text(text), "o.py", flow, None)


# What hands them out


def read_all(source: Replayed) -> Iterator[Any]:
    while True:
        try:
            yield source.read()
        except EndOfInput:
            return


def test_letters_of_one_batch_come_as_one_with_its_source_and_position(place: Path) -> None:
    bury(place, letter(1, "Regex"), letter(1, "Regex"), letter(2, "Regex"), letter(1, "Regex"))
    source = Replayed(Returning(Shelf(store_of(place)), goes_back))
    source.open()
    chunks = list(read_all(source))
    assert [(chunk.body.count, chunk.source, chunk.position) for chunk in chunks] == [
        (2, "a.log", 1),
        (1, "a.log", 2),
        (1, "a.log", 1),
    ]


def test_a_letter_is_taken_off_when_it_is_settled_and_not_before(place: Path) -> None:
    bury(place, letter(1, "Regex"), letter(2, "Regex"))
    returning = Returning(Shelf(store_of(place)), goes_back)
    source = Replayed(returning)
    source.open()
    first, second = read_all(source)
    second.told()
    second.told()
    source.close()
    assert [kept.number for kept in Shelf(store_of(place)).letters()] == [1]
    successor = source.fresh()
    successor.open()
    assert [chunk.position for chunk in read_all(successor)] == [1]
    first.told()
    successor.close()
    assert (left(place), returning.noted) == ([], 2)


@pytest.mark.parametrize("parts", [("t", 1, "text"), ("t", None, {}), (None, 1, {})])
def test_what_holds_no_whole_event_does_not_go_back(place: Path, parts: Any) -> None:
    bury(place, DeadLetter(Event(*parts), Origin("s", 1), "web", "Regex", "why"))
    (kept,) = Shelf(store_of(place)).letters()
    assert not goes_back(kept)


# Real runs


def test_events_go_on_where_they_were_refused(place: Path) -> None:
    at_stages = [letter(n, "Regex") for n in (1, 2)] + [letter(3, "Convert")]
    spooled = [letter(4, "Drop", "web.DiskBuffer", "drop"), letter(5, "File-2", "web.DiskBuffer")]
    bury(place, *at_stages, *spooled)
    ran = replay("web.py")
    assert (ran.returncode, left(place)) == (0, []), ran.stderr
    assert numbers(place / "all.jsonl") == [1, 2, 3]
    assert sorted(numbers(place / "a.jsonl")) == [1, 2, 3, 5]
    assert "5 of 5 dead letters were put back; 0 events were refused anew" in ran.stderr
    assert "web/dead-letters: 2 delivered, 0 will replay, 0 lost" in ran.stderr
    assert not (store_of(place).parent / "ledger.json").exists()
    assert not list((store_of(place).parent / "checkpoints").iterdir())


def test_what_is_refused_anew_is_a_new_letter_with_the_old_source(place: Path) -> None:
    bury(place, letter(1, "Regex"), letter(2, "Regex", text="BAD"))
    ran = replay("web.py")
    assert ran.returncode == 0, ran.stderr
    (kept,) = Shelf(store_of(place)).letters()
    assert (kept.number, kept.letter.origin) == (3, Origin("a.log", 2))
    assert kept.letter.event.record == {"message": "2 BAD"}
    assert "2 of 2 dead letters were put back; 1 events were refused anew" in ran.stderr


def test_some_can_be_chosen(place: Path) -> None:
    bury(place, *(letter(n, "Regex") for n in (1, 2, 3)), letter(4, "Gone"))
    assert replay("web.py", "--id", "2-3", "--stage", "Regex").returncode == 0
    assert numbers(place / "all.jsonl") == [2, 3]
    assert [kept.number for kept in Shelf(store_of(place)).letters()] == [1, 4]


def test_a_stage_that_is_not_there_is_told_and_nothing_goes(place: Path) -> None:
    bury(place, letter(1, "Regex"), letter(2, "Gone"))
    ran = replay("web.py")
    assert (ran.returncode, len(left(place))) == (78, 2)
    assert "web/Gone refused 1 of them, and this recipe has no such stage; it has web/FileTailing, " in ran.stderr
    assert not (place / "all.jsonl").exists()


def test_they_can_go_into_another_recipe(place: Path) -> None:
    bury(place, letter(1, "Regex"), letter(2, "Gone"), letter(3, "X", flow="other"))
    (place / "mend.py").write_text('task(in_.Counter(9), out.File("mended.jsonl"), name="mend")')
    ran = replay("--into", "mend.py:mend", "web.py")
    assert ran.returncode == 0, ran.stderr
    assert len((place / "mended.jsonl").read_text().splitlines()) == 2
    assert left(place) == [("X", "why")]
    assert replay("--into", "mend.py").returncode == 0
    assert left(place) == []


def test_a_flow_on_the_main_thread_takes_them_too(place: Path) -> None:
    bury(place, letter(1, "Regex"), letter(2, "File"))
    (place / "main.py").write_text(WEB.replace("task(", "main("))
    assert replay("main.py").returncode == 0
    assert sorted(numbers(place / "all.jsonl")) == [1, 2]
    assert left(place) == []


def test_nothing_to_put_back_is_told(place: Path) -> None:
    bury(place, letter(1, "Regex"))
    ran = replay("web.py", "--stage", "Convert")
    assert (ran.returncode, ran.stderr) == (0, "there are no such dead letters\n")


@pytest.mark.parametrize("arguments", [[], ["web.py", "-e", "task()"]])
@pytest.mark.usefixtures("place")
def test_a_recipe_is_wanted(arguments: list[str]) -> None:
    assert replay(*arguments).returncode == 2


def test_while_a_swak_uses_the_directory_it_is_refused(place: Path) -> None:
    bury(place, letter(1, "Regex"))
    agent = DataDir.resolve(str(store_of(place).parent))
    agent.lock()
    ran = replay("web.py")
    agent.close()
    assert (ran.returncode, len(left(place))) == (74, 1)
    assert "in use by another swak" in ran.stderr
    assert "ls, show, export and drop also work" in ran.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a kill and signals are POSIX's")
def test_what_was_not_delivered_stays_when_it_is_stopped(place: Path) -> None:
    bury(place, letter(1, "Fluentd"))
    (place / "down.py").write_text('task(in_.Counter(1), out.Fluentd("127.0.0.1", 9), name="web")')
    command = [sys.executable, "-m", "swak", "dlq", "replay", "--grace", "100ms", "down.py"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    told = ""
    while "output is down" not in told:
        told += process.stderr.readline()
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=30)[1]
    assert "0 of 1 dead letters were put back" in rest
    assert left(place) == [("Fluentd", "why")]


@pytest.mark.skipif(sys.platform == "win32", reason="a kill is POSIX's")
@pytest.mark.parametrize("step", ["write:1", "half:2", "sync:1", "sync:2", "folder:2", "rename:1"])
def test_killed_in_between_nothing_is_lost(place: Path, step: str) -> None:
    many = [letter(n, "Regex", text="BAD" if n % 3 == 0 else "ok") for n in range(300)]
    bury(place, *many)
    killed = replay("web.py", SWAK_FAULT=f"dead.{step}")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    ran = replay("web.py")
    assert ran.returncode == 0, ran.stderr
    assert set(numbers(place / "all.jsonl")) == {n for n in range(300) if n % 3}
    dead = {kept.letter.event.record["message"] for kept in Shelf(store_of(place)).letters()}
    assert dead == {f"{n} BAD" for n in range(0, 300, 3)}
