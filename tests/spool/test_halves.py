"""Both ends of a spool in runs: what flows, what waits, and what a restart finds."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Self

import pytest

from swak import Batch, Event, Filter, Output, Retry, in_, option, out, running, task
from swak.datadir import DataDir
from swak.event import EVENTS_MAX
from swak.spool.bodies import to_bytes
from swak.spool.halves import CROWD
from swak.spool.places import place_of
from swak.spool.spool import Spool
from swak.testing import FlakyOutput, Recorder, batch_of, event
from tests.flows.waiting import until, view_of

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 3_000
LOTS = 12_000


class Fat(Filter):
    """Make every event 2 kB: a batch is 2 MB then."""

    def process(self, event: Event) -> Event:
        return event.replace(record={**event.record, "fat": "x" * 2_000})


class Odd(Filter):
    """Give one event a value that no spool carries."""

    def process(self, event: Event) -> Event:
        return event.replace(record={"n": event.record["f1"], "odd": 2**70 if event.record["f1"] == 7 else 0})


def numbers(recorder: Recorder) -> list[Any]:
    return [record.get("f1", record.get("n")) for record in recorder.records]


def test_everything_passes_in_order(tmp_path: Path) -> None:
    recorder = Recorder()
    with running(task(in_.Counter(COUNT), out.DiskBuffer(str(tmp_path)), recorder)) as run:
        assert run.wait(20)
    assert numbers(recorder) == list(range(1, COUNT + 1))


def test_a_spool_that_is_empty_for_a_while_ends_no_run(tmp_path: Path) -> None:
    recorder = Recorder()
    flow = task(in_.Counter(3, rate="1/s"), out.DiskBuffer(str(tmp_path), fsync="1ms"), recorder)
    with running(flow, once=True) as run:
        assert run.wait(20)
    assert numbers(recorder) == [1, 2, 3]


def test_a_dead_branch_holds_up_no_other(tmp_path: Path) -> None:
    dead, alive = FlakyOutput(), Recorder()
    dead.down()
    with running(task(in_.Counter(COUNT), [out.DiskBuffer(str(tmp_path)) | dead, alive])):
        alive.wait_for(COUNT)
        assert dead.records == []
        dead.up()
        dead.wait_for(COUNT)
    assert numbers(dead) == numbers(alive) == list(range(1, COUNT + 1))


def test_what_a_run_left_in_the_spool_the_next_one_sends(tmp_path: Path) -> None:
    dead = FlakyOutput()
    dead.down()
    with running(task(in_.Counter(COUNT), out.DiskBuffer(str(tmp_path)), dead)) as run:
        until(lambda: run.receipt().inputs[0].delivered == COUNT, "everything is on disk")
        run.stop()
    alive = Recorder()
    with running(task(in_.Memory([]), out.DiskBuffer(str(tmp_path)), alive)):
        alive.wait_for(COUNT)
    assert numbers(alive) == list(range(1, COUNT + 1))


def test_many_small_batches_that_wait_go_on_as_few(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=1 << 30)
    spool.open()
    for number in range(1, 10 * CROWD + 1):
        spool.append(to_bytes(batch_of([event({"f1": number})])), 1)
    spool.sync()
    spool.close()
    alive = Recorder()
    with running(task(in_.Memory([]), out.DiskBuffer(str(tmp_path)), alive)):
        alive.wait_for(10 * CROWD)
    assert numbers(alive) == list(range(1, 10 * CROWD + 1))
    assert len(alive.batches) == 9 + CROWD, "the last ones come one by one"


def test_a_full_spool_holds_up_what_is_in_front_and_loses_nothing(tmp_path: Path) -> None:
    dead = FlakyOutput()
    dead.down()
    spool = out.DiskBuffer(str(tmp_path), max_size="8MiB")
    with running(task(in_.Counter(LOTS), Fat(), spool, dead)) as run:
        until(lambda: "the spool is full" in str([view.last_error for view in run.snapshot()]), "it is full")
        dead.up()
        dead.wait_for(LOTS)
    assert numbers(dead) == list(range(1, LOTS + 1))


def test_the_oldest_events_of_a_full_spool_are_dropped_and_counted(tmp_path: Path) -> None:
    dead = FlakyOutput()
    dead.down()
    spool = out.DiskBuffer(str(tmp_path), max_size="8MiB", when_full="drop_oldest")
    with running(task(in_.Counter(LOTS), Fat(), spool, dead)) as run:
        until(lambda: run.receipt().inputs[0].delivered == LOTS, "the input is done")
        dead.up()
        until(lambda: LOTS in numbers(dead), "the newest one has arrived")
        notes = run.receipt().inputs[1].notes
    came = numbers(dead)
    assert came == sorted(came)
    assert notes == f"{LOTS - len(came)} events dropped"


def test_what_does_not_fit_goes_to_the_dead_letters(tmp_path: Path) -> None:
    dead = FlakyOutput()
    dead.down()
    spool = out.DiskBuffer(str(tmp_path), max_size="8MiB", when_full="overflow")
    with running(task(in_.Counter(LOTS), Fat(), spool, dead)) as run:
        until(lambda: run.receipt().inputs[0].delivered == LOTS, "the input is done")
        dead.up()
        until(lambda: len(dead.records) + buried(run) == LOTS, "each is somewhere")
    assert buried(run) > 0


def buried(run: Any) -> int:
    return sum(view.tally.dead.total() for view in run.snapshot())


def test_an_event_that_cannot_be_carried_is_a_dead_letter_and_the_others_pass(tmp_path: Path) -> None:
    recorder = Recorder()
    with running(task(in_.Counter(20), Odd(), out.DiskBuffer(str(tmp_path)), recorder)) as run:
        recorder.wait_for(19)
        assert run.wait(20)
    assert numbers(recorder) == [n for n in range(1, 21) if n != 7]
    assert buried(run) == 1


def test_two_runs_cannot_use_one_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=1 << 20)
    spool.open()
    recorder = Recorder()
    with running(task(in_.Counter(10), out.DiskBuffer(str(tmp_path)), recorder)) as run:
        until(lambda: "another" in str([view.last_error for view in run.snapshot()]), "it says so")
        spool.close()
        recorder.wait_for(10)


@pytest.mark.parametrize("fsync", [None, "1ms"])
def test_both_ends_may_be_replaced(tmp_path: Path, fsync: str | None) -> None:
    recorder = Recorder()
    with running(task(in_.Counter(COUNT, rate="20000/s"), out.DiskBuffer(str(tmp_path), fsync=fsync), recorder)) as run:
        for number in range(4):
            post = next(
                post for post in run.crew.posts if post.name.endswith(("DiskBuffer", "DiskBuffer.out")[number % 2])
            )
            run.supervisor.replace(post, "a test wants it")
            recorder.wait_for(500 * (number + 1))
        until(lambda: COUNT in numbers(recorder), "the last one has arrived")
    assert sorted(set(numbers(recorder))) == list(range(1, COUNT + 1))


class Lines(Output):
    """Note the lines of each batch and its place; after so many batches be down."""

    batches_max: int = option("Batches to take.", default=100)

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.got: list[tuple[str, list[str]]] = []

    def write(self, batch: Batch) -> None:
        if len(self.got) >= self.batches_max:
            raise Retry("enough")
        self.got.append((place_of(batch.ack), [record["message"] for record in batch.body.records()]))

    def fresh(self) -> Self:
        made = super().fresh()
        made.got = self.got
        return made


def spooled_lines(folder: Path, lines: Lines) -> Any:
    path = folder / "app.log"
    return task(in_.FileTailing(str(path)), out.DiskBuffer(str(folder / "spool"), fsync="1ms"), lines, name="t")


def test_lines_come_in_pieces_that_a_parser_takes_whole_and_each_has_a_place(tmp_path: Path) -> None:
    count = 2 * EVENTS_MAX + 500
    (tmp_path / "app.log").write_text("".join(f"{n}\n" for n in range(count)))
    lines = Lines()
    with running(spooled_lines(tmp_path, lines), once=True) as run:
        assert run.wait(20)
    assert [int(line) for _, got in lines.got for line in got] == list(range(count))
    assert [len(got) for _, got in lines.got] == [EVENTS_MAX, EVENTS_MAX, 500]
    assert len({place for place, _ in lines.got}) == 3


@pytest.mark.parametrize("taken", [0, 1, 2, 3])
def test_a_restart_goes_on_between_the_pieces_of_a_frame_and_their_places_stay(tmp_path: Path, taken: int) -> None:
    count = 2 * EVENTS_MAX + 500
    (tmp_path / "app.log").write_text("".join(f"{n}\n" for n in range(count)))
    first, second, whole = Lines(taken), Lines(), Lines()
    data_dir = str(tmp_path / "data")
    with running(spooled_lines(tmp_path, first), data_dir=DataDir.resolve(data_dir)) as run:
        until(lambda: len(first.got) == taken and view_of(run, "Lines").mailbox_batches == 3 - taken, "it comes")
        until(lambda: run.receipt().inputs[0].delivered == count, "everything is on disk")
        run.stop()
    with running(spooled_lines(tmp_path, second), data_dir=DataDir.resolve(data_dir), once=True) as run:
        assert run.wait(20)
    assert [int(line) for _, got in first.got + second.got for line in got] == list(range(count))
    (tmp_path / "whole").mkdir()
    (tmp_path / "app.log").rename(tmp_path / "whole" / "app.log")
    with running(spooled_lines(tmp_path / "whole", whole), once=True) as run:
        assert run.wait(20)
    ends = [place.partition(" ")[2] for place, _ in whole.got]
    assert [place.partition(" ")[2] for place, _ in first.got + second.got] == ends


def test_a_place_between_two_pieces_says_nothing_of_a_new_spool(tmp_path: Path) -> None:
    count = 2 * EVENTS_MAX + 500
    path, first, second = tmp_path / "app.log", Lines(1), Lines()
    data_dir = DataDir.resolve(str(tmp_path / "data"))
    path.write_text("old\n" * count)
    with running(spooled_lines(tmp_path, first), data_dir=data_dir) as run:
        until(lambda: len(first.got) == 1 and run.receipt().inputs[0].delivered == count, "a part was sent")
        run.stop()
    shutil.rmtree(tmp_path / "spool")
    with path.open("a") as log:
        log.writelines(f"{n}\n" for n in range(count))
    with running(spooled_lines(tmp_path, second), data_dir=data_dir, once=True) as run:
        assert run.wait(20)
    assert [int(line) for _, got in second.got for line in got] == list(range(count))
