"""Values between tabs: some writers spell tabs, line ends and backslashes inside them with a backslash."""

from __future__ import annotations

import re

_SPELLED = re.compile(r"\\([\\tnr])")
_MEANT = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}


def unescaped(value: str) -> str:
    r"""Return a value with `\t`, `\n`, `\r` and `\\` as the characters that they stand for; others stay as they are."""
    return _SPELLED.sub(lambda match: _MEANT[match[1]], value) if "\\" in value else value
