from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swak.ack import Origin
from swak.deadletters import DeadLetter, DeadLetters, FullError, Limit, Shelf
from swak.event import Event
from swak.testing import FakeClock
from tests.forgetful import ForgetfulFiles

if TYPE_CHECKING:
    from pathlib import Path


def letter(record: Any = None, *, reason: str = "bad", time_ns: Any = 1_700_000_000_123_456_789) -> DeadLetter:
    event = Event("web.access", time_ns, {"n": 1} if record is None else record)
    return DeadLetter(event, Origin("a.log", 42), "web", "Regex", reason, "Traceback …")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dead-letters.jsonl"


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def written(path: Path, record: Any) -> Any:
    DeadLetters(path).append([letter(record)])
    return lines(path)[-1]["record"]


def test_a_letter_says_what_why_and_where_from(path: Path) -> None:
    DeadLetters(path, clock=FakeClock(1_700_000_001)).append([letter()])
    (line,) = lines(path)
    assert line.pop("crc")
    assert [line] == [
        {
            "id": 1,
            "died_at": "2023-11-14T22:13:21.000000000Z",
            "time": "2023-11-14T22:13:20.123456789Z",
            "time_ns": 1_700_000_000_123_456_789,
            "tag": "web.access",
            "flow": "web",
            "stage": "Regex",
            "reason": "bad",
            "trace": "Traceback …",
            "source": "a.log",
            "position": 42,
            "record": {"n": 1},
        }
    ]


def test_nothing_is_made_before_the_first_letter(path: Path) -> None:
    letters = DeadLetters(path)
    letters.append([])
    assert not path.exists()
    assert letters.path == ""


def test_the_path_is_told_once_there_is_a_letter(path: Path) -> None:
    letters = DeadLetters(lambda: path)
    letters.append([letter()])
    assert letters.path == str(path)


def test_letters_follow_those_of_earlier_runs(path: Path) -> None:
    for reason in ("first", "second"):
        letters = DeadLetters(path)
        letters.append([letter(reason=reason)])
        letters.close()
    assert [one["reason"] for one in lines(path)] == ["first", "second"]


def test_letters_are_appended_after_close(path: Path) -> None:
    letters = DeadLetters(path)
    letters.append([letter()])
    letters.close()
    letters.append([letter()])
    assert len(lines(path)) == 2


def test_half_a_line_of_a_killed_process_stays_on_its_own(path: Path) -> None:
    path.write_bytes(b'{"whole": 1}\n{"torn": ')
    DeadLetters(path).append([letter()])
    whole, torn, ours = path.read_bytes().splitlines()
    assert (whole, torn) == (b'{"whole": 1}', b'{"torn": ')
    assert json.loads(ours)["tag"] == "web.access"


def test_a_file_that_was_moved_away_is_made_anew(path: Path) -> None:
    letters = DeadLetters(path)
    letters.append([letter(reason="first")])
    moved = path.rename(path.with_name("looked-at.jsonl"))
    letters.append([letter(reason="second")])
    assert [one["reason"] for one in lines(moved) + lines(path)] == ["first", "second"]


def test_a_file_that_was_emptied_is_filled_from_its_start(path: Path) -> None:
    letters = DeadLetters(path)
    letters.append([letter(), letter()])
    os.truncate(path, 0)
    letters.append([letter()])
    assert len(lines(path)) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="records are the user's own; Windows has no such mode")
def test_only_the_user_may_read_the_letters(path: Path) -> None:
    DeadLetters(path).append([letter()])
    assert path.stat().st_mode & 0o077 == 0


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"\xff\x00", {"$bytes": "/wA="}),
        (bytearray(b"a"), {"$bytes": "YQ=="}),
        (float("nan"), {"$float": "nan"}),
        (float("-inf"), {"$float": "-inf"}),
        ((1, "two"), [1, "two"]),
        (
            datetime(2020, 1, 1, tzinfo=UTC),
            {"$repr": "datetime.datetime(2020, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)"},
        ),
        ({1: "a", "1": "b"}, {"$dict": [[1, "a"], ["1", "b"]]}),
        ({"$bytes": "no mark"}, {"$dict": [["$bytes", "no mark"]]}),
        (Rude(), {"$repr": "<Rude whose repr raises RuntimeError>"}),
        ("half a pair \ud83d", "half a pair \ud83d"),
        ("한글", "한글"),
        (2**64, 2**64),
        (True, True),
    ],
)
def test_what_json_has_no_word_for_is_marked(path: Path, value: object, shown: object) -> None:
    assert written(path, {"value": value}) == {"value": shown}


def test_text_stays_readable(path: Path) -> None:
    DeadLetters(path).append([letter({"greeting": "안녕"})])
    assert "안녕" in path.read_text("utf-8")


def test_a_number_of_thousands_of_digits_is_written_in_hex(path: Path) -> None:
    assert int(written(path, {"huge": 16**5_000})["huge"]["$hex"], 16) == 16**5_000


def test_nesting_without_end_is_cut(path: Path) -> None:
    record: dict[str, Any] = {}
    record["self"] = record
    assert "$repr" in json.dumps(written(path, record))


def test_a_record_that_is_no_mapping_is_written_all_the_same(path: Path) -> None:
    assert written(path, {1, 2}) == {"$repr": "{1, 2}"}


@pytest.mark.parametrize("time_ns", [10**40, -(10**40), None, 1.5, "now"])
def test_a_time_beyond_all_calendars_is_written_as_it_is(path: Path, time_ns: Any) -> None:
    DeadLetters(path).append([letter(time_ns=time_ns)])
    assert (lines(path)[0]["time"], lines(path)[0]["time_ns"]) == (None, time_ns)


# The limit


SMALL = 8_000


def filled(path: Path, when_full: Literal["block", "drop_oldest"] = "block") -> DeadLetters:
    """Append letters, each with its number as the reason, until one more would be too much, or one was dropped."""
    letters = DeadLetters(path, limit=Limit(SMALL, when_full))
    try:
        while not letters.dropped:
            letters.append([letter(reason=str(count_of(path)))])
    except FullError:
        assert when_full == "block"
    return letters


def count_of(path: Path) -> int:
    return len(list(Shelf(path).letters()))


def reasons(path: Path) -> list[str]:
    return [kept.letter.reason for kept in Shelf(path).letters()]


def size_of(path: Path) -> int:
    return sum(one.stat().st_size for one in path.parent.glob("*.jsonl"))


def test_at_the_limit_nothing_more_is_taken_and_the_error_says_what_to_do(path: Path) -> None:
    letters = filled(path)
    before = path.read_bytes()
    with pytest.raises(FullError, match=r"limit of 8,000 bytes: .*swak dlq ls.*export.*drop.*--dead-letters-max"):
        letters.append([letter()])
    assert (path.read_bytes(), letters.dropped) == (before, 0)
    assert SMALL * 0.8 < size_of(path) <= SMALL


def test_the_limit_counts_what_earlier_runs_have_left(path: Path) -> None:
    filled(path).close()
    with pytest.raises(FullError):
        DeadLetters(path, limit=Limit(SMALL)).append([letter()])


@pytest.mark.parametrize("taken", ["all", "one in each file"])
def test_taking_letters_off_ends_the_block(path: Path, taken: str) -> None:
    letters = filled(path)
    numbers = [kept.number for kept in Shelf(path).letters()]
    Shelf(path).take((n, n) for n in numbers[:: 1 if taken == "all" else 2])
    left = count_of(path)
    letters.append([letter(reason="new")])
    assert (count_of(path), reasons(path)[-1]) == (left + 1, "new")
    assert size_of(path) < SMALL * 0.8


def test_a_larger_limit_ends_the_block(path: Path) -> None:
    filled(path).close()
    DeadLetters(path, limit=Limit(2 * SMALL)).append([letter(reason="new")])
    assert reasons(path)[-1] == "new"


def test_files_that_are_moved_away_end_the_block(path: Path) -> None:
    letters = filled(path)
    for segment in path.parent.glob("*.0*.jsonl"):
        segment.rename(segment.with_suffix(".kept"))
    letters.append([letter()])


def test_a_block_costs_no_second_look_at_the_files(path: Path) -> None:
    files = ForgetfulFiles()
    letters = DeadLetters(path, files, Limit(SMALL))
    letters.append([letter()] * 40)
    with pytest.raises(FullError):
        letters.append([letter()])
    read = 0

    def count(descriptor: int, size: int, offset: int) -> bytes:
        nonlocal read
        read += 1
        return files.opened[descriptor].data[offset : offset + size]

    files.read = count  # type: ignore[method-assign]  # to see whether it is called
    with pytest.raises(FullError):
        letters.append([letter()])
    assert read == 0


def test_letters_larger_than_the_limit_go_into_an_empty_store(path: Path) -> None:
    letters = DeadLetters(path, limit=Limit(100))
    letters.append([letter(), letter()])
    with pytest.raises(FullError):
        letters.append([letter()])
    assert count_of(path) == 2


def test_the_oldest_segment_is_dropped_for_room_and_counted(path: Path) -> None:
    letters = filled(path, "drop_oldest")
    found = [int(one) for one in reasons(path)]
    assert found[0] == letters.dropped == letters.figures()["dropped"] > 0
    assert size_of(path) <= SMALL


def test_what_was_dropped_is_known_to_later_runs(path: Path) -> None:
    letters = filled(path, "drop_oldest")
    later = DeadLetters(path, limit=Limit(SMALL, "drop_oldest"))
    later.append([letter()])
    assert later.dropped_ever == letters.dropped + later.dropped == Shelf(path).taken.dropped
    assert later.dropped < letters.dropped_ever


def test_what_was_taken_off_does_not_count_as_dropped(path: Path) -> None:
    filled(path).close()
    Shelf(path).take([(1, 5)])
    letters = DeadLetters(path, limit=Limit(SMALL, "drop_oldest"))
    letters.append([letter()])
    assert letters.dropped == 0


def test_a_number_never_comes_again_when_all_letters_were_taken_off(path: Path) -> None:
    for number in (1, 2, 3):
        letters = DeadLetters(path)
        letters.append([letter()])
        letters.close()
        assert [kept.number for kept in Shelf(path).letters()] == [number]
        Shelf(path).take([(number, number)])
        DeadLetters(path).reclaim()
    assert size_of(path) == 0


def test_notes_begin_anew_when_nothing_is_left_of_their_letters(path: Path) -> None:
    letters = DeadLetters(path)
    letters.append([letter()] * 3)
    for _ in range(200):
        Shelf(path).take([(1, 3)])
    letters.reclaim()
    assert path.with_name("dead-letters.taken").stat().st_size < 100
    letters.append([letter()])
    assert [kept.number for kept in Shelf(path).letters()] == [4]


def test_what_a_killed_process_was_rewriting_is_removed(path: Path) -> None:
    path.with_name("dead-letters.0001.jsonl.tmp").write_bytes(b"half")
    DeadLetters(path).append([letter()])
    assert not list(path.parent.glob("*.tmp"))


@pytest.mark.parametrize("content", [b"\0" * 500, b"\n" * 50, b'{"id": 7, "crc": "00000000"}\n', b"\xff" * 99, b"{"])
@pytest.mark.parametrize("name", ["dead-letters.jsonl", "dead-letters.0001.jsonl", "dead-letters.taken"])
def test_whatever_is_in_the_files_letters_are_appended(path: Path, name: str, content: bytes) -> None:
    path.with_name(name).write_bytes(content)
    letters = DeadLetters(path, limit=Limit(SMALL))
    letters.append([letter(reason="new")])
    letters.reclaim()
    assert reasons(path) == ["new"]


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.binary() | st.complex_numbers(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers() | st.binary(), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(record=st.dictionaries(st.text(st.characters()), anything, max_size=4))
def test_any_record_is_one_line(tmp_path_factory: pytest.TempPathFactory, record: dict[str, Any]) -> None:
    path = tmp_path_factory.mktemp("any") / "dead"
    letters = DeadLetters(path)
    letters.append([letter(record)])
    letters.close()
    assert path.read_bytes().count(b"\n") == 1
    assert list(lines(path)[0]["record"].values()) or not record


LIMITED = """
import resource, signal, sys
from pathlib import Path
from swak.ack import Origin
from swak.deadletters import DeadLetter, DeadLetters
from swak.event import Event

path = Path(sys.argv[1])
letters = DeadLetters(path)
one = DeadLetter(Event("t", 0, {"text": "x" * 100}), Origin("s", 1), "f", "s", "r")
letters.append([one])
size = path.stat().st_size
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 150, resource.RLIM_INFINITY))
try:
    letters.append([one, one])
except OSError as error:
    print("refused", path.stat().st_size == size)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
letters.append([one, one])
print(path.read_bytes().count(b"\\n"), path.stat().st_size == 3 * size)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits the file's size as POSIX does")
def test_a_full_disk_is_told_leaves_no_half_line_and_can_be_tried_again(path: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", LIMITED, path], check=True, capture_output=True, text=True, timeout=30)
    assert ran.stdout.splitlines() == ["refused True", "3 True"]


def test_threads_never_mix_their_lines(path: Path) -> None:
    letters = DeadLetters(path)

    def append(reason: str) -> None:
        for _ in range(5):
            letters.append([letter(reason=reason)] * 3)

    threads = [threading.Thread(target=append, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    reasons = [one["reason"] for one in lines(path)]
    assert len(reasons) == 60
    assert all(len(set(reasons[at : at + 3])) == 1 for at in range(0, 60, 3))
