"""Conversions: values, most of them text, to whole numbers, numbers, truth or text."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from swak.formats.template import text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CACHED_MAX = 10_000
"""Texts that are remembered before a cache starts anew."""
TEXT_MAX = 100
"""Characters of the longest text that is remembered."""

_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,4300}\s*")
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")
_TRUTHS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def to_int(value: Any) -> int:
    """Return a whole number. ValueError for what is none, 5.5 too."""
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise _no(value, "whole number")


def to_float(value: Any) -> float:
    """Return a number that JSON can carry, too. ValueError for what is none."""
    if isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise _no(value, "number")


def to_bool(value: Any) -> bool:
    """Return what true, yes, on, 1 or their opposites say, in any case. ValueError for anything else."""
    if isinstance(value, bool):
        return value
    text = value.strip().lower() if isinstance(value, str) else value
    if isinstance(text, str) and text in _TRUTHS:
        return _TRUTHS[text]
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    raise _no(value, "truth value")


def to_text(value: Any) -> str:
    """Return text; what is nested becomes JSON. ValueError for what no format can carry."""
    try:
        return text_of(value)
    except TypeError as error:
        raise ValueError(str(error)) from None


CONVERSIONS: dict[str, Callable[[Any], Any]] = {"int": to_int, "float": to_float, "bool": to_bool, "str": to_text}


class Conversion(dict[str | None, Any]):
    """Converts to one type; remembers what it made of a text. None stays None, and so do `nulls`: they become None."""

    def __init__(self, kind: str, nulls: Sequence[str]) -> None:
        super().__init__()
        self._convert = CONVERSIONS[kind]
        self._nulls = frozenset(nulls)

    def __missing__(self, text: str | None) -> Any:
        made = None if text is None or text in self._nulls else self._convert(text)
        if text is None or len(text) <= TEXT_MAX:
            if len(self) >= CACHED_MAX:
                self.clear()
            self[text] = made
        return made

    def value(self, value: Any) -> Any:
        """Convert any value. ValueError says what does not fit."""
        return self[value] if value is None or isinstance(value, str) else self._convert(value)


def _no(value: Any, wanted: str) -> ValueError:
    huge = isinstance(value, int) and value.bit_length() > 200
    shown = f"a number of {value.bit_length()} bits" if huge else repr(value)
    return ValueError(f"{shown if len(shown) <= 60 else f'{shown[:60]}...'} is no {wanted}")
