from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak import in_, out, task
from swak.control.client import ControlError
from swak.ledger import shortages
from swak.testing import FlakyOutput, Recorder
from tests.control.served import served

if TYPE_CHECKING:
    from pathlib import Path


def test_events_enter_the_stage_as_if_from_upstream_and_are_counted_apart(tmp_path: Path) -> None:
    source, sink = in_.Memory(["a"], follow=True), Recorder()
    with served(tmp_path, task(source, out.Drop('message == "b"'), sink, name="t")) as one, one.connect() as connection:
        sink.wait_for(1)
        given = ["b", {"message": "c"}, {"tag": "own", "time_ns": 5, "record": {"message": "d"}}]
        told = connection.ask("inject", stage="Drop", events=given, within_s=10)
        assert (told["given"], told["accepted"], told["settled"]) == (3, 3, 3)
        source.end()
        one.run.wait(20)
        receipt = one.run.receipt()
    assert [event.record["message"] for event in sink.events] == ["a", "c", "d"]
    assert [(event.tag, event.time_ns) for event in sink.events][-1] == ("own", 5)
    assert [(line.stage, line.delivered, line.lost) for line in receipt.inputs] == [
        ("Memory", 1, 0),
        ("(injected) Drop", 3, 0),
    ]
    assert shortages(receipt.stages) == []


def test_more_than_there_is_room_for_waits_and_is_told(tmp_path: Path) -> None:
    source, sink = in_.Memory(follow=True), FlakyOutput()
    with served(tmp_path, task(source, sink, name="t")) as one, one.connect() as connection:
        connection.ask("pause", stage="FlakyOutput")
        told = connection.ask("inject", stage="FlakyOutput", events=["x"] * 20_000, wait_s=0.2, within_s=1)
        assert told["accepted"] < 20_000
        assert told["settled"] == 0
        connection.ask("resume", stage="FlakyOutput")
        sink.wait_for(told["accepted"])
        source.end()
        one.run.wait(20)
        assert one.run.receipt().inputs[-1].delivered == told["accepted"]
        assert one.run.receipt().clean


def test_what_is_not_settled_at_the_end_is_named_as_lost(tmp_path: Path) -> None:
    source, sink = in_.Memory(follow=True), FlakyOutput()
    sink.down()
    with served(tmp_path, task(source, sink, name="t")) as one, one.connect() as connection:
        assert connection.ask("inject", stage="FlakyOutput", events=["x"], wait_s=0)["settled"] == 0
        one.run.stop(now=True)
        one.run.wait(20)
        assert [(line.stage, line.lost) for line in one.run.receipt().inputs] == [
            ("Memory", 0),
            ("(injected) FlakyOutput", 1),
        ]


@pytest.mark.parametrize(
    ("stage", "events", "why"),
    [
        ("Memory", ["x"], "is an input and takes nothing; behind it is t/Failover"),
        ("Null", ["x"], "gets what t/Failover lends it"),
        ("Failover", [5], "an event is an object or text"),
        ("Failover", [{"record": {}, "tag": 5}], '"tag" is text'),
        ("Failover", [{"record": {}, "time_ns": 0.5}], "a whole number"),
    ],
)
def test_what_cannot_be_put_in_is_refused(tmp_path: Path, stage: str, events: list[object], why: str) -> None:
    from swak import failover

    source = in_.Memory(follow=True)
    recipe = task(source, failover(out.Null(), out.Null()), name="t")
    with served(tmp_path, recipe) as one, one.connect() as connection:
        names = [post.stage.name for post in one.run.crew.posts]
        found = next(name for name in names if name.lower().startswith(stage.lower()))
        with pytest.raises(ControlError, match=why.replace("t/Failover", ".*")):
            connection.ask("inject", stage=found, events=events)
        source.end()
