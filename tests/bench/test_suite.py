"""Rounds of a benchmark. The peers here are stand-ins."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from swak.bench.corpus import Corpus
from swak.bench.faults import Wrong
from swak.bench.measure import Cost
from swak.bench.suite import Figure, Suite
from swak.bench.workloads import ALL
from swak.errors import StateError
from tests.bench.parts import stand_in

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "wait4"), reason="counts the CPU time of a child by wait4")

SPOILED = {
    "lost": "lines[:-1]",
    "doubled": "lines + lines[-1:]",
    "reordered": "lines[1:2] + lines[:1] + lines[2:]",
    "changed": "lines[:-1] + [lines[-1].replace(b'GET', b'PUT').replace(b'curl', b'lruc').replace(b'5', b'6')]",
}
SPOILING = """
import pathlib, signal
lines = pathlib.Path("$log").read_bytes().splitlines(keepends=True)
pathlib.Path("$out").write_bytes(b"".join({}))
signal.pause()
"""


def test_a_round_runs_references_swak_and_peers_in_turns(tmp_path: Path) -> None:
    suite = Suite(tmp_path, Corpus(tmp_path / "corpus", 1_000), [ALL[0]], [stand_in(tmp_path)])
    told: list[str] = []
    for _ in range(2):
        suite.round(told.append)
    assert told == ["cat", "re", "W1 swak", "W1 stand-in"] * 2
    assert {key: (len(one.full), len(one.idle)) for key, one in suite.figures.items()} == {
        ("", "cat"): (2, 2),
        ("", "re"): (2, 2),
        ("W1", "swak"): (2, 2),
        ("W1", "stand-in"): (2, 2),
    }


@pytest.mark.parametrize("spoil", SPOILED)
def test_a_wrong_output_of_a_peer_ends_the_benchmark(
    spoil: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swak.bench.runs.STUCK_S", 0.2)
    peer = stand_in(tmp_path, SPOILING.format(SPOILED[spoil]))
    suite = Suite(tmp_path, Corpus(tmp_path / "corpus", 100), [ALL[0]], [peer])
    with pytest.raises(Wrong, match="W1, stand-in: out: record"):
        suite.round(lambda _what: None)


def test_an_output_that_goes_wrong_in_a_later_round_is_noticed(tmp_path: Path) -> None:
    twice = f"lines + (lines[-1:] if pathlib.Path({str(tmp_path / 'again')!r}).exists() else [])"
    peer = stand_in(tmp_path, SPOILING.format(twice))
    suite = Suite(tmp_path, Corpus(tmp_path / "corpus", 100), [ALL[0]], [peer])
    suite.round(lambda _what: None)
    (tmp_path / "again").touch()
    with pytest.raises(Wrong, match=r"W1, stand-in: .*twice"):
        suite.round(lambda _what: None)


def test_a_peer_without_a_configuration_takes_no_part(tmp_path: Path) -> None:
    peer = stand_in(tmp_path)
    assert Suite.cannot(ALL[0], peer) == ""
    assert Suite.cannot(ALL[1], peer) == "no configuration of stand-in does W2"


def test_too_little_room_is_told_before_anything_is_made(tmp_path: Path) -> None:
    suite = Suite(tmp_path, Corpus(tmp_path / "corpus", 10**13), list(ALL), [])
    with pytest.raises(StateError, match="no room"):
        suite.make_room()
    assert list((tmp_path / "corpus").iterdir()) == []


def test_copies_stand_beside_what_goes_over_the_network(tmp_path: Path) -> None:
    suite = Suite(tmp_path, Corpus(tmp_path / "corpus", 1), list(ALL), [])
    assert suite.references() == ["cat", "re", "copy W4", "copy W5a", "copy W5b"]


def test_figures_are_net_of_the_empty_run() -> None:
    full, idle = [Cost(3.0, 2.0, 40), Cost(5.0, 2.0, 44), Cost(4.0, 4.0, 42)], [Cost(1.0, 1.0, 30)] * 3
    figure = Figure("W1", "swak", 2_000_000, 1, full, idle)
    assert (figure.net, figure.start.median, figure.wall_s, figure.rss_mb) == ((1.5, 1.0, 2.0), 1.0, 2.0, 42)
