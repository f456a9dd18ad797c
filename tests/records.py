"""Batches of records as nobody would wish them, for tests that both ways of a filter do the same."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as some

from swak.event import Batch, Event, Rows
from swak.formats.rows import row_type
from swak.testing import batch_of, block_of, promise

NAMES = ("message", "n", "a", "b c", "when")
ROW = row_type("Wild", NAMES)
TEXTS = [
    "",
    "-",
    "5",
    " 7 ",
    "-0",
    "1e3",
    "1e999",
    "5.0",
    "0x5",
    "yes",
    "ERROR",
    "a",
    "ab\n",
    "한",
    "\ud800",
    "9" * 400,
]
TEXTS += ["2026-11-21", "21/Nov/2026:01:07:27 +0000", "Feb 29 01:02:03", "1414767730.201", "nan", "true"]
PLAIN: list[Any] = [None, True, False, 0, 5, -1, 2**63, 10**400, 5.0, 0.5, 1e300, float("nan"), float("inf")]
PLAIN += [b"a", b"\xff"]

endless = some.just(5_000).map(lambda digits: 10**digits)
"""A number that Python refuses to write, in error messages too."""

values = some.recursive(
    some.sampled_from(TEXTS)
    | some.sampled_from(PLAIN)
    | endless
    | some.text(max_size=8)
    | some.integers()
    | some.floats(),
    lambda inner: (
        some.lists(inner, max_size=3) | some.dictionaries(some.sampled_from(["a", "n", 5, None]), inner, max_size=3)
    ),
    max_leaves=4,
)
keys: some.SearchStrategy[Any] = some.sampled_from([*NAMES, "a.n", 5, None, (1, 2), ""])
records = some.dictionaries(keys, values, max_size=6)
times_ns = some.integers(-(2**63), 2**63 - 1) | some.sampled_from([0, 1_795_223_247 * 10**9])
tags = some.sampled_from(["test", "a.b.c", "", "."])


def _rows(rows: list[Any], at_ns: int, tag: str) -> Batch:
    return Batch(Rows([ROW(*row) for row in rows], [at_ns] * len(rows)), tag, promise(len(rows)))


batches: some.SearchStrategy[Batch] = (
    some.lists(some.builds(Event, tags, times_ns, records), min_size=1, max_size=5).map(batch_of)
    | some.builds(_rows, some.lists(some.tuples(*[values] * len(NAMES)), min_size=1, max_size=5), times_ns, tags)
    | some.lists(some.sampled_from(TEXTS).filter(str.isascii), min_size=1, max_size=5).map(lambda all_: block_of(*all_))
)
"""Batches of dicts, of rows and of lines."""
