from __future__ import annotations

from typing import Any, Literal

import pytest

from swak.errors import ConfigError
from swak.options import Duration, Size, longest, option, suggest
from swak.plugin import Plugin


class Sample(Plugin):
    """A plugin with an option of each type."""

    text: str = option("Some text.", default="x")
    number: int = option("A whole number.", default=1, above=0)
    ratio: float = option("Any number.", default=0.5, at_least=0)
    flag: bool = option("A switch.", default=False)
    age: Duration = option("How long.", default="1m")
    room: Size = option("How much.", default="1k")
    mode: Literal["a", "b"] = option("Which.", default="a")
    names: list[str] = option("Several.", default=())
    rule: str | dict[str, Any] = option("A text, or a mapping.", default={})
    either: str | int | None = option("One or another, or none.", default=None)
    anything: Any = option("Whatever.", default=None)
    password: str = option("Hidden.", default="", secret=True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5M", 300),
        ("5m", 300),
        ("1.5h", 5_400),
        ("30s", 30),
        ("10", 10),
        (10, 10),
        (0.5, 0.5),
        ("2d", 172_800),
        ("250ms", 0.25),
        (" 1 s ", 1),
        (".5s", 0.5),
        ("0", 0),
    ],
)
def test_durations(text: str | float, seconds: float) -> None:
    assert Duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("64MiB", 64 << 20),
        ("64m", 64 << 20),
        ("64M", 64 << 20),
        ("64MB", 64 << 20),
        ("4k", 4_096),
        ("1g", 1 << 30),
        ("1T", 1 << 40),
        (10, 10),
        ("10", 10),
        ("10b", 10),
        ("1.5k", 1_536),
    ],
)
def test_sizes(text: str | int, size_bytes: int) -> None:
    assert Size(text) == size_bytes


@pytest.mark.parametrize(
    "junk", ["", "s", "5x", "5 m s", "-5s", "1e3s", "5MiB", "five", None, True, float("nan"), -1, float("inf"), [5]]
)
def test_junk_is_no_duration(junk: Any) -> None:
    with pytest.raises(ValueError, match="duration"):
        Duration(junk)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (300, "5m"),
        (3600, "1h"),
        (72 * 3600, "3d"),
        (5400, "90m"),
        (90, "90s"),
        (0.25, "250ms"),
        (0, "0s"),
        (1_234_567, "1234567s"),
    ],
)
def test_a_duration_is_shown_in_the_largest_unit_that_fits(seconds: float, text: str) -> None:
    assert Duration(seconds).text() == text
    assert Duration(text) == seconds


@pytest.mark.parametrize(
    ("size_bytes", "text"), [(1 << 30, "1GiB"), (1500 << 10, "1500KiB"), (70_000, "70000 bytes"), (0, "0 bytes")]
)
def test_a_size_is_shown_in_the_largest_unit_that_fits(size_bytes: int, text: str) -> None:
    assert Size(size_bytes).text() == text


@pytest.mark.parametrize("junk", ["", "k", "5s", "5h", "5kk", "-5k", None, False, float("nan"), -1, [5], "5 MiB B"])
def test_junk_is_no_size(junk: Any) -> None:
    with pytest.raises(ValueError, match="size"):
        Size(junk)


@pytest.mark.parametrize(
    ("limits", "found"), [([Duration("1m"), Duration("5m")], 300), ([Duration("1m"), None], None), ([None], None)]
)
def test_no_limit_is_the_longest_limit(limits: list[Duration | None], found: float | None) -> None:
    assert longest(limits) == found


def test_a_unit_that_does_not_fit_is_named_with_those_that_do() -> None:
    with pytest.raises(ValueError, match="the unit 'k' in '5k' is none of ms, s, m, h, d"):
        Duration("5k")
    with pytest.raises(ValueError, match="the unit 's' in '5s' is none of b, k, m, g, t"):
        Size("5s")


@pytest.mark.parametrize(
    ("name", "value", "parsed"),
    [
        ("ratio", 3, 3.0),
        ("age", "5M", 300.0),
        ("room", "1m", 1 << 20),
        ("names", ("a", "b"), ["a", "b"]),
        ("either", "x", "x"),
        ("either", 5, 5),
        ("either", None, None),
        ("anything", object, object),
        ("mode", "b", "b"),
        ("ratio", 0, 0.0),
    ],
)
def test_values_become_the_options_type(name: str, value: object, parsed: object) -> None:
    made = getattr(Sample(**{name: value}), name)
    assert made == parsed
    assert type(made) is type(parsed) or isinstance(made, Duration | Size)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("text", 5, "wants str, not 5"),
        ("text", None, "wants str, not None"),
        ("number", "5", "wants int, not '5'"),
        ("number", True, "wants int, not True"),
        ("number", 1.5, "wants int, not 1.5"),
        ("number", 0, "wants a number above 0, not 0"),
        ("ratio", -0.1, "wants a number of at least 0, not -0.1"),
        ("ratio", False, "wants float, not False"),
        ("flag", 1, "wants bool, not 1"),
        ("mode", "c", "wants one of 'a', 'b', not 'c'"),
        ("mode", [], "wants one of 'a', 'b', not []"),
        ("names", "ab", "wants list[str], not 'ab'"),
        ("names", ["a", 5], "wants str, not 5"),
        ("rule", ["a"], "wants str or dict[str, any], not ['a']"),
        ("rule", {5: "a"}, "wants str or dict[str, any]"),
        ("either", 1.5, "wants str or int or None, not 1.5"),
        ("age", "5k", "the unit 'k'"),
    ],
)
def test_a_value_of_another_type_is_refused_with_what_is_wanted(name: str, value: object, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Sample(**{name: value})
    (problem,) = caught.value.problems
    assert problem.what.startswith(f'Sample: option "{name}" ')
    assert said in problem.what


def test_a_list_is_a_copy() -> None:
    given = ["a"]
    made = Sample(names=given)
    given.append("b")
    assert made.names == ["a"]
    assert Sample().names is not Sample().names


def test_a_mapping_is_a_copy() -> None:
    given = {"start": "x"}
    made = Sample(rule=given)
    given["start"] = "y"
    assert made.rule == {"start": "x"}


def test_options_know_their_doc_type_and_secret() -> None:
    known = Sample.options["password"]
    assert (known.doc, known.secret, known.required) == ("Hidden.", True, False)
    assert [one.type_text() for one in Sample.options.values()] == [
        "str",
        "int",
        "float",
        "bool",
        "Duration",
        "Size",
        "'a' | 'b'",
        "list[str]",
        "str | dict[str, any]",
        "str | int | None",
        "any",
        "str",
    ]


def test_options_come_in_the_order_of_their_lines_bases_first() -> None:
    class More(Sample):
        """Adds one."""

        extra: int = option("One more.", default=0)

    assert list(More.options) == [*Sample.options, "extra"]
    assert list(Sample.options)[:2] == ["text", "number"]


class Named(Plugin):
    """Has an option that is only given by its name."""

    late: int = option("Only by name.", default=0, keyword=True)
    first: int = option("By position.", default=0, last=True)


class MoreNamed(Named):
    """Adds one that comes before."""

    second: int = option("By position.", default=0)


def test_an_option_by_keyword_takes_no_place_among_the_others() -> None:
    assert list(MoreNamed.options) == ["second", "first", "late"]
    made = MoreNamed(1, 2, late=3)
    assert (made.second, made.first, made.late) == (1, 2, 3)


def test_an_option_by_keyword_is_never_taken_from_its_place() -> None:
    with pytest.raises(ConfigError, match="takes at most 2 options by position, 3 were given"):
        MoreNamed(1, 2, 3)


def test_an_option_by_keyword_is_suggested() -> None:
    with pytest.raises(ConfigError, match='unknown option "lat"; did you mean "late"'):
        MoreNamed(lat=3)


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("prot", ["host", "port"], 'did you mean "port"?'),
        ("fluentd", ["Fluentd"], 'did you mean "Fluentd"?'),
        ("zzz", ["b", "a"], "there is a, b"),
        ("zzz", [], "there is none"),
    ],
)
def test_a_slip_of_the_pen_is_guessed(word: str, known: list[str], said: str) -> None:
    assert suggest(word, known) == said
