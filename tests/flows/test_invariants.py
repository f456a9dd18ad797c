"""The invariants that everything rests on, one test each, for `main` and for `task`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from swak import failover, main, running, task
from swak.actors import supervisor
from swak.actors.mailbox import BATCHES_MAX, BYTES_MAX
from swak.actors.messages import Down, Sign
from swak.datadir import DataDir
from swak.testing import Fault, FlakyOutput
from tests.faults.flow import Hold, LateSink, Numbers, Pass, Sink
from tests.flows.parts import Closing, Gated, Mixed, Notary, Picky, StumblingHold, Thirds, Valve
from tests.flows.waiting import Sampler, until, view_of
from tests.oracle import judge

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from swak.actors.running import Run
    from swak.recipe import Flow
    from swak.stats import StageView

    Kind = Callable[..., Flow]

both = pytest.mark.parametrize("flow", [task, main], ids=["task", "main"])


def full(run: Run) -> bool:
    """Whether everything above the outputs waits for room."""
    return view_of(run, "Numbers").state == "blocked" and view_of(run, "Pass").state == "blocked"


def too_much(view: StageView) -> str:
    within = view.mailbox_batches <= BATCHES_MAX and (view.mailbox_bytes <= BYTES_MAX or view.mailbox_batches == 1)
    return "" if within else f"{view.mailbox_batches} batches, {view.mailbox_bytes} bytes"


@both
@pytest.mark.parametrize(
    ("count", "size", "in_flight_max"),
    [(2_000, 5, 2 * BATCHES_MAX + 1), (30_000, 1_000, 2 * 4 + 1)],
    ids=["batches", "bytes"],
)
def test_data_flows_down_and_waits(flow: Kind, count: int, size: int, in_flight_max: int) -> None:
    sink = Valve(pause_s=0.001)
    with running(flow(Numbers(count, size=size), Pass(), sink)) as run, Sampler(run, too_much) as sampler:
        until(lambda: full(run), run.snapshot)
        read = run.crew.posts[0].mailbox.tally.out
        assert read <= in_flight_max * size
        looked = sampler.samples
        until(lambda: sampler.samples > looked + 50, "50 looks")
        assert (run.crew.posts[0].mailbox.tally.out, sink.arrived) == (read, []), "it did not wait"
        sink.is_open.set()
        assert run.wait(30), run.snapshot()
    sampler.assert_right()
    judge(range(count), sink.arrived).assert_right()


@both
def test_control_flows_any_way_and_never_waits(flow: Kind) -> None:
    first, second = Valve(), Valve()
    with running(flow(Numbers(2_000), Pass(), failover(first, second))) as run:
        until(lambda: full(run), run.snapshot)
        router = next(post for post in run.crew.posts if post.stage.kind == "failover")
        until(lambda: router.down == {"Valve", "Valve-2"}, lambda: router.down)
        began = time.monotonic()
        assert {view.state for view in run.snapshot()} >= {"blocked", "retrying"}
        assert time.monotonic() - began < 1
        for post in run.crew.posts:
            post.mailbox.tell(Sign.WAKE)
        router.mailbox.tell(Down("Valve-3"))
        until(lambda: not any(post.mailbox._control for post in run.crew.posts), "every seat has heard", 5)
        assert "Valve-3" in router.down
        assert full(run)
        run.stop()
        source = run.crew.posts[0]
        until(lambda: source.draining and not source.mailbox._control, "the input has heard that it stops", 5)
        assert full(run)
        assert not first.arrived + second.arrived
        second.is_open.set()  # Up has to reach the router past all that waits there
        assert run.wait(20), run.snapshot()
    (receipt,) = run.receipt().inputs
    assert (receipt.will_replay, receipt.lost, first.arrived) == (0, 0, [])
    judge(range(receipt.delivered), second.arrived).assert_right()


@both
@pytest.mark.parametrize("late", [False, True], ids=["written", "synced"])
def test_acks_come_late(flow: Kind, late: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "CHECKPOINT_S", 0.0)
    monkeypatch.setattr(supervisor, "TICK_S", 0.005)
    data_dir = DataDir.resolve(str(tmp_path))
    checkpoint = data_dir.checkpoint("flow")
    assert checkpoint is not None
    outputs = [Notary(late), Notary(late)]
    positions: dict[str, list[int]] = {"in memory": [], "on disk": []}
    early: list[str] = []

    def look() -> None:
        on_disk = checkpoint.load().get("Numbers", {})
        in_memory = run.crew.posts[0].sources
        assert in_memory is not None
        for where, held in (("on disk", on_disk), ("in memory", in_memory.settled())):
            position = held.get("", 0)
            positions[where].append(position)
            safe = min(len(output.arrived) for output in outputs)
            if len([number for number in range(position) if number % 3]) > safe:
                early.append(f"{where}: {position} is settled, {safe} events are safe")

    with running(flow(Numbers(10**6), Thirds(), Hold(), list(outputs), name="flow"), data_dir=data_dir) as run:
        for output in outputs:
            output.look.append(look)
        until(lambda: len(set(positions["on disk"])) > 3 and len(set(positions["in memory"])) > 50, run.snapshot)
        run.stop()
        assert run.wait(30), run.snapshot()
    assert not early, early[:5]
    read = run.receipt().inputs[0].delivered
    assert checkpoint.load() == {"Numbers": {"": read}}
    for output in outputs:
        judge([number for number in range(read) if number % 3], output.arrived).assert_right()


@both
def test_the_seat_outlives_the_plugin_and_the_mailbox_the_seat(flow: Kind) -> None:
    hang = Fault(hang=True, swallow=True, at=20)  # let go, it claims that it has written everything
    sink = FlakyOutput([Fault(RuntimeError, at=10), hang])
    source = Gated(500)
    with running(flow(source, Pass(), StumblingHold(at=100), sink), hang_after_s=0.3) as run:
        posts = run.crew.posts
        mailboxes, seats = [post.mailbox for post in posts], [post.seat for post in posts]
        source.go.set()
        sink.wait_until_it_hangs()
        assert posts[3].seat is seats[3], "an exception replaces the plugin, not the seat"
        assert sink.opens == 2
        head = posts[3].mailbox.head()
        assert head is not None
        delivered, claimed = len(sink.batches), head.batch.events()
        assert run.wait(20), run.snapshot()
        assert [post.mailbox for post in posts] == mailboxes
        assert [post.seat is seat for post, seat in zip(posts, seats, strict=True)] == [True, True, False, False]
        assert [post.restarts for post in posts] == [0, 0, 1, 1]
    again = [event for batch in sink.batches[delivered:] for event in batch][: len(claimed)]
    assert again == claimed, "the successor finds the same letter at the head"
    assert run.receipt().inputs[0].delivered == 500
    # At most a flush of the buffer comes twice, joined of sevens and fives; no write of the output was delivered twice.
    judge(range(500), [record["n"] for record in sink.records]).assert_right(duplicates_max=7 + 4)


@both
def test_draining_is_stopping_in_flow_order(flow: Kind) -> None:
    class Source(Closing, Numbers):
        """First."""

    class Middle(Closing, Pass):
        """Second."""

    class Store(Closing, Hold):
        """Third; seven at a time, so that something is always held."""

    class End(Closing, Valve):
        """Last."""

    order: list[str] = []
    Closing.order = order
    ends = [End(), End(), End()]
    recipe = flow(Source(10**6), Middle(), Store(), [ends[0], failover(ends[1], last=ends[2])])
    with running(recipe, grace_s=20) as run:
        until(lambda: [view.state for view in run.snapshot()[:3]] == ["blocked"] * 3, run.snapshot)
        run.stop()
        until(lambda: run.crew.posts[0].draining, "it is told to stop")
        assert set(order) <= {"End"}, "what is full waits"
        order.clear()  # outputs that are down close and open again
        for end in ends:
            end.is_open.set()
        assert run.wait(20), run.snapshot()
    assert [name for name in order if name != "End"] == ["Source", "Middle", "Store"]
    assert order[-3:] == ["End"] * 3
    (receipt,) = run.receipt().inputs
    assert (receipt.will_replay, receipt.lost) == (0, 0)
    judge(range(receipt.delivered), ends[0].arrived).assert_right()
    judge(range(receipt.delivered), ends[1].arrived + ends[2].arrived, ordered=False).assert_right()


def unbalanced(view: StageView) -> str:
    return (
        ""
        if not view.tally.unaccounted()
        else f"{view.tally.unaccounted()} too many or too few: {view.tally.as_dict()}"
    )


@both
def test_every_event_is_accounted_for(flow: Kind) -> None:
    count = 8_000
    first, second, last = LateSink(), Picky(), Sink()
    routes: dict[str, Any] = {"t0": first, "t1": failover(second, last=last)}
    with running(flow(Numbers(count, size=10), Mixed(), StumblingHold(at=1_001), routes)) as run:
        with Sampler(run, unbalanced) as sampler:
            assert run.wait(30), run.snapshot()
        receipt = run.receipt()
    sampler.assert_right()
    assert [view.stage for view in receipt.stages if view.tally.unaccounted()] == []
    tallies = {view.stage: view.tally for view in receipt.stages}
    kinds = [kind_of(number) for number in range(count)]
    assert tallies["Mixed"].filtered.total() == kinds.count("dropped")
    assert tallies["Mixed"].made == kinds.count("doubled")
    assert tallies["Mixed"].dead == {"thirteen": kinds.count("refused"), "ValueError: seventeen": kinds.count("raised")}
    assert all(tally.held == 0 for tally in tallies.values())
    repeated = tallies["StumblingHold"].into - tallies["Mixed"].out  # what the seat that died had passed on in part
    assert 0 <= repeated <= 7 + 9
    assert tallies["ByTag"].into == tallies["StumblingHold"].out == tallies["StumblingHold"].into
    assert 0 <= tallies["ByTag"].dead["no route"] - kinds.count("nowhere") <= repeated
    assert tallies["ByTag"].out == tallies["LateSink"].into + tallies["Failover"].into
    assert tallies["Failover"].out == tallies["Picky"].into + tallies["Sink"].into
    passed = [number for number, kind in enumerate(kinds) if kind in {"passed", "doubled"}]
    arrived = first.arrived + second.arrived + last.arrived
    judge(passed, arrived, ordered=False).assert_right(duplicates_max=kinds.count("doubled") + repeated)
    assert receipt.inputs[0].delivered == count


def kind_of(number: int) -> str:
    names = {5: "dropped", 7: "doubled", 11: "nowhere", 13: "refused", 17: "raised"}
    return next((name for divisor, name in names.items() if number % divisor == 0), "passed")
