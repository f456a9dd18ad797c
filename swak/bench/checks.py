"""Judging what a run wrote, record by record.

The pattern is written down here once more, and JSON is read by the standard library, on purpose: a mistake in swak's
own must show.
"""

from __future__ import annotations

import itertools
import json
import re
import socket
from typing import TYPE_CHECKING, Any

from swak.bench.faults import Wrong

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from swak.bench.corpus import Corpus

COMBINED = re.compile(
    r"(?P<remote_addr>\S+) - (?P<remote_user>\S+) \[(?P<time_local>[^\]]+)\] "
    r'"(?P<request>[^"]*)" (?P<status>\d+) (?P<body_bytes_sent>\d+) '
    r'"(?P<http_referer>[^"]*)" "(?P<http_user_agent>[^"]*)"'
)


class _Nothing:
    """Stands where no record is."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING = _Nothing()
NEAR = 1_000
"""How far away a record that stands in the wrong place is looked for, to say what went wrong."""
SHOWN = 300


def parsed(line: bytes) -> dict[str, str]:
    """Return the record of a line of the log, whose form was looked at when the log was made."""
    match = COMBINED.fullmatch(line[:-1].decode("utf-8", "replace"))
    assert match is not None, "the input was looked through"
    return match.groupdict()


def lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, with their ends."""
    with path.open("rb") as file:
        yield from file


def records(path: Path) -> Iterator[Any]:
    """Yield the JSON values of a file, one a line. Wrong where there is none."""
    for number, line in enumerate(lines(path), 1):
        try:
            if not line.endswith(b"\n"):
                raise Wrong(f"{path.name}: line {number} is torn: {line!r:.{SHOWN}}")
            yield json.loads(line)
        except ValueError as error:
            raise Wrong(f"{path.name}: line {number} is no JSON ({error}): {line!r:.{SHOWN}}") from error


def compare(wanted: Iterable[object], found: Iterable[object], what: str) -> None:
    """Compare one by one, to the end of both. Wrong names the first that differs, and how."""
    ahead = iter(wanted)
    before: object = NOTHING
    for number, (want, have) in enumerate(itertools.zip_longest(ahead, found, fillvalue=NOTHING), 1):
        if want != have or type(want) is not type(have):
            verdict = _verdict(have, want, before, ahead)
            raise Wrong(f"{what}: record {number} {verdict}: {want!r:.{SHOWN}} became {have!r:.{SHOWN}}")
        before = want


def _verdict(have: object, want: object, before: object, ahead: Iterator[object]) -> str:
    if have is NOTHING:
        return "was lost at the end"
    if have == before:
        return "is there twice"
    if have in itertools.islice(ahead, NEAR):
        return "was lost, or stands in the wrong place"
    return "is one too many" if want is NOTHING else "was changed"


def raw(corpus: Corpus, outs: list[Path]) -> None:
    """Check for the log itself, line by line."""
    compare(lines(corpus.log), lines(outs[0]), outs[0].name)


def json_raw(corpus: Corpus, outs: list[Path]) -> None:
    """Check for the JSON that was sent, untouched."""
    compare(lines(corpus.json), lines(outs[0]), outs[0].name)


def json_parsed(corpus: Corpus, outs: list[Path]) -> None:
    """Check for the records that were sent as JSON."""
    compare(records(corpus.json), records(outs[0]), outs[0].name)


def log_parsed(corpus: Corpus, outs: list[Path]) -> None:
    """Check each output for the records of the log."""
    for out in outs:
        compare(map(parsed, lines(corpus.log)), records(out), out.name)


def some_named(corpus: Corpus, outs: list[Path]) -> None:
    """Check for the records but those of status 404, with the name of this machine, short or long, in each."""
    names = {socket.gethostname(), socket.gethostname().partition(".")[0], socket.getfqdn()}

    def named() -> Iterator[object]:
        for record in records(outs[0]):
            if not isinstance(record, dict) or record.pop("host", "") not in names:
                raise Wrong(f"{outs[0].name}: the host is not one of {sorted(names)}, or more: {record}")
            yield record

    kept = (record for record in map(parsed, lines(corpus.log)) if record["status"] != "404")
    compare(kept, named(), outs[0].name)


def marked(corpus: Corpus, outs: list[Path]) -> None:
    """Check for the records, each with what the filter of W7 adds."""
    wanted = ({**one, "mobile": "Mobile" in one["http_user_agent"]} for one in map(parsed, lines(corpus.log)))
    compare(wanted, records(outs[0]), outs[0].name)


def by_file(corpus: Corpus, outs: list[Path]) -> None:
    """Check for the records of many files, in any mixture: those of each file are whole and in order."""
    wanted = {path.stem: map(parsed, lines(path)) for path in corpus.logs}
    for number, record in enumerate(records(outs[0]), 1):
        name = str(record.get("remote_user")) if isinstance(record, dict) else ""
        want = next(wanted.get(name, iter(())), NOTHING)
        if record != want:
            raise Wrong(f"{outs[0].name}: record {number}: {want!r:.{SHOWN}} became {record!r:.{SHOWN}}")
    for name, left in wanted.items():
        if (want := next(left, NOTHING)) is not NOTHING:
            raise Wrong(f"{outs[0].name}: of {name}, this and what follows was lost: {want!r:.{SHOWN}}")


def entries(corpus: Corpus, outs: list[Path]) -> None:
    """Check for the entries of the forward protocol, each with a line of the log as its message."""
    import msgpack  # type: ignore[import-untyped]  # noqa: PLC0415 - it has no types; one workload needs it

    def sent() -> Iterator[object]:
        with outs[0].open("rb") as stored:
            unpacker = msgpack.Unpacker(stored, unicode_errors="surrogateescape", max_buffer_size=2**30)
            for entry in unpacker:
                record = entry[1] if isinstance(entry, list) and len(entry) == 2 else None
                text = record.get("message") if isinstance(record, dict) and len(record) == 1 else None
                if not isinstance(text, str | bytes):
                    raise Wrong(f"{outs[0].name}: an entry holds more, or something else, than its line: {entry!r}")
                yield text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")

    compare((line[:-1] for line in lines(corpus.log)), sent(), outs[0].name)
