from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from swak.formats.conditions import Condition, Values, expression, shown
from swak.formats.template import look_up
from tests.records import records, values

NAN = float("nan")


def holds(when: str | dict[str, Any], record: dict[str, Any]) -> bool:
    condition = Condition(when)
    return bool(condition.holds([look_up(record, name) for name in condition.names]))


@pytest.mark.parametrize(
    ("when", "record", "expected"),
    [
        ("a == 5", {"a": 5}, True),
        ("a == 5", {"a": "5"}, True),
        ("a == 5", {"a": "5.0"}, True),
        ("a == '5'", {"a": 5}, True),
        ("a == 5", {"a": "five"}, False),
        ("a != 5", {"a": "five"}, True),
        ("a != 5", {}, True),
        ("a == None", {}, True),
        ("a is None", {"a": None}, True),
        ("a is not None", {"a": 0}, True),
        ("a < 5", {}, False),
        ("not a < 5", {}, True),
        ("a >= 500", {"a": "1000"}, True),
        ("a >= 500", {"a": "9999999999999999999999"}, True),
        ("a >= 500", {"a": "1e3"}, True),
        ("a >= 500", {"a": "abc"}, False),
        ("a < 5", {"a": [1]}, False),
        ("a < 5", {"a": NAN}, False),
        ("a >= 5", {"a": NAN}, False),
        ("a == a", {"a": NAN}, False),
        ("a > 5", {"a": 10**400}, True),
        ("a > -1.5", {"a": 0}, True),
        ("a == True", {"a": True}, True),
        ("a == True", {"a": "true"}, False),
        ("1 < a < 3", {"a": 2}, True),
        ("1 < a < 3", {"a": 3}, False),
        ("a in ('x', 5)", {"a": "5"}, True),
        ("a in ['x', 5]", {"a": "y"}, False),
        ("a not in ('x', 5)", {}, True),
        ("'rr' in a", {"a": "error"}, True),
        ("'rr' in a", {"a": ["rr"]}, True),
        ("'rr' in a", {"a": {"rr": 1}}, True),
        ("'rr' in a", {"a": 5}, False),
        ("'rr' in a", {}, False),
        ("a and not b", {"a": "x"}, True),
        ("a or b", {"b": 0}, False),
        ("a == 1 and b == 2 or c", {"a": 1, "b": 2}, True),
        ("a == b", {"a": "1", "b": 1}, True),
        ("a.b == 5", {"a": {"b": 5}}, True),
        ("a.b == 5", {"a.b": 5}, True),
        ("a.b == 5", {"a": "5"}, False),
        ('field("c-ip") == "::1"', {"c-ip": "::1"}, True),
        ('matches(a, "^/h")', {"a": "/health"}, True),
        ('matches(a, "^/h")', {}, False),
        (r'matches(a, r"^\d+$")', {"a": 503}, True),
        (r'a == "x\\y"', {"a": r"x\y"}, True),
        ("False", {}, False),
        ({"a": 5, "b": ["x", None]}, {"a": "5"}, True),
        ({"a": 5, "b": ["x", None]}, {"a": 5, "b": "y"}, False),
    ],
)
def test_a_condition_holds(when: str | dict[str, Any], record: dict[str, Any], expected: bool) -> None:
    assert holds(when, record) is expected


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("", "it cannot be read"),
        ("a = 5", "it cannot be read (invalid syntax at '= 5')"),
        ("a == 'x", "unterminated string"),
        ("a == \0", "it cannot be read"),
        ("[" * 1_000, "it cannot be read"),
        ("a" + ".b" * 5_000, "it cannot be read"),
        ("+".join(["a"] * 800), "it is nested too deep"),
        ("not " * 60 + "a", "it is nested deeper than 50 levels"),
        ("a + 1 == 2", "a + 1 means nothing here"),
        ("a if b else c", "means nothing here"),
        ("lambda: 1", "means nothing here"),
        ("(a := 5)", "means nothing here"),
        ("a[0]", "means nothing here"),
        ("f'{a}'", "means nothing here"),
        ("a.b().c == 1", "is no field"),
        ("open('x')", "can be called, not open('x')"),
        ("a.b('x')", "can be called, not a.b('x')"),
        ("field(a)", "can be called, not field(a)"),
        ("matches(a, b)", "can be called"),
        ("matches(a, 'x', flags=1)", "can be called"),
        ("matches(a, '(')", "pattern '(' is not a regular expression: missing )"),
        (r'matches(a, "\d")', r'\d means nothing in "\d"; write r"\d"'),
        (r'matches(a, "\bx")', "holds a backspace"),
        ({}, "it names no field"),
    ],
)
def test_what_cannot_be_read_is_named(when: str | dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r"\S") as caught:
        Condition(when)
    assert said in str(caught.value)


def test_a_field_that_stands_twice_is_looked_up_once() -> None:
    assert Condition("a > 1 and (b or a < 5)").names == ["a", "b"]


@given(some.text(some.sampled_from("abc.()[]'\"\\,<>=!0159 andotri-+*:{}\n"), max_size=30))
def test_reading_only_ever_raises_value_error(when: str) -> None:
    with suppress(ValueError):
        condition = Condition(when)
        condition.holds([None] * len(condition.names))


CONDITIONS = ["a < 5", "a == '5' or n >= message", "a in (1, 'a', None)", "message in a", "matches(n, 'a')", "not n"]


@given(records, some.sampled_from(CONDITIONS))
def test_a_condition_has_an_answer_for_any_record(record: dict[Any, Any], when: str) -> None:
    assert holds(when, record) in (True, False)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (None, None),
        (5, "5"),
        (True, "true"),
        ([1], "[1]"),
        ({(1, 2): 3}, "{(1, 2): 3}"),
        (b"\xff", "\udcff"),
    ],
)
def test_values_are_shown_to_patterns_as_text(value: object, text: str | None) -> None:
    assert shown(value) == text


def test_a_value_that_cannot_be_written_is_shown_by_its_type() -> None:
    assert [shown(10**5_000), shown([10**5_000])] == ["<int>", "<list>"]


def test_an_expression_without_its_r_is_refused() -> None:
    assert expression(r"\bx\b").search("a x")
    with pytest.raises(ValueError, match="holds a backspace; write r in front"):
        expression("\bx")


@given(some.lists(some.tuples(values, values), max_size=8), some.sampled_from(CONDITIONS), some.integers(1, 3))
def test_the_answers_for_many_events_are_those_for_each(
    events: list[tuple[Any, Any]], when: str, repeated: int
) -> None:
    condition = Condition(when)
    cells = [(first, second, first)[: len(condition.names)] for first, second in events] * repeated
    columns = [[one[number] for one in cells] for number in range(len(condition.names))]
    assert condition.answers(columns) == [bool(condition.holds(one)) for one in cells]
    assert condition.answers(columns, holding=False) == [not condition.holds(one) for one in cells]


def test_equal_values_of_other_types_get_answers_of_their_own() -> None:
    assert Condition("a == '1'").answers([[1, True, 1.0, "1", None] * 3]) == [True, False, True, True, False] * 3


def test_values_that_cannot_be_told_apart_by_equality_get_an_answer_each() -> None:
    assert Condition("a == 1").answers([[[1], 1, [1], 1] * 3]) == [False, True, False, True] * 3


def test_values_that_come_again_are_judged_once() -> None:
    condition = Condition("a == 404")
    judged: list[Any] = []
    holds = condition.holds

    def judge(values: Values) -> Any:
        judged.append(values[0])
        return holds(values)

    condition.holds = judge
    assert condition.answers([["404", "200", "404", "200", None, None]]) == [True, False, True, False, False, False]
    assert sorted(judged, key=str) == ["200", "404", None]
