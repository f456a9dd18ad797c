"""`swak.running`: recipes inside programs and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak import ConfigError, SwakError, in_, out, running, task
from swak.datadir import DataDir
from swak.errors import StateError
from tests.faults.flow import Numbers, Sink
from tests.faults.test_stopping import Down

if TYPE_CHECKING:
    from pathlib import Path


def test_leaving_the_block_reads_finite_inputs_to_their_end() -> None:
    sink = out.Memory()
    with running(in_.Memory(["a", "b"]) | sink):
        pass
    assert sink.records == [{"message": "a"}, {"message": "b"}]


def test_leaving_the_block_raises_when_not_everything_was_delivered() -> None:
    with (
        pytest.raises(SwakError, match="not everything was delivered"),
        running(task(Numbers(10), Down()), grace_s=0.1),
    ):
        pass


def test_a_recipe_that_is_wrong_starts_nothing() -> None:
    with pytest.raises(ConfigError), running(task(Numbers(10))):
        pass


def test_an_error_in_the_block_comes_through_and_everything_stops() -> None:
    with pytest.raises(ZeroDivisionError), running(task(Numbers(10), Down())):
        raise ZeroDivisionError


def test_a_second_run_on_one_data_directory_is_refused(tmp_path: Path) -> None:
    with (
        running(task(Numbers(10), Sink()), data_dir=DataDir.resolve(str(tmp_path))),
        pytest.raises(StateError),
        running(task(Numbers(10), Sink()), data_dir=DataDir.resolve(str(tmp_path))),
    ):
        pass
