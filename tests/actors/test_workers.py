"""Filters in worker processes, inside a run: the same results in the same order, whatever ends a worker."""

from __future__ import annotations

import gc
import json
import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from swak import in_, out, running, task
from swak.stats import Tally
from tests.faults.flow import Numbers, Pass, Sink
from tests.flows.parts import Gated, Mixed, Valve
from tests.flows.waiting import until, view_of
from tests.oracle import judge
from tests.workers.filters import Deadly, Odd, Pid, Slow, Talking, Unopenable, Unportable

if TYPE_CHECKING:
    from swak.actors.running import Run
    from swak.recipe import Flow
    from swak.stats import StageView


def children() -> list[psutil.Process]:
    """Return the worker processes of this process."""
    return [one for one in psutil.Process().children(recursive=True) if "swak.workers" in " ".join(one.cmdline())]


def summed(views: list[StageView], names: str) -> Tally:
    """Add up the tallies of stages that follow one another, as one stage would count."""
    tallies = [view.tally for view in views if view.stage in names.split("+")]
    whole = Tally()
    whole.into, whole.out = tallies[0].into, tallies[-1].out
    for tally in tallies:
        whole.made += tally.made
        for reason, count in tally.filtered.items():
            whole.filtered[reason] += count
        for reason, count in tally.dead.items():
            whole.dead[reason] += count
    return whole


def letters(run: Run) -> list[tuple[Any, ...]]:
    """Return the dead letters of a run, but for what differs between runs."""
    path = run.receipt().dead_letters
    read = [json.loads(line) for line in (Path(path).read_text() if path else "").splitlines()]
    return [(one["record"], one["tag"], one["stage"], one["reason"]) for one in read]


def outcome(flow: Flow) -> tuple[Run, list[Any]]:
    with running(flow, grace_s=20) as run:
        assert run.wait(20), run.snapshot()
        return run, letters(run)


def test_everything_is_as_without_workers() -> None:
    alone, spread = Sink(), Sink()
    first, wanted = outcome(task(Numbers(1_000), Pass(), Mixed(), alone))
    second, found = outcome(task(Numbers(1_000), Pass(), Mixed(), spread, workers=2))
    assert spread.arrived == alone.arrived
    assert found == wanted
    assert wanted
    whole = summed(list(first.receipt().stages), "Pass+Mixed")
    assert view_of(second, "Pass+Mixed").tally.as_dict() == whole.as_dict()
    assert view_of(second, "Pass+Mixed").tally.dead == whole.dead
    assert view_of(second, "Pass+Mixed").tally.filtered == whole.filtered


def test_results_that_overtake_each_other_wait_for_their_turn() -> None:
    sink = Sink()
    outcome(task(Numbers(200), Slow(), sink, workers=3))
    assert sink.arrived == list(range(200))


def test_several_processes_do_the_work_and_are_gone_afterwards() -> None:
    kept = out.Memory()
    outcome(task(Numbers(1_000), Pid(), kept, workers=2))
    pids = {record["pid"] for record in kept.records}
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert not [pid for pid in pids if psutil.pid_exists(pid)], "ended, and waited for"


def test_values_of_pythons_own_come_back_as_they_are() -> None:
    alone, spread = out.Memory(), out.Memory()
    outcome(task(Numbers(50), Odd(), alone))
    outcome(task(Numbers(50), Odd(), spread, workers=2))
    assert spread.records == alone.records
    assert [one.tag for one in spread.events] == [one.tag for one in alone.events]
    assert [one.time_ns for one in spread.events] == [one.time_ns for one in alone.events]


def test_what_cannot_leave_a_worker_is_a_dead_letter_and_the_rest_goes_on() -> None:
    sink = Sink()
    run, dead = outcome(task(Numbers(30), Unportable(), sink, workers=2))
    assert sink.arrived == [n for n in range(30) if n % 3]
    assert [one[0]["n"] for one in dead] == [n for n in range(30) if n % 3 == 0]
    assert "cannot leave its worker" in dead[0][3]
    assert view_of(run, "Unportable").tally.unaccounted() == 0


def test_what_cannot_go_to_a_worker_is_a_dead_letter_and_the_rest_goes_on() -> None:
    kept = out.Memory()
    given = [{"n": 1}, {"n": 2, "lock": threading.Lock()}, {"n": 3}]
    _, dead = outcome(task(in_.Memory(given), Pass(), kept, workers=1))
    assert kept.records == [{"n": 1}, {"n": 3}]
    assert "cannot go to a worker" in dead[0][3]


@pytest.mark.parametrize("how", ["exit", "kill", "memory"])
def test_the_one_event_that_ends_workers_goes_to_the_dead_letters(how: str) -> None:
    sink = Sink()
    run, dead = outcome(task(Numbers(60, 20), Pass(), Deadly(33, how), sink, workers=2))
    assert sink.arrived == [n for n in range(60) if n != 33]
    assert [(one[0]["n"], one[2], one[3]) for one in dead] == [(33, "Pass", "3 seats ended with this event in hand")]
    assert view_of(run, "Pass+Deadly").restarts == 3
    assert view_of(run, "Pass+Deadly").tally.unaccounted() == 0


def test_the_one_event_that_hangs_goes_to_the_dead_letters() -> None:
    sink = Sink()
    with running(task(Numbers(40, 10), Deadly(17, "hang"), sink, workers=2), hang_after_s=0.5, grace_s=20) as run:
        assert run.wait(30), run.snapshot()
    assert sink.arrived == [n for n in range(40) if n != 17]
    assert view_of(run, "Deadly").tally.dead == {"3 seats ended with this event in hand": 1}
    assert "hangs for 0.5 s" in view_of(run, "Deadly").last_error or view_of(run, "Deadly").errors >= 3


def test_killed_workers_lose_nothing_and_change_no_order() -> None:
    source, sink = Gated(3_000), Sink()
    with running(task(source, Slow(), sink, workers=2), deaths_max=50, grace_s=30) as run:
        source.go.set()
        for kill in range(4):
            kill_one(run, sink, kill)
        assert run.wait(40), run.snapshot()
    judge(range(3_000), sink.arrived).assert_right(duplicates_max=4 * 5)
    assert "was ended by SIGKILL" in view_of(run, "Slow").last_error
    assert not children()


def kill_one(run: Run, sink: Sink, killed: int) -> None:
    """Kill a worker when some more has arrived, and wait until that is seen."""
    until(lambda: len(sink.arrived) > 100 * (killed + 1) and len(children()) == 2, run.snapshot)
    children()[killed % 2].kill()
    until(lambda: view_of(run, "Slow").restarts > killed, run.snapshot)


def test_too_many_deaths_pause_the_task() -> None:
    with running(task(Numbers(10), Unopenable(), Sink(), workers=1), deaths_max=1, fail_fast=True, grace_s=5) as run:
        run.stopped = True
        assert run.wait(20), run.snapshot()
    assert run.receipt().failed == ("task-1",)
    assert "a programming error" in view_of(run, "Unopenable").last_error
    # a seat that died is cleared away beside the run
    until(lambda: not psutil.Process().children(), "no process is left, and no zombie")


def test_a_full_mailbox_behind_the_workers_stops_what_is_in_front() -> None:
    source, valve = Gated(100_000), Valve()
    with running(task(source, Pass(), valve, workers=2), grace_s=5) as run:
        source.go.set()
        blocked = ["Gated", "Pass"]
        until(lambda: [one.stage for one in run.snapshot() if one.state == "blocked"] == blocked, run.snapshot)
        assert view_of(run, "Pass").mailbox_batches <= 16
        run.stop(now=True)
        assert run.wait(10)
    assert not children()


def test_what_is_at_the_workers_counts_against_the_memory_limit(tmp_path: Path) -> None:
    lines = "".join(f"{n} {'x' * 200}\n" for n in range(40_000))
    (tmp_path / "app.log").write_text(lines)
    kept = Sink()
    chain = (
        in_.FileTailing(str(tmp_path / "app.log"), follow=False)
        | out.Regex(r"^(?P<n>\d+) ")
        | out.Convert({"n": "int"})
    )
    with running(task(chain, kept, workers=2), memory_limit=2**20, grace_s=20) as run:
        most = 0
        while not run.wait(0.002):
            most = max(most, run.crew.budget.kept_bytes())
    assert kept.arrived == list(range(40_000))
    assert 256 * 1024 < most < 2**20 + 4 * 2**20, most


def test_a_spool_may_stand_behind_workers(tmp_path: Path) -> None:
    sink = Sink()
    outcome(task(Numbers(500), Pass(), Mixed(), out.DiskBuffer(str(tmp_path / "spool")), Pass(), sink, workers=2))
    alone = Sink()
    outcome(task(Numbers(500), Mixed(), alone))
    assert sink.arrived == alone.arrived


def test_a_fan_out_behind_workers_gives_every_branch_all() -> None:
    first, second = Sink(), Sink()
    outcome(task(Numbers(500), Pass(), [first, Pass() | second], workers=2))
    assert first.arrived == second.arrived == list(range(500))


def test_draining_delivers_what_is_at_the_workers() -> None:
    source, sink = Gated(100_000), Sink()
    with running(task(source, Slow(), sink, workers=2), grace_s=20) as run:
        source.go.set()
        until(lambda: len(sink.arrived) > 20, run.snapshot)
        run.stop()
        assert run.wait(20)
    receipt = run.receipt()
    assert receipt.inputs[0].will_replay == 0
    assert sink.arrived == list(range(receipt.inputs[0].delivered))


def test_a_workers_log_is_the_agents_and_what_it_prints_is_not_standard_output(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO, "swak"):
        outcome(task(Numbers(1), Talking(), Sink(), workers=1))
    spoken = [record for record in caplog.records if record.__dict__.get("swak_event") == "a worker speaks"]
    assert len(spoken) == 1
    assert spoken[0].__dict__["swak_fields"] == {"stage": "task-1/Talking", "plugin": "Talking", "n": 0}
    said = capfd.readouterr()
    assert "printed by a worker" not in said.out
    assert "printed by a worker" in said.err


def test_lines_and_json_go_to_a_file_byte_for_byte(tmp_path: Path) -> None:
    lines = "".join(f"{'INFO' if n % 3 else 'nonsense'} {n} é{'x' * (n % 50)}\n" for n in range(20_000))
    (tmp_path / "app.log").write_text(lines)
    for name, workers in (("alone", 0), ("spread", 2)):
        parser = out.Regex(r"^(?P<level>[A-Z]+) (?P<n>\d+) (?P<text>.*)")
        chain = in_.FileTailing(str(tmp_path / "app.log"), follow=False) | parser | out.Drop("n < 100")
        outcome(task(chain, out.File(str(tmp_path / name)), workers=workers))
    assert (tmp_path / "spread").read_bytes() == (tmp_path / "alone").read_bytes()
    assert (tmp_path / "alone").read_bytes().count(b"\n") > 10_000


def test_many_runs_leave_nothing_behind() -> None:
    def one() -> None:
        sink = Sink()
        outcome(task(Numbers(20), Pass(), sink, workers=2))
        assert sink.arrived == list(range(20))

    one()
    gc.collect()
    threads, descriptors = threading.active_count(), psutil.Process().num_fds()
    for _ in range(8):
        one()
    gc.collect()
    assert threading.active_count() == threads
    assert psutil.Process().num_fds() == descriptors
    assert not psutil.Process().children()
