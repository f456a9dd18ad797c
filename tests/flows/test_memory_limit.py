"""A limit on memory, turn by turn: inputs wait, everything else goes on, and nobody sleeps when there is room again.

SWAK_LONG=1 tries ten times as many schedules.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import pytest

from swak import failover, main, out
from swak.actors.input import InputSeat
from swak.holding import HoldingBuffer
from tests.actors.stepping import Relaying as Stepping
from tests.faults.flow import Pass, Sink, Told
from tests.flows.parts import Bulky, Endless, Valve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from swak.actors.post import Post
    from swak.recipe import Flow

MIB = 1024 * 1024
LONG = os.environ.get("SWAK_LONG") == "1"
SCHEDULES = 10_000 if LONG else 1_000
TURNS = 120
"""Turns of random stages while outputs go down and come back."""
BACK_S = 0.7
"""By then an output that is back has been probed."""


class Stay(HoldingBuffer):
    """Holds events for five minutes, as many and as large as they are."""

    hold_s = 300.0
    hold_bytes = 1 << 40


def kept_bytes(flow: Stepping) -> int:
    return flow.crew.budget.kept_bytes()


def test_an_input_waits_at_the_limit_and_the_snapshot_tells_why() -> None:
    valve = Valve()
    with Stepping(main(Endless(400), Pass(), valve), memory_limit=2 * MIB) as flow:
        flow.settle_down()
        view = flow.post("Endless").view({})
        assert (view.state, view.memory) == ("blocked", "waits for room below the memory limit")
        assert MIB < kept_bytes(flow) <= 2 * MIB + 400 * 1024, "and what was let in, which is there already"


def test_when_the_output_is_back_everything_flows_at_once() -> None:
    valve = Valve()
    with Stepping(main(Endless(400), Pass(), valve), memory_limit=MIB) as flow:
        flow.settle_down()
        valve.is_open.set()
        flow.clock.advance(BACK_S)
        flow.settle_down()
        assert valve.arrived == list(range(400))
        view = flow.post("Endless").view({})
        assert (view.state, view.memory) == ("running", "")
        assert kept_bytes(flow) == 0


@pytest.mark.parametrize("buffer", [out.TimedBuffer("5M"), out.SizedBuffer(10_000), Stay()], ids=lambda one: one.name)
def test_a_buffer_lets_go_early_when_its_input_waits_for_memory(buffer: HoldingBuffer) -> None:
    sink = Sink()
    with Stepping(main(Endless(400), buffer, sink), memory_limit=MIB) as flow:
        flow.settle_down()
        assert sink.arrived == list(range(len(sink.arrived))), "in order"
        assert len(sink.arrived) > 380, "only what fits below the limit is held"
        post = flow.post(buffer.name)
        assert post.view({}).memory.startswith("released ")
        assert post.mailbox.levels().tally.unaccounted() == 0
        sources = flow.post("Endless").sources
        assert sources is not None
        assert sources.counts() == (400, len(sink.arrived)), "what is still held is not settled"


def test_a_buffer_that_nobody_waits_for_keeps_its_time() -> None:
    sink = Sink()
    with Stepping(main(Endless(10), Stay(), sink), memory_limit=2 * MIB) as flow:
        flow.settle_down()
        assert sink.arrived == []


def test_what_an_output_has_pending_is_synced_when_its_input_waits() -> None:
    told = Told()
    told.says["pending"] = True  # and it never asks for a sync itself
    with Stepping(main(Endless(400), told), memory_limit=MIB) as flow:
        flow.settle_down()
        assert told.arrived == list(range(400))


def test_a_batch_above_the_limit_enters_when_nothing_else_is_held() -> None:
    sink = Sink()
    with Stepping(main(Bulky(50, claims=3 * MIB), out.TimedBuffer("5M"), sink), memory_limit=MIB) as flow:
        flow.settle_down()
        assert sink.arrived == list(range(50))


def test_a_dead_output_leaves_the_other_task_memory_to_go_on() -> None:
    dead, sink = Valve(), Sink()
    greedy, other = main(Endless(400), dead, name="greedy"), main(Bulky(400, claims=200 * 1024), sink, name="other")
    with Stepping(greedy, other, memory_limit=2 * MIB) as flow:
        flow.settle_down()
        assert sink.arrived == list(range(400))


def test_what_a_replaced_seat_held_counts_for_its_successor_and_not_twice() -> None:
    valve = Valve()
    with Stepping(main(Endless(400), Stay(), valve), memory_limit=2 * MIB) as flow:
        flow.settle_down()
        before = kept_bytes(flow)
        for post in flow.crew.posts:
            replace(flow, post)
            flow.settle_down()
        assert kept_bytes(flow) <= before + 400 * 1024
        valve.is_open.set()
        flow.clock.advance(BACK_S)
        flow.settle_down()
        assert set(valve.arrived) >= set(range(380))


def test_an_input_that_is_replaced_while_it_waits_and_then_drained_waits_for_nothing() -> None:
    with Stepping(main(Endless(400), Valve()), memory_limit=MIB) as flow:
        flow.settle_down()
        post = flow.post("Endless")
        assert post.share.waits
        post.draining = True
        replace(flow, post)
        flow.settle_down()
        assert (post.share.waits, post.share.entering_bytes, post.lease.over) == (False, 0, True)


def test_a_spool_keeps_less_in_memory_below_a_limit(tmp_path: Path) -> None:
    spool = out.DiskBuffer(str(tmp_path))
    with Stepping(main(Bulky(1), spool, Sink()), memory_limit=4 * MIB) as flow:
        writer = flow.post("DiskBuffer").lease.plugin
        assert writer is not None
        assert writer.keeps_bytes == flow.crew.budget.kept_bytes() == MIB // 2


def test_closed_mailboxes_give_their_bytes_back() -> None:
    with Stepping(main(Endless(400), Valve()), memory_limit=MIB) as flow:
        flow.settle_down()
        for post in flow.crew.posts:
            post.mailbox.close()
        assert sum(post.mailbox.kept_bytes for post in flow.crew.posts) == 0


# A simulation: many small flows, many orders of turns

LASTS: list[Callable[[list[Valve], Path], Any]] = [
    lambda valves, _: valves[0],
    lambda valves, _: [valves[0], valves[1]],
    lambda valves, _: failover(valves[0], valves[1]),
    lambda valves, _: failover(valves[0], last=valves[1]),
    lambda valves, _: [Stay() | valves[0], valves[1]],
    lambda valves, _: {"t0": valves[0], "t1": valves[1]},
]
SPOOLED: list[Callable[[list[Valve], Path], Any]] = [
    lambda valves, folder: out.DiskBuffer(str(folder), max_size="1MiB", fsync=None) | valves[0],
    lambda valves, folder: [out.DiskBuffer(str(folder), max_size="1MiB", fsync="50ms") | Pass() | valves[0], valves[1]],
]
MIDDLES: list[Callable[[], list[Any]]] = [
    list,
    lambda: [Pass()],
    lambda: [Stay()],
    lambda: [Pass(), out.SizedBuffer(70), Pass()],
    lambda: [Stay(), Stay()],
]


def replace(flow: Stepping, post: Post) -> None:
    """Give the seat to a successor, as the supervisor does."""
    lease = post.lease
    if lease.over:
        return
    flow.crew.revoke(post, lease)
    if lease.plugin is not None:
        lease.plugin.close()
    flow.crew.seat(post, inherit_from=lease)


def step(post: Post) -> bool:
    seat = post.seat
    assert seat is not None
    if isinstance(seat, InputSeat):
        seat.longest_wait_s = 0.0
    return not seat.lease.over and seat.step()


def round_of_all(flow: Stepping, count: int) -> None:
    for _ in range(count):
        moved = [step(post) for post in reversed(flow.crew.posts)]
        flow.relay()
        if not any(moved):
            return


def upset(flow: Stepping, rng: random.Random, valves: list[Valve], *, deaths: bool) -> None:
    """Take turns at random stages while outputs go down and come back, time passes, and seats are replaced."""
    for _ in range(TURNS):
        chance = rng.random()
        if chance < 0.05:
            valve = rng.choice(valves)
            valve.is_open.clear() if valve.is_open.is_set() else valve.is_open.set()
        elif chance < 0.08:
            flow.clock.advance(rng.uniform(0, 0.4))
        elif chance < 0.09 and deaths:
            replace(flow, rng.choice(flow.crew.posts))
        else:
            step(rng.choice(flow.crew.posts))
        if rng.random() < 0.2:
            flow.relay()


def simulate(seed: int, last: Callable[[list[Valve], Path], Any], folder: Path, text: int = 0) -> None:
    rng = random.Random(seed)
    valves = [Valve(), Valve()]
    count = rng.randint(50, 250)
    sizes = [rng.choice([50, 300, 700, 3_000]) * 1024 for _ in range(2)]
    source = Bulky(count, claims=sizes[0], text=text)
    flows: list[Flow] = [main(source, *rng.choice(MIDDLES)(), last(valves, folder), name="a")]
    beside = Sink()
    if rng.random() < 0.5:
        flows.append(main(Bulky(count, claims=sizes[1]), *rng.choice(MIDDLES)(), beside, name="b"))
    with Stepping(*flows, memory_limit=4 * MIB) as flow:
        upset(flow, rng, valves, deaths=rng.random() < 0.5)
        for valve in valves:
            valve.is_open.set()
        assert_all_comes(flow, seed)
    arrived = set(valves[0].arrived) | set(valves[1].arrived)
    assert arrived == set(range(count)), seed
    assert len(flows) == 1 or set(beside.arrived) == set(range(count)), seed


def assert_all_comes(flow: Stepping, seed: int) -> None:
    """Now that everything is up: each time that an output may be probed again, events settle, until all have."""
    for _ in range(200):
        before = settled(flow)
        for _ in range(6):
            flow.clock.advance(BACK_S / 6)
            round_of_all(flow, 400)
        if all(post.lease.over for post in flow.crew.posts):
            assert kept_bytes(flow) == flow.crew.budget._own_bytes, seed
            assert not any(post.share.waits for post in flow.crew.posts), seed
            return
        stuck = [(post.name, post.state, post.mailbox.blocked, post.mailbox.kept_bytes) for post in flow.crew.posts]
        assert settled(flow) > before, f"schedule {seed} stands still: {stuck}"
    raise AssertionError(f"schedule {seed} never ends")


def settled(flow: Stepping) -> int:
    """Return a number that grows whenever events get on, or a seat ends."""
    posts = flow.crew.posts
    return sum(post.sources.counts()[1] for post in posts if post.sources) + sum(post.lease.over for post in posts)


@pytest.mark.parametrize("last", range(len(LASTS)))
def test_in_no_order_of_turns_is_anybody_left_asleep(last: int, tmp_path: Path) -> None:
    for seed in range(SCHEDULES // len(LASTS)):
        simulate(seed * len(LASTS) + last, LASTS[last], tmp_path)


@pytest.mark.parametrize("last", range(len(SPOOLED)))
def test_in_no_order_of_turns_does_a_full_spool_wait_for_its_own_reader(last: int, tmp_path: Path) -> None:
    for seed in range(SCHEDULES // 40):
        simulate(10_000 + seed, SPOOLED[last], tmp_path / str(seed), text=12_000)
