"""The posts of a run: positions kept and found again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak import running, task
from swak.checkpoint import Checkpoint
from swak.datadir import DataDir
from tests.faults.flow import Numbers, Sink

if TYPE_CHECKING:
    from pathlib import Path


def test_a_second_run_reads_on_where_the_first_was_settled(tmp_path: Path) -> None:
    sink = Sink()
    for count in (20, 30):
        with running(task(Numbers(count), sink, name="t"), data_dir=DataDir.resolve(str(tmp_path))):
            pass
    assert sink.arrived == list(range(30))


def test_positions_of_inputs_that_this_run_does_not_have_are_kept(tmp_path: Path) -> None:
    data_dir = DataDir.resolve(str(tmp_path))
    data_dir.checkpoint_path("t").parent.mkdir()
    Checkpoint(data_dir.checkpoint_path("t")).save({"Other": {"file": 7}})
    with running(task(Numbers(20), Sink(), name="t"), data_dir=data_dir):
        pass
    assert Checkpoint(data_dir.checkpoint_path("t")).load() == {"Other": {"file": 7}, "Numbers": {"": 20}}
