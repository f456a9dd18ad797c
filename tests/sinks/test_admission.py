from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from swak.sinks.admission import Admission
from swak.sinks.pathname import PathTemplate
from swak.testing import FakeClock

if TYPE_CHECKING:
    from pathlib import Path


def admission(folder: Path, template: str = "{k}", paths_max: int = 10, clock: FakeClock | None = None) -> Admission:
    return Admission(PathTemplate(f"{folder}/{template}"), ".part", paths_max, clock or FakeClock())


def test_a_new_path_and_a_file_that_is_there_are_right(tmp_path: Path) -> None:
    (tmp_path / "a.part").touch()
    assert admission(tmp_path).hopeless(f"{tmp_path}/a") == ""
    assert admission(tmp_path).hopeless(f"{tmp_path}/b") == ""


def test_a_folder_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "a.part").mkdir()
    assert "folder or a device" in admission(tmp_path).hopeless(f"{tmp_path}/a")


@pytest.mark.skipif(sys.platform == "win32", reason="other limits")
def test_a_name_that_no_file_system_takes_is_the_events_own_fault(tmp_path: Path) -> None:
    assert "cannot be" in admission(tmp_path).hopeless(f"{tmp_path}/{'x' * 300}")


def test_a_path_that_no_event_has_a_part_in_is_never_hopeless(tmp_path: Path) -> None:
    (tmp_path / "app.part").mkdir()
    assert admission(tmp_path, "app").hopeless(f"{tmp_path}/app") == ""


def test_an_hour_has_so_many_paths(tmp_path: Path) -> None:
    clock = FakeClock()
    some = admission(tmp_path, paths_max=2, clock=clock)
    names = [f"{tmp_path}/{n}" for n in range(3)]
    assert [bool(some.hopeless(name)) for name in [*names, names[0]]] == [False, False, True, False]
    clock.advance(3_600)
    assert some.hopeless(names[2]) == ""
