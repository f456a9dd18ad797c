"""A wrong output is noticed, whatever is wrong with it."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from swak.bench import checks
from swak.bench.corpus import Corpus
from swak.bench.faults import Wrong

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Lines = list[bytes]
    Judge = Callable[[Corpus, list[Path]], None]

SPOILED: dict[str, Callable[[Lines], Lines]] = {
    "lost at the end": lambda lines: lines[:-1],
    "lost in the middle": lambda lines: [*lines[:30], *lines[31:]],
    "lost at the start": lambda lines: lines[1:],
    "doubled": lambda lines: [*lines[:30], lines[29], *lines[30:]],
    "doubled at the end": lambda lines: [*lines, lines[-1]],
    "reordered": lambda lines: [*lines[:30], lines[31], lines[30], *lines[32:]],
    "changed": lambda lines: [*lines[:30], lines[30].replace(b"0", b"1"), *lines[31:]],
    "torn": lambda lines: [*lines[:-1], lines[-1][:-2]],
    "nothing at all": lambda _lines: [],
}


def as_json(records: list[dict[str, object]]) -> Lines:
    return [json.dumps(record).encode() + b"\n" for record in records]


def parsed(corpus: Corpus) -> list[dict[str, object]]:
    return [dict(checks.parsed(line)) for line in checks.lines(corpus.log)]


def of_files(corpus: Corpus) -> Lines:
    """The records of 64 files, one file after the other."""
    return as_json([dict(checks.parsed(line)) for path in reversed(corpus.logs) for line in checks.lines(path)])


def packed(corpus: Corpus) -> Lines:
    import msgpack  # type: ignore[import-untyped]

    lines = [line[:-1].decode() for line in checks.lines(corpus.log)]
    return [msgpack.packb([number, {"message": line}]) for number, line in enumerate(lines)]


RIGHT: dict[str, tuple[Judge, Callable[[Corpus], Lines]]] = {
    "raw": (checks.raw, lambda corpus: list(checks.lines(corpus.log))),
    "json_raw": (checks.json_raw, lambda corpus: list(checks.lines(corpus.json))),
    "json_parsed": (checks.json_parsed, lambda corpus: as_json(list(checks.records(corpus.json)))),
    "log_parsed": (checks.log_parsed, lambda corpus: as_json(parsed(corpus))),
    "some_named": (
        checks.some_named,
        lambda corpus: as_json(
            [{**one, "host": socket.gethostname()} for one in parsed(corpus) if one["status"] != "404"]
        ),
    ),
    "marked": (
        checks.marked,
        lambda corpus: as_json([{**one, "mobile": "Mobile" in str(one["http_user_agent"])} for one in parsed(corpus)]),
    ),
    "by_file": (checks.by_file, of_files),
    "entries": (checks.entries, packed),
}


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(tmp_path / "corpus", 200)


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_output_is_right(name: str, corpus: Corpus, tmp_path: Path) -> None:
    judge, written = RIGHT[name]
    out = tmp_path / "out"
    out.write_bytes(b"".join(written(corpus)))
    judge(corpus, [out])


@pytest.mark.parametrize("spoil", SPOILED)
@pytest.mark.parametrize("name", RIGHT)
def test_a_wrong_output_is_noticed(name: str, spoil: str, corpus: Corpus, tmp_path: Path) -> None:
    judge, written = RIGHT[name]
    out = tmp_path / "out"
    out.write_bytes(b"".join(SPOILED[spoil](written(corpus))))
    with pytest.raises(Wrong):
        judge(corpus, [out])


@pytest.mark.parametrize("name", ["log_parsed", "json_parsed", "some_named", "marked", "by_file"])
def test_a_field_too_many_is_noticed(name: str, corpus: Corpus, tmp_path: Path) -> None:
    judge, written = RIGHT[name]
    out = tmp_path / "out"
    lines = written(corpus)
    out.write_bytes(b"".join([*lines[:9], lines[9].replace(b"{", b'{"more":1,', 1), *lines[10:]]))
    with pytest.raises(Wrong, match=r"record 10|more"):
        judge(corpus, [out])


@pytest.mark.parametrize("line", [b"[]", b"null", b'{"remote_user":7}', b'{"remote_user":[]}'])
@pytest.mark.parametrize("name", ["some_named", "by_file", "log_parsed"])
def test_what_is_no_record_at_all_is_noticed(name: str, line: bytes, corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(line + b"\n")
    with pytest.raises(Wrong):
        RIGHT[name][0](corpus, [tmp_path / "out"])


@pytest.mark.parametrize("entry", [7, [1], [1, 2], [1, {"message": 3}], [1, {"message": "a", "more": 1}]])
def test_what_is_no_entry_at_all_is_noticed(entry: object, corpus: Corpus, tmp_path: Path) -> None:
    import msgpack

    (tmp_path / "out").write_bytes(msgpack.packb(entry))
    with pytest.raises(Wrong, match="an entry holds more"):
        checks.entries(corpus, [tmp_path / "out"])


def test_each_of_several_outputs_is_judged(corpus: Corpus, tmp_path: Path) -> None:
    outs = [tmp_path / name for name in ("out", "out2", "out3")]
    lines = as_json(parsed(corpus))
    for out in outs:
        out.write_bytes(b"".join(lines))
    checks.log_parsed(corpus, outs)
    outs[2].write_bytes(b"".join(lines[:-1]))
    with pytest.raises(Wrong, match="out3"):
        checks.log_parsed(corpus, outs)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ([1, 2], "record 3 was lost at the end"),
        ([1, 2, 3, 4], "record 4 is one too many"),
        ([1, 1, 2, 3], "record 2 is there twice"),
        ([1, 3, 2], "record 2 was lost, or stands in the wrong place"),
        ([1, 2, 9], "record 3 was changed"),
        ([1, 2, 3.0], "record 3 was changed"),
        ([1, 2, None], "record 3 was changed"),
    ],
)
def test_it_is_said_what_is_wrong(found: list[object], verdict: str) -> None:
    with pytest.raises(Wrong, match=verdict):
        checks.compare([1, 2, 3], found, "out")


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_bytes(b'{"a":1}\n{"a":\n')
    with pytest.raises(Wrong, match="line 2 is no JSON"):
        list(checks.records(out))
