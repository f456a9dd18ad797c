"""Recipe text that Python reads differently, or not at all."""

from __future__ import annotations

import ast

import pytest

from swak.errors import ConfigError, Problem
from swak.syntax import Respelled, parse

SEED = """\
task(
    in.MySQLTailing("127.0.0.1", 'logdb'),
    out.SizedBuffer(100),
    out.Exec(
        "/usr/bin/r detect.r",
    )
    out.Stdout()
)
"""


def problem_of(text: str) -> Problem:
    with pytest.raises(ConfigError) as caught:
        parse(text, "r.py")
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("text", "respelled"),
    [
        ("in.X()", "in_.X()"),
        ("task(in.A(), in.B())", "task(in_.A(), in_.B())"),
        ("in . X()", "in_ . X()"),
        ("in_.X()", "in_.X()"),
        ("x in y", "x in y"),
        ("x in .5", "x in .5"),
        ("'in.X()'", "'in.X()'"),
        ("# in.X()\nin.X()", "# in.X()\nin_.X()"),
        ('"""\nin.X()\n"""\nin.Y()', '"""\nin.X()\n"""\nin_.Y()'),
        ("f'{x} in.X {y}' + in.Z", "f'{x} in.X {y}' + in_.Z"),
        ("begin.X()", "begin.X()"),
        ("a.in_.X()", "a.in_.X()"),
        ("한글 = in.X(); y = in.Y()", "한글 = in_.X(); y = in_.Y()"),
        ("in.X(\n'unclosed", "in_.X(\n'unclosed"),
        ("in.X() )\n", "in_.X() )\n"),
        ("", ""),
    ],
)
def test_in_followed_by_a_name_is_respelled_outside_strings_and_comments(text: str, respelled: str) -> None:
    assert Respelled(text).text == respelled


def test_lines_and_columns_are_those_of_the_original_text() -> None:
    tree = parse("가 = (in.A(), in.B())", "r.py")
    (second,) = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node) == "in_.B()"]
    text = "가 = (in.A(), in.B())".encode()
    assert text[second.col_offset : second.end_col_offset] == b"in.B()"


def test_the_column_of_an_error_is_that_of_the_original_text() -> None:
    assert "at column 18" in problem_of("x = in.A() + 1 + ?").what


def test_the_seeds_missing_comma_is_found_at_the_end_of_its_line() -> None:
    problem = problem_of(SEED)
    assert (problem.what, problem.line) == ("a comma is missing", 6)
    assert "add a comma at the end of line 6" in problem.mend
    assert "began in line 4" in problem.mend


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("task(in.A() out.B())", 1),
        ("task(in.A(),\n  out.B()\n  name='x')", 2),
        ("task(\n in.A(),\n out.B(\n  1\n ) {'a': 1})", 5),
        ("failover(a,\n last=b\n start='ip')", 2),
        ("task(a,\n b | c(1,\n  2)\n d,\n name=3)", 3),
        ("task(a,  # the first\n b  # the second\n c)", 2),
        ("f(\n'in.X'\n'in.Y'\n in.Z())", 3),
        ("[\n {'a': 1}\n {'b': 2}]", 2),
    ],
)
def test_a_missing_comma_is_told_where_it_is_missing(text: str, line: int) -> None:
    problem = problem_of(text)
    assert (problem.line, "comma" in problem.mend) == (line, True)


@pytest.mark.parametrize(
    ("text", "line", "mend"),
    [
        ("\ntask(in.A(),\n  out.B()\n", 2, "closing bracket"),
        ("\nx = 'abc\n", 2, "closing quote"),
        ('\nx = """abc\n', 2, "closing quote"),
        ("\n  x = 1\n", 2, "begin the line"),
        ("\nout.Stdout(“json”)\n", 2, "plain ASCII"),
        ("\ntask(a))\n", 2, "opening bracket"),
    ],
)
def test_a_syntax_error_comes_with_its_line_and_a_mend(text: str, line: int, mend: str) -> None:
    problem = problem_of(text)
    assert problem.line == line
    assert mend in problem.mend


@pytest.mark.parametrize("text", ["(" * 10_000, "-" * 200_000 + "1", "x = '\0'", "\udcff"])
def test_text_that_breaks_the_parser_is_a_problem_like_any_other(text: str) -> None:
    assert problem_of(text).file == "r.py"


def test_a_key_that_stands_twice_is_refused_because_python_drops_the_first_branch() -> None:
    problem = problem_of('x = {\n"web.**": a,\n"db": b,\n"web.**": c}')
    assert "'web.**' stands twice" in problem.what
    assert problem.line == 4
