"""Outputs that tell how much has arrived, and how old it was."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from swak.bench.probes import WHOLE, Counted, TimedFile, written_ns
from swak.testing import block_of

if TYPE_CHECKING:
    from pathlib import Path


def test_events_are_counted(tmp_path: Path) -> None:
    told = tmp_path / "told"
    plugin = Counted(str(told))
    plugin.open()
    plugin.write(block_of("a", "b"))
    plugin.close()
    assert list(array(WHOLE, told.read_bytes())) == [2]


def test_the_age_of_each_line_is_told_when_it_is_written(tmp_path: Path) -> None:
    told, out = tmp_path / "told", tmp_path / "out"
    plugin = TimedFile(str(out), format="raw", fsync=None, told=str(told))
    plugin.open()
    plugin.write(block_of("1000 GET /"))
    plugin.close()
    ages_ns = array(WHOLE, told.with_suffix(".ages").read_bytes())
    assert (len(ages_ns), ages_ns[0] > 0, out.read_text(encoding="utf-8")) == (1, True, "1000 GET /\n")


def test_a_line_begins_with_the_time_or_was_parsed() -> None:
    assert [written_ns({"message": "12 GET /"}), written_ns({"written_ns": "34"})] == [12, 34]
