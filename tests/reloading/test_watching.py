from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from swak.reloading.watching import Watch, marks_of, watching
from tests.flows.waiting import WAIT_S

if TYPE_CHECKING:
    from pathlib import Path


def looks(watch: Watch, count: int = 3) -> list[bool]:
    return [watch.look() for _ in range(count)]


def test_a_change_is_told_once_when_it_has_come_to_rest(tmp_path: Path) -> None:
    path = tmp_path / "web.py"
    path.write_text("1")
    watch = Watch(lambda: [str(path)])
    assert looks(watch) == [False, False, False]
    path.write_text("12")
    assert watch.look() is False
    path.write_text("123")
    assert looks(watch) == [False, True, False]


def test_a_file_that_another_one_takes_the_place_of_has_changed(tmp_path: Path) -> None:
    path, new = tmp_path / "web.py", tmp_path / "new"
    path.write_text("1")
    watch = Watch(lambda: [str(path)])
    new.write_text("2")
    os.utime(new, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    new.rename(path)
    assert looks(watch) == [False, True, False]


def test_a_file_that_is_gone_is_no_reason_until_it_is_back(tmp_path: Path) -> None:
    path = tmp_path / "web.py"
    path.write_text("1")
    watch = Watch(lambda: [str(path)])
    path.unlink()
    assert looks(watch) == [False, False, False]
    path.write_text("2")
    assert looks(watch) == [False, True, False]


def test_a_file_that_is_watched_from_now_on_is_no_change(tmp_path: Path) -> None:
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_text("1")
    two.write_text("2")
    files = [str(one)]
    watch = Watch(lambda: files)
    files.append(str(two))
    assert looks(watch) == [False, False, False]
    two.write_text("22")
    assert looks(watch) == [False, True, False]
    assert marks_of([str(tmp_path / "none")]) == {str(tmp_path / "none"): None}


def test_whoever_watches_is_called(tmp_path: Path) -> None:
    path, called = tmp_path / "web.py", threading.Event()
    path.write_text("1")
    with watching(lambda: [str(path)], called.set):
        path.write_text("22")
        assert called.wait(WAIT_S)
