"""Parsers and lines that nobody wrote for them: each line is an event, a dead letter or counted, and soon.

SWAK_LONG=1 looks for new lines for five minutes a parser.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some

from swak.plugins.filters.apache import Apache
from swak.plugins.filters.csv import Csv
from swak.plugins.filters.json import Json
from swak.plugins.filters.kv import Kv
from swak.plugins.filters.logfmt import Logfmt
from swak.plugins.filters.ltsv import Ltsv
from swak.plugins.filters.nginx import Nginx
from swak.plugins.filters.regex import Regex
from swak.plugins.filters.syslog import Syslog
from swak.plugins.filters.tsv import Tsv
from swak.plugins.filters.w3c import W3C
from swak.testing import assert_same_both_ways, batch_of, block_of, event, events_of, outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.event import Batch
    from swak.formats.parsing import LineParser
    from swak.plugin import Outcome

LONG = os.environ.get("SWAK_LONG") == "1"
LONG_S = float(os.environ.get("SWAK_FUZZ_S", "300"))
AT_S = 1_795_223_247
LINE_BYTES = 32 * 1024
CPU_S = 1.0
"""For LINE_BYTES bytes, both ways: a parser needs a few milliseconds, and one of quadratic cost a minute."""

TRIES = 3

pytestmark = pytest.mark.timeout(LONG_S * 3 if LONG else 60)


class Case(NamedTuple):
    """A parser with different options, lines that fit, and what such lines are made of."""

    plugins: list[LineParser]
    good: list[bytes]
    parts: list[bytes]


ACCESS = b'1.2.3.4 - bob [21/Nov/2026:01:07:27 +0000] "GET /a HTTP/1.1" 200 5'
AGENT = b' "https://x/" "curl/8"'
FIELDS = b"#Fields: date time c-ip cs(User-Agent)"
ODD = [b"", b" ", b"\0", b"\r", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\\", b'"', b'\\"', b"-", b"9" * 30]
ACCESS_PARTS = [b" - ", b" [", b"] ", b'" "', b'" 200 5 "', b"-", b"a:1 ", b"21/Nov/2026:01:07:27 +0000"]

CASES = {
    "Apache": Case(
        [Apache(), Apache("common"), Apache("vhost")],
        [ACCESS, ACCESS + AGENT, b"www:443 " + ACCESS, b"www " + ACCESS + AGENT, ACCESS.replace(b"bob", b"b o b")],
        ACCESS_PARTS,
    ),
    "Nginx": Case([Nginx(), Nginx("common")], [ACCESS, ACCESS + AGENT, ACCESS + AGENT + b' "10.0.0.1"'], ACCESS_PARTS),
    "W3C": Case(
        [W3C(), W3C(["date", "time", "a"]), W3C(decode=True)],
        [FIELDS, b"#Fields: time x", b"#Date: 2026-11-21 01:00:00", b"2026-11-21 01:07:27 - a+b", b"01:07:27 x"],
        [b"#", b"#Fields:", b"#Date:", b" a", b'""', b'"a b"', b"\t", b"+", b"2026-11-21", b"01:07:27", b"23:59:60"],
    ),
    "Csv": Case(
        [Csv(["a", "b"]), Csv(["a", "b"], ";", "'"), Csv(["a", "b"], quote=None)],
        [b"1,2", b'"1,""x""",2', b"a,b", b"1;'2'"],
        [b",", b'""', b'","', b";", b"'", b"a", b"b"],
    ),
    "Tsv": Case([Tsv(["a", "b"]), Tsv(["a", "b"], unescape=True)], [b"1\t2", b"a\tb"], [b"\t", b"\\t", b"\\n", b"a"]),
    "Ltsv": Case([Ltsv(), Ltsv(unescape=True)], [b"a:1\tb:2:3"], [b"\t", b":", b"\\t", b"a"]),
    "Logfmt": Case([Logfmt()], [b'a=1 b="x y" c'], [b"=", b'="', b'" ', b"\\u00e9", b"\\ud800", b"\\n", b"a", b"a="]),
    "Kv": Case(
        [Kv(), Kv("; ", ": ", rest="rest"), Kv(quotes="")],
        [b"a=1 b='x y'", b'a: 1; b: "x"'],
        [b"=", b"; ", b": ", b"'", b"a", b"='", b"' "],
    ),
    "Syslog": Case(
        [Syslog(), Syslog("rfc3164"), Syslog("rfc5424", "Asia/Seoul")],
        [
            b"<34>Oct 11 22:14:15 web su[3]: failed",
            b"Feb 29 01:02:03 web kernel: [1.5] up",
            b'<165>1 2003-10-11T22:14:15.003Z web app - ID47 [x@1 a="b\\"]"][y] \xef\xbb\xbftext',
            b"<1>1 - - - - - -",
        ],
        [b"<", b">", b"<191>", b"<192>1 ", b" -", b"[", b"]", b'="', b": ", b"T", b"Dec 31 23:59:60", b"Jan  1 "],
    ),
    "Json": Case(
        [Json(), Json(time_field="ts")],
        [b'{"ts":5,"a":[1,{"b":null}]}', b'{"ts":"2026-11-21T01:07:27Z"}'],
        [b"{", b"}", b"[", b"]", b'{"', b'":', b",", b"1e9", b"-0", b"\\ud800", b"null", b"NaN", b'{"ts":', b"{}"],
    ),
    "Regex": Case(
        [Regex(r"^(?P<a>\S+) (?P<b>.*)$"), Regex(r"(?P<ts>\d+)|(?P<b>x)", time_field="ts")],
        [b"INFO all", b"at 5", b"x"],
        [b"x", b"5", b"a "],
    ),
}


def lines_of(case: Case) -> some.SearchStrategy[list[bytes]]:
    """Make lines: bytes, parts of lines put together, and lines that fit but for one place."""
    part = some.sampled_from(case.parts + ODD)
    good = some.sampled_from(case.good)
    made = some.lists(part, max_size=12).map(b"".join)
    broken = some.builds(_broken, good, some.integers(0, 120), some.integers(0, 3), part)
    line = some.one_of(good, broken, made, some.binary(max_size=40))
    return some.lists(line.map(lambda one: one.replace(b"\n", b"")), min_size=1, max_size=6)


def long_lines_of(case: Case) -> some.SearchStrategy[list[bytes]]:
    """Make one long line, in which a few parts repeat."""
    unit = some.lists(some.sampled_from(case.parts + ODD), min_size=1, max_size=3).map(b"".join)
    made = some.builds(_repeated, some.sampled_from([b"", *case.good]), some.integers(0, 120), unit)
    return made.map(lambda line: [line.replace(b"\n", b"")])


def _broken(line: bytes, at: int, left_out: int, part: bytes) -> bytes:
    return line[:at] + part + line[at + left_out :]


def _repeated(line: bytes, at: int, unit: bytes) -> bytes:
    return line[:at] + (unit or b"x") * (LINE_BYTES // max(1, len(unit))) + line[at:]


def check(made: LineParser, lines: list[bytes]) -> None:
    """Parse lines as a block and as events, with each way to treat what does not fit."""
    texts = [line.decode("utf-8", "surrogateescape") for line in lines]
    block = block_of(*lines, at_s=AT_S)
    parsed = batch_of([event({"message": text, "other": 1}, at_s=AT_S) for text in texts])
    for on_error in ("dead", "pass", "drop"):
        plugin = type(made)(**made.options_given, on_error=on_error)
        for batch in (block, parsed):
            assert_same_both_ways(plugin, batch)
            outcome = outcome_of(plugin, batch)
            assert_conserved(batch, outcome)
            assert not [one.trace for one in outcome.dead if one.trace or on_error != "dead"]
            given_lines = [one.record["message"] for one in batch.events()]
            assert [one for one in outcome.dead if one.event.record["message"] not in given_lines] == []


def assert_conserved(batch: Batch, outcome: Outcome) -> None:
    assert batch.count + outcome.made == len(events_of(outcome)) + len(outcome.dead) + outcome.filtered


def check_cuts(made: LineParser, lines: list[bytes]) -> None:
    """Parse lines in two batches: it makes no difference where one ends."""
    whole = block_of(*lines, at_s=AT_S)
    first, second = whole.cut(0, 1, whole.ack), whole.cut(1, whole.count, whole.ack)
    plugin = made.fresh()
    plugin.open()
    parts = [plugin.process_batch(batch) for batch in (first, second) if batch.count]
    outcome = outcome_of(made.fresh(), whole)
    assert [one for part in parts for one in events_of(part)] == events_of(outcome)
    assert [one for part in parts for one in part.dead] == outcome.dead


def check_cost(made: LineParser, lines: list[bytes]) -> None:
    """Parse a long line both ways, in bounded time. A machine that does much else may need more than once."""
    costs_s: list[float] = []
    while not costs_s or (costs_s[-1] >= CPU_S and len(costs_s) < TRIES):
        began_s = time.process_time()
        assert_same_both_ways(made, block_of(*lines, at_s=AT_S))
        costs_s.append(time.process_time() - began_s)
    assert min(costs_s) < CPU_S


def look(
    name: str, of: Callable[[Case], some.SearchStrategy[list[bytes]]], check: Callable[[LineParser, list[bytes]], None]
) -> None:
    """Check lines until all is said, or for its third of LONG_S."""
    case = CASES[name]

    def body(made: LineParser, lines: list[bytes]) -> None:
        check(made, lines)

    rules = settings(
        max_examples=2_000 if LONG else 20 if of is long_lines_of else 60,
        deadline=None,
        database=None,
        derandomize=not LONG,  # the same lines for everybody; SWAK_LONG=1 takes new ones
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    checked = rules(given(some.sampled_from(case.plugins), of(case))(body))
    ends_s = time.monotonic() + LONG_S / 3
    checked()
    while LONG and time.monotonic() < ends_s:
        checked()


every = pytest.mark.parametrize("name", CASES)


@every
def test_each_line_is_an_event_or_a_dead_letter_or_counted_alike_in_both_ways(name: str) -> None:
    look(name, lines_of, check)


@every
def test_it_makes_no_difference_where_a_batch_ends(name: str) -> None:
    look(name, lines_of, check_cuts)


@every
def test_a_long_line_takes_no_longer_than_its_length(name: str) -> None:
    look(name, long_lines_of, check_cost)
