"""What stands beside an agent that is measured."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import msgpack  # type: ignore[import-untyped]
import pytest

from swak.bench.checks import lines
from swak.bench.child import Child
from swak.bench.corpus import Corpus, digest
from swak.bench.measure import environment
from swak.bench.roles import write
from swak.bench.runs import roles, told_port

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "wait4"), reason="counts the CPU time of a child by wait4")


def test_what_is_copied_through_a_socket_arrives(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path, 500)
    with Child(roles("copy-in", tmp_path / "out"), tmp_path / "in.log") as taker:
        with Child(roles("copy-out", told_port(taker), corpus.log), tmp_path / "out.log") as giver:
            giver.cost()
        taker.cost()
    assert digest(tmp_path / "out") == digest(corpus.log)


def test_the_sink_keeps_the_entries_and_acks_each_chunk(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path, 2_500)
    with Child(roles("sink", tmp_path / "out"), tmp_path / "sink.log") as sink:
        with Child(roles("send", told_port(sink), corpus.frames, corpus.chunks), tmp_path / "send.log") as sender:
            sender.cost()
        sink.cost()
    with (tmp_path / "out").open("rb") as stored:
        assert sum(1 for _ in msgpack.Unpacker(stored)) == 2_500


def test_matching_fails_at_a_line_that_does_not_match(tmp_path: Path) -> None:
    log = Corpus(tmp_path, 10).log
    with log.open("ab") as out:
        out.write(b"what is this\n")
    command = roles("match", log)
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (1, "no match: what is this\n")


def test_an_unknown_role_is_refused() -> None:
    done = subprocess.run(roles("dance"), env=environment(), capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (1, "there is no role dance\n")


def test_lines_are_written_to_the_files_in_turn_with_the_time(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    assert write(paths, 1_000_000, 5, 20 / 1_000_000) == 20
    stamps = [int(line.partition(b" ")[0]) for path in paths for line in lines(path)]
    assert [sum(1 for _ in lines(path)) for path in paths] == [10, 10]
    assert stamps[:10] == sorted(stamps[:10])
