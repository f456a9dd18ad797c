"""Every workload runs to its end, and writes what it should."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import pytest

from swak.bench import checks
from swak.bench.checks import lines
from swak.bench.child import Child
from swak.bench.corpus import Corpus
from swak.bench.faults import BenchError, Wrong
from swak.bench.place import Agent, Place, swak
from swak.bench.runs import Growth, reference, run
from swak.bench.workloads import ALL
from tests.bench.parts import WAITING, program
from tests.house import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from swak.bench.workloads import Workload

pytestmark = pytest.mark.skipif(not hasattr(os, "wait4"), reason="counts the CPU time of a child by wait4")

EVENTS = 3_000


@pytest.mark.parametrize("workload", ALL, ids=lambda one: one.name)
def test_swak_writes_every_record_of_a_workload(workload: Workload, tmp_path: Path) -> None:
    source = ROOT / "recipes" / "data" / "access.log" if workload.name == "W2" else None
    place = Place(tmp_path / "run", Corpus(tmp_path / "corpus", EVENTS, source))
    wanted = place.corpus.kept if workload.filtered else EVENTS
    cost = run(workload, place, partial(swak, workload, place), wanted)
    workload.judge(place.corpus, place.outs(workload))
    assert cost.cpu_s > 0


@pytest.mark.parametrize("name", ["W1", "W4", "W5a", "W5b"])
def test_an_empty_input_ends_too(name: str, tmp_path: Path) -> None:
    workload = next(one for one in ALL if one.name == name)
    place = Place(tmp_path / "run", Corpus(tmp_path / "corpus", 0))
    run(workload, place, partial(swak, workload, place), 0)
    assert [out.stat().st_size for out in place.outs(workload)] == [0]


@pytest.mark.parametrize("name", ["cat", "re", "copy W4", "copy W5a", "copy W5b"])
def test_references_run(name: str, tmp_path: Path) -> None:
    place = Place(tmp_path / "run", Corpus(tmp_path / "corpus", 100))
    assert reference(name, place).wall_s > 0
    if name != "re":
        assert (place.out / "out").stat().st_size > 10_000


def test_an_agent_that_fails_ends_the_run(tmp_path: Path) -> None:
    place = Place(tmp_path / "run", Corpus(tmp_path / "corpus", 10))
    with pytest.raises(BenchError, match="oh no"):
        run(ALL[0], place, lambda _port: Agent(program("raise SystemExit('oh no')"), ends=True), 10)


def test_an_agent_that_writes_too_little_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swak.bench.runs.STUCK_S", 0.2)
    place = Place(tmp_path / "run", Corpus(tmp_path / "corpus", 10))
    run(ALL[0], place, lambda _port: Agent(WAITING, ends=False), 10)
    with pytest.raises(Wrong, match="lost"):
        checks.raw(place.corpus, place.outs(ALL[0]))


def test_outputs_are_waited_for_until_they_have_all_lines(tmp_path: Path) -> None:
    outs = [tmp_path / "out", tmp_path / "out2"]
    with Child(WAITING, tmp_path / "log") as child:
        reached = Growth(child, outs, 3)
        seen = [reached()]
        for out in outs:
            out.write_bytes(b"1\n2\n3\n")
            seen.append(reached())
    assert seen == [False, False, True]
    assert sum(1 for _ in lines(outs[0])) == 3
