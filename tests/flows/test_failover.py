"""Failover between real receivers that are killed, stopped and revived."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Self

import pytest

from swak import Batch, failover, in_, out, running, task
from swak.plugins.outputs.fluentd import Fluentd
from tests.faults.flow import Numbers
from tests.flows.waiting import until, view_of
from tests.oracle import judge
from tests.servers.receivers import HERE, Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from swak.actors.post import Post
    from swak.actors.running import Run

COUNT, SIZE = 200_000, 500
TURNS = 10
"""Kills and stops under the big flow, in turn."""


@pytest.fixture
def second_receiver(tmp_path: Path) -> Iterator[Receiver]:
    """Another stand-in that stores before it acks. Started."""
    receiver = Receiver([sys.executable, str(HERE / "forward_server.py")], tmp_path / "second.jsonl")
    receiver.start()
    yield receiver
    receiver.kill()


def router_of(run: Run) -> Post:
    return next(post for post in run.crew.posts if post.stage.kind == "failover")


def wait_for(delivered: int, run: Run) -> None:
    until(lambda: run.receipt().inputs[0].delivered >= delivered, run.snapshot)


def numbers_at(receiver: Receiver) -> list[int]:
    return [record["n"] for record in receiver.records()]


def assert_ordered(receiver: Receiver) -> None:
    """Fail when an event arrived there for the first time after a later one."""
    arrived = numbers_at(receiver)
    judge(sorted(set(arrived)), arrived).assert_right(duplicates_max=len(arrived))


def test_receivers_that_die_and_come_back_in_turn_lose_nothing(
    forward_receiver: Receiver, fluent_logger_server: Receiver
) -> None:
    children = [Fluentd("127.0.0.1", forward_receiver.port), Fluentd("127.0.0.1", fluent_logger_server.port)]
    with running(task(Numbers(COUNT, size=SIZE), failover(*children)), grace_s=30) as run:
        for turn in range(TURNS):
            wait_for(COUNT * (turn + 1) // (TURNS + 2), run)
            dying, other = (fluent_logger_server, forward_receiver)[:: 1 if turn % 2 else -1]
            assert view_of(run, "Failover").live_child == ("Fluentd-2" if turn % 2 else "Fluentd")
            if turn % 2:
                dying.stop()  # between two chunks: it acks before it stores, and may not die in between
            else:
                dying.kill()
            if turn:
                other.start()
        fluent_logger_server.start()
        assert run.wait(40), run.snapshot()
    arrived = numbers_at(forward_receiver) + numbers_at(fluent_logger_server)
    verdict = judge(range(COUNT), arrived, ordered=False)
    print(f"{TURNS} kills, {verdict.duplicates} duplicates")  # noqa: T201 - a figure worth seeing
    verdict.assert_right(duplicates_max=TURNS * SIZE)
    for receiver in (forward_receiver, fluent_logger_server):
        assert numbers_at(receiver), "traffic reached both"
        assert_ordered(receiver)


def test_while_both_receivers_are_down_it_waits(forward_receiver: Receiver, second_receiver: Receiver) -> None:
    receivers = [forward_receiver, second_receiver]
    source = in_.Memory(follow=True)
    outputs = [out.Fluentd("127.0.0.1", receiver.port) for receiver in receivers]
    with running(task(source, failover(*outputs)), grace_s=20) as run:
        source.feed(*[{"n": number} for number in range(100)])
        wait_for(100, run)
        for receiver in receivers:
            receiver.kill()
        until(lambda: router_of(run).down == {"Fluentd", "Fluentd-2"}, run.snapshot)
        source.feed(*[{"n": number} for number in range(100, 200)])
        until(lambda: view_of(run, "Failover").state == "retrying", run.snapshot)
        assert view_of(run, "Failover").live_child == ""
        assert run.receipt().inputs[0].delivered == 100
        second_receiver.start()
        wait_for(200, run)
    assert numbers_at(forward_receiver) == list(range(100))
    judge(range(100, 200), numbers_at(second_receiver)).assert_right()


def test_last_takes_exactly_what_no_receiver_takes(
    forward_receiver: Receiver, second_receiver: Receiver, tmp_path: Path
) -> None:
    receivers = [forward_receiver, second_receiver]
    source, failed = in_.Memory(follow=True), tmp_path / "failed.txt"
    outputs = [out.Fluentd("127.0.0.1", receiver.port) for receiver in receivers]
    with running(task(source, failover(*outputs, last=out.File(str(failed)))), grace_s=20) as run:
        source.feed(*[{"n": number} for number in range(100)])
        wait_for(100, run)
        for receiver in receivers:
            receiver.kill()
        source.feed(*[{"n": number} for number in range(100, 200)])
        wait_for(200, run)
        for receiver in receivers:
            receiver.start()
        until(lambda: router_of(run).down == set(), run.snapshot)
        source.feed(*[{"n": number} for number in range(200, 300)])
        wait_for(300, run)
    kept = [json.loads(line)["n"] for line in failed.read_text().splitlines()]
    judge(range(100, 200), kept).assert_right()
    judge([*range(100), *range(200, 300)], numbers_at(forward_receiver)).assert_right()
    assert numbers_at(second_receiver) == []


class Watched(Fluentd):
    """Counts its writes and those that failed, for all its copies."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.counts = {"writes": 0, "failed": 0}

    def fresh(self) -> Self:
        made = super().fresh()
        made.counts = self.counts
        return made

    def write(self, batch: Batch) -> None:
        self.counts["writes"] += 1
        try:
            super().write(batch)
        except OSError:
            self.counts["failed"] += 1
            raise


def test_down_moves_traffic_before_a_write_fails_and_up_brings_it_back(
    forward_receiver: Receiver, second_receiver: Receiver
) -> None:
    first, second = Watched("127.0.0.1", forward_receiver.port), Watched("127.0.0.1", second_receiver.port)
    source = in_.Memory(follow=True)
    with running(task(source, failover(first, second))) as run:
        source.feed({"n": 0})
        forward_receiver.wait_for(1)
        wait_for(1, run)
        forward_receiver.kill()
        noticed_s = until(lambda: "Watched" in router_of(run).down, run.snapshot, 5)
        source.feed({"n": 1})
        second_receiver.wait_for(1)
        forward_receiver.start()
        back_s = until(lambda: "Watched" not in router_of(run).down, run.snapshot, 5)
        source.feed({"n": 2})
        forward_receiver.wait_for(2)
        wait_for(3, run)
    print(f"Down after {noticed_s:.2f} s, Up after {back_s:.2f} s")  # noqa: T201 - a figure worth seeing
    assert (numbers_at(forward_receiver), numbers_at(second_receiver)) == ([0, 2], [1])
    assert first.counts == {"writes": 2, "failed": 0}
    assert second.counts == {"writes": 1, "failed": 0}
