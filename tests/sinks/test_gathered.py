from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as some

from swak.sinks.append import Manner
from swak.sinks.direct import LEAST_BYTES, MOST_BYTES
from swak.sinks.gathered import GatheredFile
from swak.sinks.guard import Guard
from tests.sinks.limits import size_limit

if TYPE_CHECKING:
    from pathlib import Path

SHORT = b"short\n"


def long(word: bytes) -> bytes:
    """Lines that are long enough to be gathered; a handful of them are more than is gathered."""
    return (word + b" " + b"x" * 90 + b"\n") * (LEAST_BYTES // 90)


A, B, C = long(b"a"), long(b"b"), long(b"c")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.log"


def opened(path: Path, guard: Guard, manner: Manner | None = None) -> GatheredFile:
    file = GatheredFile(str(path), *([] if manner is None else [manner]))
    file.open(guard)
    return file


def test_what_others_follow_waits_for_them_and_is_written_first(path: Path, guard: Guard) -> None:
    file = opened(path, guard)
    file.write(SHORT)
    file.write(A, more=True)
    file.write(B, more=True)
    assert path.read_bytes() == SHORT
    assert (file.pending_bytes, file.length_bytes) == (len(SHORT + A + B),) * 2
    file.write(C)
    assert path.read_bytes() == SHORT + A + B + C
    assert (file.pending_bytes, file.length_bytes) == (len(SHORT + A + B + C),) * 2
    file.sync()
    assert (file.pending_bytes, file.length_bytes) == (0, len(SHORT + A + B + C))


def test_so_much_is_gathered_and_no_more(path: Path, guard: Guard) -> None:
    file, count = opened(path, guard), MOST_BYTES // len(A) + 1
    for number in range(count):
        assert not path.stat().st_size, number
        file.write(A, more=True)
    assert path.read_bytes() == A * count


@pytest.mark.parametrize("ends", ["sync", "close", "flush"])
def test_syncing_writes_what_was_gathered(path: Path, guard: Guard, ends: str) -> None:
    file = opened(path, guard, Manner(head=b"head\n"))
    file.write(A, more=True)
    getattr(file, ends)()
    assert path.read_bytes() == b"head\n" + A
    assert file.pending_bytes == 0


def test_short_writes_and_those_that_are_never_synced_are_not_gathered(path: Path, guard: Guard) -> None:
    opened(path, guard).write(SHORT, more=True)
    assert path.read_bytes() == SHORT
    file = opened(path.with_suffix(".2"), guard, Manner(durable=False))
    file.write(A, more=True)
    assert path.with_suffix(".2").read_bytes() == A


@pytest.mark.parametrize("room_bytes", [1, LEAST_BYTES, len(A) + len(B) - 1])
@pytest.mark.parametrize("ends", ["write", "sync"])
def test_when_the_disk_is_full_all_that_is_pending_is_asked_for_again_and_cut_off(
    path: Path, guard: Guard, room_bytes: int, ends: str
) -> None:
    file = opened(path, guard)
    file.write(b"safe\n")
    file.sync()
    file.write(SHORT)  # is in the file, and pending
    file.write(A, more=True)
    file.write(B, more=True)
    with size_limit(len(b"safe\n" + SHORT) + room_bytes):
        if ends == "write":
            with pytest.raises(OSError, match="File too large"):
                file.write(C)
        with pytest.raises(OSError, match=r"a write failed \(File too large\); what was written since the last sync"):
            file.sync()
    assert path.read_bytes() == b"safe\n"
    for data in (SHORT, A, B, C):
        file.write(data)
    file.sync()
    assert path.read_bytes() == b"safe\n" + SHORT + A + B + C


def test_a_file_that_cannot_be_looked_at_has_not_what_waits_for_it(
    path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_fd: int) -> None:
        raise OSError(5, "Input/output error")

    file = opened(path, guard)
    file.write(SHORT)
    file.sync()
    file.write(A, more=True)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", failing)
        with pytest.raises(OSError, match=r"a write failed \(Input/output error\)"):
            file.sync()
    file.write(A)
    file.sync()
    assert path.read_bytes() == SHORT + A


def test_nothing_waits_behind_what_could_not_be_cut_off(path: Path, guard: Guard) -> None:
    file = opened(path, guard)
    file.write(SHORT)
    file.flush()  # safe, but the caller may write it again as long as it has seen no sync
    file.write(A, more=True)
    assert path.read_bytes() == SHORT + A
    path.rename(path.with_suffix(".1"))
    file.write(SHORT)
    file.write(A, more=True)
    path.rename(path.with_suffix(".2"))
    file.write(SHORT)
    file.write(B, more=True)  # what was renamed is safe, and not the caller's last word
    assert path.read_bytes() == SHORT + B
    file.sync()
    file.write(C, more=True)
    assert path.read_bytes() == SHORT + B


def test_a_successor_lets_nothing_wait_behind_what_it_took_over(path: Path, guard: Guard) -> None:
    old = opened(path, guard)
    old.write(SHORT)
    new = GatheredFile(str(path))
    assert new.inherit(old)
    new.open(guard)
    new.write(A, more=True)
    assert path.read_bytes() == SHORT + A


def test_what_waited_is_written_where_there_is_no_room_for_what_follows(path: Path, guard: Guard) -> None:
    file = opened(path, guard)
    file.write(SHORT)
    file.write(A, more=True)
    file.write(B, more=True)
    with size_limit(len(SHORT + A + B) + 1):
        with pytest.raises(OSError, match="File too large"):
            file.write(C)
        file.sync()
    assert path.read_bytes() == SHORT + A + B


def test_on_a_full_disk_nothing_waits_until_something_was_safe_again(path: Path, guard: Guard) -> None:
    file = opened(path, guard)
    file.write(A, more=True)
    with size_limit(1):
        with pytest.raises(OSError, match="File too large"):
            file.sync()
        with pytest.raises(OSError, match="File too large"):
            file.write(A, more=True)
        file.sync()  # nothing is pending
        with pytest.raises(OSError, match="File too large"):
            file.write(A, more=True)
    file.write(A, more=True)
    assert path.read_bytes() == A
    file.sync()
    file.write(B, more=True)
    assert path.read_bytes() == A


def test_a_cut_that_fails_is_made_up_for(path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_fd: int, _size: int) -> None:
        raise OSError(5, "Input/output error")

    file = opened(path, guard)
    file.write(SHORT)
    file.write(A, more=True)
    with monkeypatch.context() as patched, size_limit(len(SHORT) + 50_000):
        patched.setattr(os, "ftruncate", failing)
        with pytest.raises(OSError, match="File too large"):
            file.write(B)
    with pytest.raises(OSError, match="written again"):
        file.sync()
    for data in (SHORT, A, B):
        file.write(data)
    file.sync()
    assert path.read_bytes() == SHORT + A + B


def test_lines_of_others_are_never_cut_off(path: Path, guard: Guard) -> None:
    file = opened(path, guard)
    file.write(SHORT)
    file.write(A, more=True)
    with path.open("ab") as other:
        other.write(b"theirs\n")
    with size_limit(50_000), pytest.raises(OSError, match="File too large"):
        file.write(B)
    assert path.read_bytes() == SHORT + b"theirs\n"


def test_nothing_waits_behind_lines_of_others(path: Path, guard: Guard) -> None:
    file = opened(path, guard)
    file.write(SHORT)
    with path.open("ab") as other:
        other.write(b"theirs\n")
    file.write(b"next\n")
    file.write(A, more=True)
    assert path.read_bytes() == SHORT + b"theirs\n" + b"next\n" + A


def test_when_the_file_is_renamed_what_waits_goes_to_one_of_the_two(path: Path, guard: Guard) -> None:
    file, old = opened(path, guard), path.with_suffix(".1")
    file.write(A, more=True)
    path.rename(old)
    file.write(B)
    file.write(C, more=True)
    path.rename(path.with_suffix(".2"))
    file.sync()
    assert [one.read_bytes() for one in (old, path.with_suffix(".2"), path)] == [b"", A + B + C, b""]


@pytest.mark.parametrize("change", ["deleted", "truncated"])
def test_what_waits_for_a_file_that_lost_the_rest_is_asked_for_again(path: Path, guard: Guard, change: str) -> None:
    file = opened(path, guard)
    file.write(SHORT)
    file.write(A, more=True)
    if change == "deleted":
        path.unlink()
    else:
        os.truncate(path, 0)
    with pytest.raises(OSError, match=f"the file was {change} before it was synced"):
        file.sync()
    file.write(SHORT + A)
    file.sync()
    assert path.read_bytes() == SHORT + A


def test_nothing_is_gathered_behind_what_is_lost(path: Path, guard: Guard) -> None:
    file = opened(path, guard)
    file.write(SHORT)
    path.unlink()
    with pytest.raises(OSError, match="deleted"):
        file.write(SHORT)
    with pytest.raises(OSError, match="deleted"):
        file.write(A, more=True)
    with pytest.raises(OSError, match="deleted"):
        file.sync()
    file.write(SHORT + A)
    assert path.read_bytes() == SHORT + A


def test_a_successor_takes_over_only_what_is_in_the_file(path: Path, guard: Guard) -> None:
    file = opened(path, guard)
    file.write(A, more=True)
    assert not GatheredFile(str(path)).inherit(file)
    file.flush()
    assert GatheredFile(str(path)).inherit(file)


def test_after_abort_what_waits_is_not_written(path: Path, guard: Guard) -> None:
    file = opened(path, guard)
    file.write(A, more=True)
    guard.abort()
    file.close()
    assert path.read_bytes() == b""
    assert not GatheredFile(str(path)).inherit(file)


def test_a_file_that_something_waits_for_is_not_removed(path: Path, guard: Guard) -> None:
    file = opened(path, guard)
    file.write(A, more=True)
    file.remove_if_empty()
    file.close()
    assert path.read_bytes() == A


Step = tuple[str, int]
KINDS = ["short", "long", "more", "more", "sync", "full", "room"]
STEPS = some.lists(some.tuples(some.sampled_from(KINDS), some.integers(0, 400_000)), max_size=25)


@given(STEPS)
def test_whatever_fails_each_write_is_in_the_file_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    """Writes as a seat does: after an error it syncs, and what that does not make safe is written again."""
    path, guard = tmp_path_factory.mktemp("gathered") / "out", Guard()
    file = opened(path, guard)
    safe, pending, waiting = list[bytes](), list[bytes](), list[bytes]()
    limit = 2**40

    def settle() -> None:
        try:
            file.sync()
        except OSError:
            waiting[:0] = pending
        else:
            safe.extend(pending)
        pending.clear()

    def write(*, more: bool) -> None:
        while waiting:
            try:
                file.write(waiting[0], more=more or len(waiting) > 1)
            except OSError:
                settle()
                return
            pending.append(waiting.pop(0))

    try:
        for number, (step, room_bytes) in enumerate(steps):
            limit = {"full": path.stat().st_size + room_bytes, "room": 2**40}.get(step, limit)
            with size_limit(limit):
                if step in ("short", "long", "more"):
                    waiting.append(b"%d\n" % number if step == "short" else long(b"%d" % number))
                    write(more=step == "more")
                elif step == "sync":
                    settle()
        write(more=False)
        settle()
        assert not waiting
        assert path.read_bytes() == b"".join(safe)
        assert len(safe) == sum(step in ("short", "long", "more") for step, _ in steps)
    finally:
        guard.release()
