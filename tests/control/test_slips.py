from __future__ import annotations

import ast

import pytest

from swak.control.slips import Slip, check, short_range


@pytest.mark.parametrize(
    "code",
    [
        "1 + 1",
        "stages['File'].tally.out",
        "x = [one.state for one in stages.values() if one.kind == 'output']",
        "for name in stages:\n    if 'x' in name and not stages[name].errors:\n        print(name, f'{name:>10}')",
        "sorted(stages.items(), key=lambda one: one[1].waiting)[-3:]",
        "a, *b = 1, 2, 3\na += 1\ndel b",
        "total = 0\nwhile total < 5:\n    total += 2 ** 10 * 3",
        "'-' * 20 + ', '.join(list(stages))",
        "found = []\nfound.append(max(1, 2))",
        "(n := 5) << 3",
        "rate * 1_000_000_000",
    ],
)
def test_code_that_looks_is_let_through(code: str) -> None:
    check(ast.parse(code))


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("import os", "no import"),
        ("from os import system", "no import"),
        ("x.y = 1", "x.y is not to be set"),
        ("x['y'] += 1", "is not to be set"),
        ("del x.y", "is not to be set or deleted"),
        ("for x.y in z: pass", "x.y is not to be set"),
        ("[0 for x[0] in z]", "is not to be set"),
        ("x.__class__", "__class__ is none"),
        ("x._told", "_told is none"),
        ("__builtins__", "__builtins__ is none"),
        ("exec('1')", "exec is not to be called"),
        ("eval('1')", "eval is not to be called"),
        ("open('x')", "open is not to be called"),
        ("getattr(x, 'y')", "getattr is not to be called"),
        ("stages['x'].stop()", "is not to be called"),
        ("(lambda: 1)()", "is not to be called"),
        ("'{0.x}'.format(y)", "is not to be called"),
        ("f = len\nf('')", "line 2: f is not to be called"),
        ("def f(): pass", "no def"),
        ("class C: pass", "no class"),
        ("with x: pass", "no with"),
        ("try:\n    1\nexcept: pass", "no try"),
        ("global x", "no global"),
        ("raise x", "no raise"),
        ("assert x", "no assert"),
        ("lambda: (yield)", "no yield"),
        ("async def f(): await x", "no "),
        ("9 ** 9 ** 9", "very large"),
        ("x **= y", "very large"),
        ("1 << 10_000_000_000", "very large"),
        ("'x' * 10_000_000_000", "very long"),
        ("10_000_000_000 * [1]", "very long"),
        ("x = 'x'\nf'{x}' * y", "very long"),
    ],
)
def test_a_slip_is_told_with_its_line(code: str, wrong: str) -> None:
    with pytest.raises(Slip, match="without --write") as raised:
        check(ast.parse(code))
    assert wrong in str(raised.value)


def test_a_range_ends_soon() -> None:
    assert list(short_range(5, 0, -2)) == [5, 3, 1]
    assert not short_range(0)
    for given in [(10**12,), (0, -(10**12), -1), (0, 10**15, 2)]:
        with pytest.raises(ValueError, match="1,000,000"):
            short_range(*given)
