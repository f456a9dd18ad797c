from __future__ import annotations

import errno
import json
import logging
import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from swak.formats.registry import Shape
from swak.sinks import append, once, whole
from swak.sinks.append import Manner
from swak.sinks.guard import Guard
from swak.sinks.once import Once, decoder_of
from swak.sinks.pathname import PathTemplate
from swak.testing import FakeClock, batch_of, block_of, event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

JSON = Shape("json").made()
NO_ROOM = OSError(errno.ENOSPC, "No space left on device")
IO_ERROR = OSError(errno.EIO, "Input/output error")


class Sink:
    """A file that takes nothing twice, and what is in it."""

    def __init__(self, path: Path, *, durable: bool = True, field: str = "id", count_max: int = 100) -> None:
        self.path = path
        self.clock = FakeClock()
        self.files = Once(PathTemplate(str(path)), self.clock, Manner(durable), field, count_max)
        self.guard = Guard()

    def open(self) -> None:
        self.guard = Guard()
        self.files.open(self.guard)

    def close(self) -> None:
        self.files.close(finish=False)
        self.guard.release()

    def write(self, *ids: Any) -> None:
        self.files.write(batch_of([event({"id": one}) for one in ids]), JSON)

    @property
    def ids(self) -> list[Any]:
        """The ids in the file, in its order."""
        return [json.loads(line).get("id") for line in self.path.read_text().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.json"


@pytest.fixture
def made(path: Path) -> Iterator[Callable[..., Sink]]:
    sinks: list[Sink] = []

    def make(**options: Any) -> Sink:
        sinks.append(Sink(path, **options))
        sinks[-1].open()
        return sinks[-1]

    yield make
    for sink in sinks:
        sink.close()


def failing(error: OSError) -> Callable[..., Any]:
    def fail(*_: object) -> None:
        raise error

    return fail


def test_what_the_file_holds_is_not_written_again(made: Callable[..., Sink]) -> None:
    sink = made()
    sink.write("a", "b")
    sink.write("b", "c", "c", "a")
    assert sink.ids == ["a", "b", "c"]


def test_what_comes_late_for_the_first_time_is_written(made: Callable[..., Sink]) -> None:
    sink = made()
    sink.write("a", "c")
    sink.write("b")
    assert sink.ids == ["a", "c", "b"]


def test_what_an_earlier_run_wrote_is_known(made: Callable[..., Sink]) -> None:
    first = made()
    first.write("a", "b")
    first.close()
    again = made()
    again.write("a", "b", "c")
    assert again.ids == ["a", "b", "c"]


def test_what_an_earlier_run_wrote_is_made_safe_before_it_counts(
    path: Path, made: Callable[..., Sink], monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(append, "_datasync", synced.append)
    path.write_text('{"id":"a"}\n')
    sink = made()
    assert len(synced) == 1
    sink.write("a")
    assert sink.files.pending_bytes == 0, "safe at once"


def test_only_the_last_ones_are_known(path: Path, made: Callable[..., Sink]) -> None:
    path.write_text("".join(f'{{"id":{n}}}\n' for n in range(10)))
    sink = made(count_max=3)
    sink.write(*range(10))
    assert sink.ids == [*range(10), *range(7)]


def test_values_are_told_apart_as_they_are_written(made: Callable[..., Sink]) -> None:
    sink = made()
    values = [1, 1.0, "1", True, "true", [1], {"a": 1}, "한", "x" * 1_000, "x" * 1_001]
    sink.write(*values)
    sink.write(*values)
    assert sink.ids == values


def test_events_without_the_field_or_with_an_empty_one_are_always_written(made: Callable[..., Sink]) -> None:
    sink = made()
    for _ in range(2):
        sink.files.write(block_of("raw"), JSON)
        sink.write("", None)
    assert len(sink.ids) == 6


def test_lines_of_somebody_else_are_no_obstacle(path: Path, made: Callable[..., Sink]) -> None:
    strange = [b"", b"[1]", b"no json", b'{"id":"a"} x', b"\xff", b'{"x":' + b"[" * 5_000 + b"]" * 5_000 + b"}"]
    path.write_bytes(b"\n".join([b'{"id": "a"}', *strange, b""]))
    sink = made()
    sink.write("a", "b")
    assert path.read_bytes().endswith(b']}\n{"id":"b"}\n')


def test_a_torn_line_is_not_known(path: Path, made: Callable[..., Sink]) -> None:
    path.write_bytes(b'{"id":"a"}\n{"id":"b","x":1')
    sink = made()
    sink.write("a", "b")
    assert sink.ids == ["a", "b"]


def test_a_write_that_failed_is_written_when_it_comes_again(
    made: Callable[..., Sink], monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = made()
    sink.write("a")
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", failing(NO_ROOM))
        with pytest.raises(OSError, match="No space left"):
            sink.write("a", "b")
    sink.write("a", "b")
    assert sink.ids == ["a", "b"]


def test_what_was_written_and_not_synced_is_written_again(
    made: Callable[..., Sink], monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = made()
    sink.write("a")
    sink.files.sync()
    sink.write("b")
    with monkeypatch.context() as patched:
        patched.setattr(append, "_datasync", failing(IO_ERROR))
        with pytest.raises(OSError, match="sync failed"):
            sink.files.sync()
    sink.write("a", "b")
    assert sink.ids == ["a", "b", "b"]


@pytest.mark.parametrize("change", ["deleted", "truncated"])
def test_what_was_taken_away_before_it_was_synced_is_written_again(
    path: Path, made: Callable[..., Sink], change: str
) -> None:
    sink = made()
    sink.write("a")
    if change == "deleted":
        path.unlink()
    else:
        os.truncate(path, 0)
    with pytest.raises(OSError, match=f"{change} before it was synced"):
        sink.files.sync()
    sink.close()
    sink.open()
    sink.write("a")
    assert sink.ids == ["a"]


def test_after_a_failed_sync_nobody_in_this_process_trusts_what_the_file_seems_to_hold(
    made: Callable[..., Sink], monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = made()
    sink.write("a")
    with monkeypatch.context() as patched:
        patched.setattr(append, "_datasync", failing(IO_ERROR))
        with pytest.raises(OSError, match="sync failed"):
            sink.files.sync()
    successor = made()
    successor.write("a")
    assert successor.ids == ["a", "a"]


def test_a_file_that_cannot_be_made_safe_is_not_opened_and_then_not_trusted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text('{"id":"a"}\n')
    sink = Sink(path)
    with monkeypatch.context() as patched:
        patched.setattr(append, "_datasync", failing(IO_ERROR))
        with pytest.raises(OSError, match="Input/output"):
            sink.open()
    sink.close()
    sink.open()
    sink.write("a")
    sink.close()
    assert sink.ids == ["a", "a"]


def test_what_is_pending_counts_as_held_and_is_settled_with_it(made: Callable[..., Sink]) -> None:
    sink = made()
    sink.write("a")
    pending = sink.files.pending_bytes
    sink.write("a")
    assert sink.files.pending_bytes == pending > 0


def test_what_it_knows_outlives_closing_and_a_rename_of_the_file(path: Path, made: Callable[..., Sink]) -> None:
    sink = made()
    sink.write("a")
    sink.files.sync()
    sink.close()
    path.rename(path.with_suffix(".1"))
    sink.open()
    sink.write("a", "b")
    assert sink.ids == ["b"]


def test_a_successor_knows_what_its_predecessor_left_pending(made: Callable[..., Sink], path: Path) -> None:
    old = made()
    old.write("a")
    new = Sink(path)
    assert new.files.inherit(old.files)
    new.open()
    new.write("a", "b")
    new.files.sync()
    new.close()
    assert new.ids == ["a", "b"]


def test_without_fsync_written_is_known_for_good(made: Callable[..., Sink]) -> None:
    sink = made(durable=False)
    sink.write("a")
    sink.write("a")
    assert (sink.ids, sink.files.pending_bytes) == (["a"], 0)


def test_a_large_file_is_read_no_further_than_asked_for(
    path: Path, made: Callable[..., Sink], monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("".join(f'{{"id":{n}}}\n' for n in range(100_000)))
    blocks: list[int] = []
    read = whole.read_at

    def noted(fd: int, size_bytes: int, offset: int) -> bytes:
        blocks.append(offset)
        return read(fd, size_bytes, offset)

    monkeypatch.setattr(whole, "read_at", noted)
    made(count_max=10)
    assert len(blocks) == 1


def test_after_abort_nothing_is_learned_or_written(path: Path) -> None:
    path.write_text('{"id":"a"}\n')
    sink = Sink(path)
    sink.guard.abort()
    with pytest.raises(OSError, match="told to stop"):
        sink.files.open(sink.guard)
    sink.close()


def test_it_is_told_at_most_every_ten_seconds_how_many_there_were(
    made: Callable[..., Sink], caplog: pytest.LogCaptureFixture
) -> None:
    sink = made()
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            sink.write("a", "a")
        assert len(counts(caplog)) == 1
        sink.clock.advance(once.TELL_S)
        sink.write("a")
        sink.write("a")
        assert len(counts(caplog)) == 2
        sink.close()
    assert counts(caplog) == [1, 9, 1]


def counts(caplog: pytest.LogCaptureFixture) -> list[int]:
    told = [re.search(r"not written again .*events=(\d+)", record.getMessage()) for record in caplog.records]
    return [int(one[1]) for one in told if one is not None]


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb"])
def test_a_field_that_no_object_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must not contain"):
        decoder_of(name)
