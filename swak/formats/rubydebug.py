"""Records laid out as Logstash's codec rubydebug prints them."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Any

INDENT = 4

_NAMED = {
    '"': '\\"',
    "\\": "\\\\",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\f": "\\f",
    "\v": "\\v",
    "\b": "\\b",
    "\a": "\\a",
    "\x1b": "\\e",
}
_INTERPOLATION = re.compile(r"#(?=[{$@])")


def rubydebug(value: Any, depth: int = 1) -> str:
    """Return a nested value as text of several lines: keys right-aligned on ` => `, array elements numbered."""
    if isinstance(value, dict):
        return _hash(value, depth) if value else "{}"
    if isinstance(value, list | tuple):
        return _array(value, depth) if value else "[]"
    return _scalar(value)


def inspect(text: str) -> str:
    """Return `text` quoted as Ruby's String#inspect does."""
    escaped = text if text.isalnum() else "".join([_NAMED.get(char) or _shown(char) for char in text])
    escaped = _INTERPOLATION.sub(r"\\#", escaped)
    return f'"{escaped}"'


def _hash(value: dict[Any, Any], depth: int) -> str:
    keys = [_scalar(key) for key in value]
    width = max(map(len, keys)) + depth * INDENT
    lines = [f"{key:>{width}} => {rubydebug(one, depth + 1)}" for key, one in zip(keys, value.values(), strict=True)]
    return "{\n" + ",\n".join(lines) + "\n" + " " * ((depth - 1) * INDENT) + "}"


def _array(value: list[Any] | tuple[Any, ...], depth: int) -> str:
    width = len(str(len(value) - 1))
    indent = " " * (depth * INDENT)
    lines = [f"{indent}[{index:>{width}}] {rubydebug(one, depth + 1)}" for index, one in enumerate(value)]
    return "[\n" + ",\n".join(lines) + "\n" + " " * ((depth - 1) * INDENT) + "]"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return inspect(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return inspect(bytes(value).decode("utf-8", "surrogateescape"))
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _float(value) if isinstance(value, float) else str(value)


def _float(value: float) -> str:
    if math.isfinite(value):
        text = repr(value)
        return text if "e" not in text or "." in text else text.replace("e", ".0e")
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _shown(char: str) -> str:
    if char.isprintable() or unicodedata.category(char) == "Zs":
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was no UTF-8
        return f"\\x{code - 0xDC00:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\u{{{code:X}}}"
