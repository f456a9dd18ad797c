"""What the workloads read."""

from __future__ import annotations

import gzip
import json
from io import BytesIO
from typing import TYPE_CHECKING

import msgpack  # type: ignore[import-untyped]
import pytest

from swak.bench.checks import COMBINED, lines, parsed
from swak.bench.corpus import FILES, Corpus, digest, record
from swak.errors import ConfigError
from tests.house import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = ROOT / "recipes" / "data" / "access.log"


def test_a_seed_gives_the_same_lines_each_time(tmp_path: Path) -> None:
    one, same, other = (Corpus(tmp_path / name, 300, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert digest(one.log) == digest(same.log) != digest(other.log)


def test_generated_lines_are_combined_and_all_different(tmp_path: Path) -> None:
    made = list(lines(Corpus(tmp_path, 3_000).log))
    assert len(set(made)) == 3_000
    assert all(COMBINED.fullmatch(line.decode("ascii")[:-1]) for line in made)
    assert {parsed(line)["status"] for line in made} == {"200", "301", "304", "404", "500"}


@pytest.mark.parametrize("packed", [False, True])
def test_a_log_is_repeated_up_to_the_number(packed: bool, tmp_path: Path) -> None:
    source = SAMPLE
    if packed:
        source = tmp_path / "access.log.gz"
        source.write_bytes(gzip.compress(SAMPLE.read_bytes()))
    made = list(lines(Corpus(tmp_path / "made", 5_100, source).log))
    whole = list(lines(SAMPLE))
    assert made == (whole * 3)[:5_100]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "holds no line"), (b"what is this\n", "no line of nginx's combined format"), (None, "cannot read")],
)
def test_a_log_that_cannot_serve_is_refused(content: bytes | None, said: str, tmp_path: Path) -> None:
    source = tmp_path / "access.log"
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        _ = Corpus(tmp_path / "made", 10, source).log


def test_a_torn_gzip_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "access.log.gz"
    source.write_bytes(b"no gzip at all")
    with pytest.raises(ConfigError, match="cannot read"):
        _ = Corpus(tmp_path / "made", 10, source).log


def test_many_files_hold_each_line_once_with_the_name_of_the_file(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path, 1_000)
    assert len(corpus.logs) == FILES
    names = [parsed(line)["remote_user"] == path.stem for path in corpus.logs for line in lines(path)]
    assert (len(names), all(names)) == (1_000, True)


def test_json_lines_are_the_records_that_are_sent(tmp_path: Path) -> None:
    assert [json.loads(line) for line in lines(Corpus(tmp_path, 50).json)] == [record(number) for number in range(50)]


def test_frames_hold_the_log_and_want_acks(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path, 2_500)
    frames = list(msgpack.Unpacker(BytesIO(corpus.frames.read_bytes())))
    assert len(frames) == corpus.chunks == 3
    sent = []
    for _, entries, option in frames:
        unpacker = msgpack.Unpacker()
        unpacker.feed(entries)
        found = [entry for _, entry in unpacker]
        assert option["size"] == len(found)
        sent += found
    assert sent == [parsed(line) for line in lines(corpus.log)]


def test_those_that_are_not_dropped_are_counted(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path, 500)
    assert corpus.kept == sum(b'" 404 ' not in line for line in lines(corpus.log)) < 500


def test_no_events_make_empty_inputs(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path, 0)
    sizes = [path.stat().st_size for path in (corpus.log, corpus.json, corpus.frames, *corpus.logs)]
    assert (set(sizes), corpus.chunks, corpus.kept) == ({0}, 0, 0)
