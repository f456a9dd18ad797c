"""Every way of rotation, while a real agent runs, is stopped and was killed, with notices and by polling."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.flows.matrix import WATCHES, Cell, State, Watch, run
from tests.flows.numbered import LINE_BYTES
from tests.flows.rotations import WAYS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be renamed on Windows"),
    pytest.mark.parametrize("watch", WATCHES),
]

SEEDS = (1, 2)
"""Each kills the agent at another step of each way."""


class Outcome(Protocol):
    """Says what became of a log that was rotated in this way."""

    def __call__(self, way: str, state: State, watch: Watch, seed: int = 1) -> Cell: ...


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """All ways of one state share one agent, and its run is made when the first of them is asked for."""

    @cache
    def cells(state: State, watch: Watch, seed: int) -> dict[str, Cell]:
        folder: Path = tmp_path_factory.mktemp(f"{state}-{watch}-{seed}")
        return run(folder, state, watch, seed)

    return lambda way, state, watch, seed=1: cells(state, watch, seed)[way]


@pytest.mark.parametrize("state", ["up", "down"])
@pytest.mark.parametrize("way", WAYS)
def test_a_rotation_loses_and_repeats_nothing(outcome: Outcome, way: str, state: State, watch: Watch) -> None:
    outcome(way, state, watch).assert_right()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("way", WAYS)
def test_a_kill_in_a_rotation_loses_nothing_and_repeats_only_what_was_not_settled(
    outcome: Outcome, way: str, watch: Watch, seed: int
) -> None:
    outcome(way, "killed", watch, seed).assert_right()


@pytest.mark.parametrize("state", ["up", "down"])
@pytest.mark.parametrize("way", WAYS)
def test_no_more_is_counted_as_dropped_than_is_gone(outcome: Outcome, way: str, state: State, watch: Watch) -> None:
    cell = outcome(way, state, watch)
    assert cell.dropped_bytes <= len(cell.destroyed) * LINE_BYTES, cell.log


@pytest.mark.parametrize("way", ["delete, create", "truncate", "truncate, rewrite"])
def test_what_went_while_nobody_looked_is_told(outcome: Outcome, way: str, watch: Watch) -> None:
    cell = outcome(way, "down", watch)
    assert cell.destroyed
    assert "app.log" in cell.log
