from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swak.ack import Origin
from swak.deadletters import DeadLetter, DeadLetters
from swak.event import Event

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
    DeadLetters(path).append([letter()])
    assert lines(path) == [
        {
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


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.binary() | st.complex_numbers(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers() | st.binary(), inner, max_size=3)
    ),
    max_leaves=8,
)


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
