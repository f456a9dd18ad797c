from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from swak.doctor import machine as module
from swak.doctor.machine import ClockLook, cgroup_limit, inotify, machine, memory, zones

if TYPE_CHECKING:
    from pathlib import Path


def test_the_machine_has_what_the_tests_run_on() -> None:
    found = {one.subject: one for one in machine()}
    assert {"swak", "Python", "system", "memory", "time zones"} <= set(found)
    assert found["Python"].level == "ok"


def test_small_limits_of_inotify_are_told_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "max_user_watches").write_text("100\n")
    (tmp_path / "max_user_instances").write_text("1024\n")
    watches, instances = inotify(tmp_path)
    assert (watches.level, instances.level) == ("warning", "ok")
    assert "sysctl fs.inotify.max_user_watches=" in watches.mend


def test_without_inotify_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert list(inotify(tmp_path)) == []


def test_the_smallest_limit_of_the_control_groups_above_counts(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("0::/a/b\n")
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "memory.max").write_text("max\n")
    (tmp_path / "a" / "memory.max").write_text("1000\n")
    assert cgroup_limit(tmp_path / "own", tmp_path) == 1000


@pytest.mark.parametrize("text", ["0::/gone\n", "1:name=systemd:/\n", ""])
def test_without_a_limit_there_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "own").write_text(text)
    assert cgroup_limit(tmp_path / "own", tmp_path) is None
    assert cgroup_limit(tmp_path / "no file", tmp_path) is None


def test_a_small_limit_of_memory_is_told() -> None:
    assert memory(50 << 20).level == "warning"
    assert "50 MiB" in memory(50 << 20).what


def test_a_clock_that_steps_while_we_look_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    look = ClockLook()
    assert look.finding().level == "ok"
    monkeypatch.setattr(look, "_apart_s", time.time() - time.monotonic() - 5)
    assert "stepped by +5.00 s" in look.finding().what


def test_a_clock_that_was_never_set_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EARLIEST_NS", time.time_ns() * 2)
    assert ClockLook().finding().level == "warning"


def test_missing_data_of_time_zones_are_told() -> None:
    assert zones("Nowhere/Never").mend == "pip install tzdata"
