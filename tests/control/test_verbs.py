from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from swak import in_, main, out, task
from swak.control.client import ControlError
from swak.testing import Fault, FlakyOutput, Recorder
from tests.control.served import served
from tests.flows.waiting import until, view_of

if TYPE_CHECKING:
    from pathlib import Path

    from swak.recipe import Flow


def flows(kind: str, *stages: Any) -> Flow:
    return (task if kind == "task" else main)(*stages, name="t")


def test_status_tells_how_it_goes(tmp_path: Path) -> None:
    source, sink = in_.Memory(["a", "b"], follow=True), Recorder()
    with served(tmp_path, task(source, sink, name="t")) as one, one.connect() as connection:
        sink.wait_for(2)
        until(lambda: connection.ask("status")["oldest_s"] is None, "all is settled")
        told = connection.ask("status")
        assert (told["name"], told["state"], told["events"]) == ("test", "running", 2)
        assert told["stages"] == {"t/Memory": "running", "t/Recorder": "running"}
        source.end()


def test_hello_tells_the_version_and_the_verbs(tmp_path: Path) -> None:
    source = in_.Memory(follow=True)
    with served(tmp_path, task(source, out.Null())) as one, one.connect() as connection:
        told = connection.ask("hello")
        assert told["protocol"] == 1
        assert {"status", "tap", "stop"} <= set(told["verbs"])
        source.end()


@pytest.mark.parametrize("kind", ["task", "main"])
@pytest.mark.parametrize("stage", ["Memory", "Drop", "Recorder"])
def test_a_stage_that_is_paused_takes_nothing_until_it_goes_on(tmp_path: Path, kind: str, stage: str) -> None:
    source, sink = in_.Memory(follow=True), Recorder()
    with served(tmp_path, flows(kind, source, out.Drop("n == 0"), sink)) as one, one.connect() as connection:
        connection.ask("pause", stage=stage)
        assert view_of(one.run, stage).state == "paused"
        until(lambda: _rests(one, stage), "the stage rests")
        source.feed(*({"n": number} for number in range(3)))
        if stage != "Memory":
            until(lambda: view_of(one.run, stage).waiting, "it waits in the mailbox")
        assert sink.records == []
        connection.ask("resume", stage=stage)
        assert sink.wait_for(2) == [{"n": 1}, {"n": 2}]
        assert view_of(one.run, stage).state == "running"
        source.end()


def _rests(one: Any, stage: str) -> bool:
    return any(post.mailbox.resting for post in one.run.crew.posts if post.stage.name == stage)


@pytest.mark.parametrize("kind", ["task", "main"])
@pytest.mark.parametrize("stage", ["Memory", "Drop", "SizedBuffer", "Recorder"])
def test_stopping_while_a_stage_is_paused_drains_all_the_same(tmp_path: Path, kind: str, stage: str) -> None:
    source, sink = in_.Memory(follow=True), Recorder()
    recipe = flows(kind, source, out.Drop("n == 0"), out.SizedBuffer(1_000), sink)
    with served(tmp_path, recipe) as one, one.connect() as connection:
        source.feed({"n": 1})
        until(lambda: view_of(one.run, "Memory").tally.out, "it is read")
        connection.ask("pause", stage=stage)
        connection.ask("stop", wait=False)
        assert one.run.wait(20)
        assert one.run.receipt().clean
        assert sink.records == [{"n": 1}]
        with pytest.raises(ControlError, match="the run is ending"):
            connection.ask("pause", stage=stage)


@pytest.mark.parametrize("kind", ["task", "main"])
def test_flush_lets_go_what_is_held_and_syncs_what_is_pending(tmp_path: Path, kind: str) -> None:
    source, sink = in_.Memory(["a"], follow=True), FlakyOutput(pending=True)
    recipe = flows(kind, source, out.TimedBuffer("1h"), sink)
    with served(tmp_path, recipe) as one, one.connect() as connection:
        until(lambda: view_of(one.run, "TimedBuffer").tally.held, "it is held")
        assert connection.ask("flush", within_s=10)["flushed"]
        assert sink.records == [{"message": "a"}]
        assert connection.ask("status")["oldest_s"] is None
        source.feed("b")
        until(lambda: view_of(one.run, "TimedBuffer").tally.held, "it is held again")
        source.end()


def test_a_flush_that_cannot_be_done_says_so(tmp_path: Path) -> None:
    source, sink = in_.Memory(["a"], follow=True), FlakyOutput()
    sink.down()
    with served(tmp_path, task(source, sink, name="t")) as one, one.connect() as connection:
        until(lambda: view_of(one.run, "FlakyOutput").waiting, "it waits")
        told = connection.ask("flush", wait_s=0.1)
        assert (told["flushed"], told["waiting_flows"]) == (False, ["t"])
        sink.up()
        source.end()


@pytest.mark.parametrize("kind", ["task", "main"])
@pytest.mark.parametrize("stage", ["Memory", "Drop", "SizedBuffer", "FlakyOutput"])
def test_a_restarted_stage_has_a_fresh_plugin_and_nothing_is_lost_or_repeated(
    tmp_path: Path, kind: str, stage: str
) -> None:
    source, sink = in_.Memory(follow=True), FlakyOutput(pending=True)
    recipe = flows(kind, source, out.Drop("n == 0"), out.SizedBuffer(10), sink)
    with served(tmp_path, recipe) as one, one.connect() as connection:
        for number in range(100):
            source.feed({"n": number + 1})
            if number % 20 == 10:
                assert connection.ask("restart", stage=stage, within_s=10)["stage"] == f"t/{stage}"
        source.end()
        assert one.run.wait(20)
        assert view_of(one.run, stage).restarts == 5
        assert view_of(one.run, stage).errors == 0
        assert one.run.receipt().clean
    assert [record["n"] for record in sink.records] == list(range(1, 101))


def test_many_restarts_that_were_asked_for_are_no_failure(tmp_path: Path) -> None:
    source, sink = in_.Memory(follow=True), Recorder()
    with served(tmp_path, task(source, sink, name="t")) as one, one.connect() as connection:
        for _ in range(10):
            connection.ask("restart", stage="Recorder", within_s=10)
        source.feed("a")
        sink.wait_for(1)
        source.end()


def test_a_stage_with_full_hands_is_restarted_only_when_told_now(tmp_path: Path) -> None:
    source, sink = in_.Memory(follow=True), FlakyOutput([Fault(None, hang=True)])
    with served(tmp_path, task(source, sink, name="t")) as one, one.connect() as connection:
        source.feed("a")
        sink.wait_until_it_hangs()
        with pytest.raises(ControlError, match="something in its hands"):
            connection.ask("restart", stage="FlakyOutput", wait_s=0.1)
        assert view_of(one.run, "FlakyOutput").state == "running"
        connection.ask("restart", stage="FlakyOutput", now=True, within_s=10)
        assert sink.wait_for(1) == [{"message": "a"}]
        source.end()


def test_stacks_name_the_stages(tmp_path: Path) -> None:
    source = in_.Memory(follow=True)
    with served(tmp_path, task(source, out.Null(), name="t")) as one, one.connect() as connection:
        stages = {told["stage"]: told["stack"] for told in connection.ask("stacks")["threads"]}
        assert {"t/Memory", "t/Null"} <= set(stages)
        assert any("mailbox.py" in line for line in stages["t/Null"])
        source.end()


def test_the_snapshot_is_the_runs_own(tmp_path: Path) -> None:
    source = in_.Memory(["a"], follow=True)
    with served(tmp_path, task(source, out.Null(), name="t")) as one, one.connect() as connection:
        until(lambda: view_of(one.run, "Null").tally.out, "it is written")
        views = connection.ask("snapshot")["views"]
        assert [(view["stage"], view["tally"]["out"]) for view in views] == [("Memory", 1), ("Null", 1)]
        source.end()


def test_stop_answers_with_the_outcome(tmp_path: Path) -> None:
    from swak.control.verbs import Outcome

    with served(tmp_path, task(in_.Memory(follow=True), out.Null())) as one, one.connect() as connection:
        one.agent.outcome = Outcome(0, "receipt\n", [])
        told = connection.ask("stop")
        assert (told["code"], told["receipt"]) == (0, "receipt\n")
        assert one.run.wait(20)
