"""Options of plugins: declared once, with type, default, bounds and doc; checked when a plugin is made."""

from __future__ import annotations

import difflib
import math
import re
import sys
import types
import typing
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, Union

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_DURATION_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SIZE_BYTES = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([a-zA-Z]*)\s*")

MISSING: Any = object()
"""Stands for "no default": the option is required."""


class Duration(float):
    """Seconds, written as a number or as "1.5h": ms, s, m or M (minutes), h, d."""

    __slots__ = ()

    def __new__(cls, value: str | float) -> Self:
        """Read `value`; ValueError says what a duration looks like."""
        return super().__new__(
            cls, _quantity(value, _DURATION_S, "s", 'a duration such as "30s", "5M" or 1.5 (seconds)')
        )

    def text(self) -> str:
        """Return it as people write it: "5m", "36h", "250ms"."""
        if 0 < self < 1:
            return f"{self * 1000:.12g}ms"
        fits = (one for one in ("d", "h", "m") if self and self % _DURATION_S[one] == 0)
        unit = next(fits, "s")
        return f"{self / _DURATION_S[unit]:.12g}{unit}"


def longest(limits: Iterable[Duration | None]) -> Duration | None:
    """Return the longest of several limits; None, which is no limit, is longer than any."""
    known = list(limits)
    finite = [limit for limit in known if limit is not None]
    return max(finite) if len(finite) == len(known) else None


class Size(int):
    """Bytes, written as a number or as "64MiB": k, m, g, t in any case are powers of 1024, with or without B or iB."""

    __slots__ = ()

    def __new__(cls, value: str | float) -> Self:
        """Read `value`; ValueError says what a size looks like."""
        if isinstance(value, str):
            value = re.sub(r"(?i)(?<=[kmgt])i?b\s*$", "", value)
        return super().__new__(
            cls, int(_quantity(value, _SIZE_BYTES, "", 'a size such as "64MiB", "4m" or 65536 (bytes)'))
        )

    def text(self) -> str:
        """Return it as people write it: "64MiB", "1500KiB", "70000 bytes"."""
        fits = (one for one in ("t", "g", "m", "k") if self and self % _SIZE_BYTES[one] == 0)
        unit = next(fits, "")
        return f"{self // _SIZE_BYTES[unit]}{unit.upper()}iB" if unit else f"{int(self)} bytes"


def _quantity(value: str | float, units: Mapping[str, float], default_unit: str, wanted: str) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"wants {wanted}, not {value!r}")  # noqa: TRY004 - one error type for every bad option
    if not isinstance(value, str):
        number, unit = float(value), default_unit
    elif match := _NUMBER.fullmatch(value):
        number, unit = float(match[1]), match[2].lower() or default_unit
    else:
        raise ValueError(f"wants {wanted}, not {value!r}")
    if unit not in units:
        known = ", ".join(name for name in units if name)
        raise ValueError(f"wants {wanted}; the unit {unit!r} in {value!r} is none of {known}")
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"wants {wanted}, not {value!r}")
    return number * units[unit]


class Option(NamedTuple):
    """One declared option of a plugin class."""

    name: str
    doc: str
    type: Any
    default: Any
    above: float | None
    at_least: float | None
    secret: bool
    last: bool = False
    keyword: bool = False

    @property
    def required(self) -> bool:
        """Whether the option must be given."""
        return self.default is MISSING

    def parse(self, value: Any) -> Any:
        """Return `value` as this option's type. ValueError says what is wanted instead."""
        parsed = _parse(self.type, value)
        if self.above is not None and isinstance(parsed, int | float) and not parsed > self.above:
            raise ValueError(f"wants a number above {self.above:g}, not {value!r}")
        if self.at_least is not None and isinstance(parsed, int | float) and not parsed >= self.at_least:
            raise ValueError(f"wants a number of at least {self.at_least:g}, not {value!r}")
        return parsed

    def type_text(self) -> str:
        """Return the type as it is written in a recipe's signature."""
        return _type_text(self.type)


class Declared(NamedTuple):
    """What `option(...)` leaves in a class body, until the class is made."""

    doc: str
    default: Any
    above: float | None
    at_least: float | None
    secret: bool
    last: bool = False
    keyword: bool = False


def option(
    doc: str,
    *,
    default: Any = MISSING,
    above: float | None = None,
    at_least: float | None = None,
    secret: bool = False,
    last: bool = False,
    keyword: bool = False,
) -> Any:
    """Declare an option in the body of a plugin's class; without a default it is required.

    Written as a field with its type: `field: str = option("What it is.")`. With `last`, one of a base class comes
    after those of the plugins derived from it; with `keyword`, it comes last and is only ever given by its name, so
    that every plugin can get one more without a change to what its recipes say.
    """
    return Declared(doc, default, above, at_least, secret, last, keyword)


def collect(cls: type) -> dict[str, Option]:
    """Return the options that `cls` and its bases declare, as their lines stand.

    Bases come first, but `last` ones last and `keyword` ones behind these.
    """
    options: dict[str, Option] = {}
    for base in reversed(cls.__mro__):
        names = vars(sys.modules[base.__module__]) if base.__module__ in sys.modules else {}
        for name, one in vars(base).get("_declared", {}).items():
            kind = vars(base)["__annotations__"].get(name, Any)
            if isinstance(kind, str):
                kind = eval(kind, dict(names))  # noqa: S307 - what typing.get_type_hints does, for declared names only
            options[name] = Option(name, one.doc, kind, *one[1:])
    return dict(sorted(options.items(), key=lambda named: (named[1].keyword, named[1].last)))


def suggest(word: str, known: typing.Iterable[str]) -> str:
    """Return `did you mean "x"?` for the nearest known word, or a list of what there is."""
    names = sorted(known)
    lowered = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word.lower(), lowered, 1, 0.5)
    if near:
        return f'did you mean "{lowered[near[0]]}"?'
    return f"there is {', '.join(names)}" if names else "there is none"


def _parse(kind: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any or kind is object:
        return value
    if origin is Literal:
        if value in arguments:
            return value
        raise ValueError(f"wants one of {', '.join(map(repr, arguments))}, not {value!r}")
    if origin in (Union, types.UnionType):
        return _parse_union(arguments, value)
    if origin is list:
        if isinstance(value, list | tuple):
            return [_parse(arguments[0], one) for one in value]
    elif origin is dict:
        if isinstance(value, dict):
            return {_parse(arguments[0], key): _parse(arguments[1], one) for key, one in value.items()}
    elif kind in (Duration, Size):
        return kind(value)
    elif kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    elif isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise ValueError(f"wants {_type_text(kind)}, not {value!r}")


def _parse_union(kinds: tuple[Any, ...], value: Any) -> Any:
    errors = []
    for kind in kinds:
        if kind is types.NoneType:
            if value is None:
                return None
            continue
        try:
            return _parse(kind, value)
        except ValueError as error:
            errors.append(str(error))
    if len(errors) == 1:
        raise ValueError(errors[0])
    wanted = " or ".join(_type_text(kind) for kind in kinds)
    raise ValueError(f"wants {wanted}, not {value!r}")


def _type_text(kind: Any) -> str:
    if kind is types.NoneType:
        return "None"
    if typing.get_origin(kind) in (Union, types.UnionType):
        return " | ".join(_type_text(one) for one in typing.get_args(kind))
    if typing.get_origin(kind) is Literal:
        return " | ".join(repr(one) for one in typing.get_args(kind))
    if typing.get_origin(kind) is list:
        return f"list[{_type_text(typing.get_args(kind)[0])}]"
    if typing.get_origin(kind) is dict:
        return f"dict[{', '.join(_type_text(one) for one in typing.get_args(kind))}]"
    return "any" if kind in (Any, object) else str(kind.__name__)
