from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as some

from swak.plugins.filters.logfmt import Logfmt
from swak.testing import assert_same_both_ways, batch_of, block_of, drive_batch, event

if TYPE_CHECKING:
    from swak.plugin import DeadEvent


@pytest.mark.parametrize(
    ("line", "record"),
    [
        ('level=info msg="all is well" took=5ms', {"level": "info", "msg": "all is well", "took": "5ms"}),
        ("a=1 done b=", {"a": "1", "done": "", "b": ""}),
        (r'a="say \"hi\" \\ \n \u00e9 \x"', {"a": 'say "hi" \\ \n é x'}),
        ('a=""', {"a": ""}),
        ("a=b=c url=http://x/?q=1", {"a": "b=c", "url": "http://x/?q=1"}),
        ("  a=1 \t b=2  ", {"a": "1", "b": "2"}),
        ("a=1 a=2", {"a": "2"}),
        ("키=값", {"키": "값"}),
        (r'a="\ud83d\ude00 \ud800"', {"a": "😀 \ufffd"}),
        (r"a=C:\new", {"a": r"C:\new"}),
    ],
)
def test_keys_become_fields(line: str, record: dict[str, str]) -> None:
    assert drive_batch(Logfmt(), block_of(line))[0].record == record


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "no pair"),
        ("hello world", "no pair"),
        ('a=1 b="open', "no pair at character 4: 'b=\"open'"),
        ('a="x"y', "no pair at character 0: 'a=\"x\"y'"),
        ('a=x"y"', "no pair at character 0: 'a=x\"y\"'"),
        ("=1", "no pair at character 0: '=1'"),
        ('a=1 "b"', "no pair at character 4: '\"b\"'"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(line: str, said: str) -> None:
    dead: list[DeadEvent] = []
    drive_batch(Logfmt(), block_of(line), dead=dead)
    assert dead[0].reason == f"Logfmt: {said}"
    assert_same_both_ways(Logfmt(), block_of("a=1", line, 'b="2"'))


@given(some.lists(some.text(some.sampled_from('ab= "\\un0\ud800\0'), max_size=16), max_size=6))
def test_both_ways_agree_on_anything(lines: list[str]) -> None:
    assert_same_both_ways(Logfmt(), batch_of([event({"message": line}) for line in lines]))
