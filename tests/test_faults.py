from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from swak.errors import Refused, Retry
from swak.faults import Fault, FlakyOutput, Recorder
from swak.plugin import Output, Pending
from swak.testing import batch_of, event

if TYPE_CHECKING:
    from swak.event import Batch


def batch(*numbers: int) -> Batch:
    return batch_of([event({"n": number}) for number in numbers])


def numbers(output: Recorder) -> list[int]:
    return [record["n"] for record in output.records]


def test_a_recorder_keeps_what_it_is_given_in_order() -> None:
    recorder = Recorder()
    recorder.open()
    recorder.write(batch(1, 2))
    recorder.write(batch(3))
    recorder.close()
    assert [[one.record["n"] for one in part] for part in recorder.batches] == [[1, 2], [3]]
    assert (numbers(recorder), recorder.opens, recorder.writes, recorder.closes) == ([1, 2, 3], 1, 2, 1)


@pytest.mark.parametrize("kind", [Recorder, FlakyOutput])
def test_copies_share_the_record(kind: type[Recorder]) -> None:
    output = kind()
    first, second = output.fresh(), output.fresh().fresh()
    first.write(batch(1))
    second.write(batch(2))
    assert numbers(output) == numbers(second) == [1, 2]
    assert kind().records == []


def test_waiting_ends_when_enough_has_come() -> None:
    recorder = Recorder()
    writer = threading.Thread(target=lambda: [recorder.fresh().write(batch(n)) for n in range(3)])
    writer.start()
    assert len(recorder.wait_for(3)) == 3
    writer.join(10)


def test_waiting_in_vain_fails_with_what_there_is() -> None:
    recorder = Recorder()
    recorder.write(batch(1))
    with pytest.raises(AssertionError, match=r"2 events: not within 0\.01 s; 1 events were delivered"):
        recorder.wait_for(2, timeout_s=0.01)


def test_many_threads_may_write() -> None:
    recorder = Recorder()
    writers = [threading.Thread(target=lambda: [recorder.write(batch(n)) for n in range(200)]) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(10)
    assert (len(recorder.records), recorder.writes) == (800, 800)


def test_without_faults_it_records() -> None:
    output = FlakyOutput()
    assert output.write(batch(1)) is None
    assert numbers(output) == [1]


def test_the_numbered_write_fails_and_the_next_does_not() -> None:
    output = FlakyOutput([Fault(OSError, at=2)])
    output.write(batch(1))
    with pytest.raises(OSError):  # noqa: PT011 - just that
        output.fresh().write(batch(2))
    output.fresh().write(batch(2))
    assert numbers(output) == [1, 2]


def test_any_exception_can_be_raised() -> None:
    output = FlakyOutput([Fault(lambda: Retry("later", 0.5)), Fault(SystemExit), Fault(MemoryError)])
    with pytest.raises(Retry) as caught:
        output.write(batch(1))
    assert caught.value.after_s == 0.5
    with pytest.raises(SystemExit):
        output.write(batch(1))
    with pytest.raises(MemoryError):
        output.write(batch(1))
    assert output.write(batch(1)) is None


def test_a_write_can_fail_after_it_delivered() -> None:
    output = FlakyOutput([Fault(OSError, delivered=True)])
    with pytest.raises(OSError):  # noqa: PT011 - just that
        output.write(batch(1))
    output.write(batch(1))
    assert numbers(output) == [1, 1]


def test_a_poisoned_event_fails_every_batch_that_holds_it() -> None:
    output = FlakyOutput([Fault(ValueError, when=lambda record: record["n"] == 2, times=None)])
    for poisoned in (batch(1, 2, 3), batch(2)):
        with pytest.raises(ValueError, match=r"^$"):
            output.write(poisoned)
    output.write(batch(1, 3))
    assert numbers(output) == [1, 3]


def test_a_fault_happens_as_often_as_it_says() -> None:
    output = FlakyOutput([Fault(OSError, times=3)])
    for _ in range(3):
        with pytest.raises(OSError):  # noqa: PT011 - just that
            output.write(batch(1))
    output.write(batch(1))


def test_faults_can_be_added_on_the_way() -> None:
    output = FlakyOutput()
    running = output.fresh()
    output.fail(Fault(OSError))
    with pytest.raises(OSError):  # noqa: PT011 - just that
        running.write(batch(1))


def test_refused_events_are_named_and_the_rest_is_delivered() -> None:
    output = FlakyOutput(refuse=lambda record: record["n"] % 2 == 0)
    with pytest.raises(Refused) as caught:
        output.write(batch(1, 2, 3, 4))
    assert [one.record["n"] for one in caught.value.events] == [2, 4]
    assert numbers(output) == [1, 3]


def test_pending_writes_are_delivered_by_sync() -> None:
    output = FlakyOutput(pending=True)
    assert output.write(batch(1)) is Pending
    assert output.write(batch(2)) is Pending
    assert numbers(output) == []
    output.sync()
    assert (numbers(output), output.syncs) == ([1, 2], 1)


def test_a_sync_can_fail_and_be_repeated() -> None:
    output = FlakyOutput(pending=True, syncing=[OSError("disk"), None])
    output.write(batch(1))
    with pytest.raises(OSError, match="disk"):
        output.sync()
    output.sync()
    assert numbers(output) == [1]


@pytest.mark.parametrize("inherits", [True, False])
def test_what_is_pending_is_inherited_or_lost(inherits: bool) -> None:
    output = FlakyOutput(pending=True, inherits=inherits)
    old, successor = output.fresh(), output.fresh()
    old.write(batch(1))
    assert successor.inherit(old) is inherits
    successor.sync()
    assert numbers(output) == ([1] if inherits else [])


def test_nothing_is_inherited_from_a_stranger() -> None:
    assert not FlakyOutput(inherits=True).inherit(Output())


def test_opening_can_fail_as_often_as_scripted() -> None:
    output = FlakyOutput(opening=[OSError("port"), None, RuntimeError("bug")])
    with pytest.raises(OSError, match="port"):
        output.open()
    output.fresh().open()
    with pytest.raises(RuntimeError, match="bug"):
        output.fresh().open()
    output.open()
    assert output.opens == 4


def test_while_it_is_down_everything_is_refused_and_probe_says_so() -> None:
    output = FlakyOutput()
    running = output.fresh()
    output.down()
    for call in (running.open, lambda: running.write(batch(1)), running.sync):
        with pytest.raises(ConnectionRefusedError):
            call()  # type: ignore[no-untyped-call] # two methods and a lambda
    assert (running.probe(), running.alive()) == (False, False)
    output.up()
    assert running.probe()
    running.write(batch(1))
    assert numbers(output) == [1]


def hanging(output: FlakyOutput) -> tuple[threading.Thread, list[BaseException | None]]:
    """Write in a thread until it hangs; the list tells how the write ended."""
    ended: list[BaseException | None] = []

    def write() -> None:
        try:
            output.write(batch(1))
            ended.append(None)
        except OSError as error:
            ended.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    output.wait_until_it_hangs()
    return thread, ended


def test_a_write_hangs_until_it_is_released() -> None:
    output = FlakyOutput([Fault(None, hang=True)])
    thread, ended = hanging(output.fresh())
    assert ended == []
    output.release()
    thread.join(10)
    assert (ended, numbers(output)) == ([None], [1])


def test_abort_makes_a_write_that_hangs_fail() -> None:
    output = FlakyOutput([Fault(None, hang=True)])
    old = output.fresh()
    thread, ended = hanging(old)
    old.abort()
    thread.join(10)
    assert isinstance(ended[0], ConnectionAbortedError)
    assert (numbers(output), output.aborts) == ([], 1)


def test_an_aborted_write_may_pretend_success() -> None:
    old = FlakyOutput([Fault(None, hang=True, swallow=True)])
    thread, ended = hanging(old)
    old.abort()
    thread.join(10)
    assert (ended, numbers(old)) == ([None], [])


def test_a_deaf_write_hangs_on_and_has_no_effect_after_abort() -> None:
    output = FlakyOutput([Fault(None, hang=True, deaf=True)])
    old = output.fresh()
    thread, ended = hanging(old)
    old.abort()
    assert ended == []
    output.fresh().write(batch(2))
    output.release()
    thread.join(10)
    assert isinstance(ended[0], ConnectionAbortedError)
    assert numbers(output) == [2]
