from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from swak.formats.pairs import Pairs
from swak.plugins.filters.kv import Kv
from swak.testing import assert_same_both_ways, batch_of, block_of, drive_batch, event

if TYPE_CHECKING:
    from swak.plugin import DeadEvent


@pytest.mark.parametrize(
    ("options", "line", "record"),
    [
        ({}, "user=ada  role=admin", {"user": "ada", "role": "admin"}),
        ({}, "a=\"x y\" b='p \" q' c=it's", {"a": "x y", "b": 'p " q', "c": "it's"}),
        ({}, r'a="say \"hi\""', {"a": 'say "hi"'}),
        ({"between": ";", "equals": ":"}, "a: 1; b : 'x;y' ;c:d:e;", {"a": "1", "b": "x;y", "c": "d:e"}),
        ({"between": ", ", "equals": "=>"}, 'a=>1, b=>"2, 3", c=>', {"a": "1", "b": "2, 3", "c": ""}),
        ({"between": "&", "quotes": ""}, "q=\"a&b='1", {"q": '"a', "b": "'1"}),
        ({"between": "]", "equals": "[", "quotes": "|^"}, "a[|1]2|]b[^3^", {"a": "1]2", "b": "3"}),
        ({"rest": "text"}, "login of user=ada 'by key' ok", {"user": "ada", "text": "login of 'by key' ok"}),
    ],
)
def test_pairs_become_fields(options: dict[str, Any], line: str, record: dict[str, str]) -> None:
    assert drive_batch(Kv(**options), block_of(line))[0].record == record


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "no pair"),
        ("hello", "no pair"),
        ("a=1 hello", "a word is no pair"),
        ("a=1 =2", "a word is no pair"),
        ('a="x', "the quote at character 2 is not closed"),
        ("a='x'y b=1", "text after the closing quote at character 4"),
    ],
)
def test_what_does_not_fit_is_named(line: str, said: str) -> None:
    dead: list[DeadEvent] = []
    drive_batch(Kv(), block_of(line), dead=dead)
    assert dead[0].reason == f"Kv: {said}"
    assert_same_both_ways(Kv(), block_of("a=1", line))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"between": ""}, "between is empty"),
        ({"equals": ""}, "equals is empty"),
        ({"equals": " "}, "between and equals are the same"),
        ({"quotes": "a"}, "'a' cannot be a quote"),
        ({"error_tag": "x"}, 'error_tag has a meaning with on_error="pass" only'),
    ],
)
def test_options_that_cannot_work_are_named(options: dict[str, Any], said: str) -> None:
    assert [what for what, _ in Kv(**options).check()] == [said]


@given(some.lists(some.text(some.sampled_from("ab=; \"'\\\ud800"), max_size=16), max_size=6))
def test_both_ways_agree_on_anything(lines: list[str]) -> None:
    assert_same_both_ways(Kv(";", rest="r"), batch_of([event({"message": line}) for line in lines]))


@given(some.text(some.sampled_from("ab=; \t"), max_size=30))
def test_a_quote_elsewhere_in_the_line_changes_nothing(line: str) -> None:
    with_quote = Pairs(";", "=", '"').read(f'{line};q="1"')
    record, words = Pairs(";", "=", '"').read(f"{line};q=1")
    assert with_quote == (record, words)
