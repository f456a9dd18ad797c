"""The agents beside swak."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import pytest

from swak.bench.corpus import Corpus
from swak.bench.peers import CONFIGS, NAMES, PEERS, Peer, chosen
from swak.bench.place import Place
from swak.bench.runs import run
from swak.bench.workloads import ALL
from swak.commands.bench import PEERS as OFFERED
from swak.errors import ConfigError
from tests.bench.parts import stand_in

if TYPE_CHECKING:
    from pathlib import Path

    from swak.bench.workloads import Workload

GONE = Peer("gone", "no-such-program-at-all", "get it from nowhere", lambda path, config, _place: [path, str(config)])


def test_the_command_offers_the_peers_that_there_are() -> None:
    assert list(OFFERED) == NAMES


def test_a_peer_that_is_asked_for_and_not_here_is_told_with_what_to_install() -> None:
    with pytest.raises(
        ConfigError, match="gone is not here: no no-such-program-at-all on the PATH; get it from nowhere"
    ):
        chosen(["gone"], [GONE])


def test_without_a_name_those_that_are_here_take_part(tmp_path: Path) -> None:
    here = stand_in(tmp_path)
    assert chosen([], [GONE, here]) == [here]


@pytest.mark.parametrize("peer", PEERS, ids=lambda one: one.name)
def test_a_peer_has_configurations_each_with_why_it_is_fair(peer: Peer) -> None:
    configs = [path for path in (CONFIGS / peer.name).iterdir() if path.stem != "parsers"]
    assert {"W1", "W2", "W3", "W4"} <= {path.stem for path in configs}
    assert {path.stem for path in configs} <= {one.name for one in ALL}
    assert all("# Fair: " in path.read_text(encoding="utf-8") for path in configs)


CASES = [
    pytest.param(peer, workload, id=f"{peer.name}-{workload.name}")
    for peer in PEERS
    for workload in ALL
    if peer.where() and peer.config(workload.name)
]


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="counts the CPU time of a child by wait4")
@pytest.mark.parametrize(("peer", "workload"), CASES)
def test_a_peer_that_is_here_writes_every_record(peer: Peer, workload: Workload, tmp_path: Path) -> None:
    place = Place(tmp_path / "run", Corpus(tmp_path / "corpus", 1_000))
    wanted = place.corpus.kept if workload.filtered else 1_000
    run(workload, place, partial(peer.agent, workload, place), wanted)
    workload.judge(place.corpus, place.outs(workload))
