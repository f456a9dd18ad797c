"""Access logs of web servers: the values that they have in common, and two ways to read quoted ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from swak.formats.patterns import PatternFilter, Schema, schema
from swak.formats.times import TimeCache, clf_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

# A class of one excluded character is a single-literal skip in `re`: half the time of `[^"\\]*`. It is wrong only
# where a quote is escaped, which nginx never does (it writes \x22) and Apache does: those lines take the second way.
_PLAIN = '[^"]*'
_ESCAPED = r'[^"\\]*+(?:\\.[^"\\]*+)*+'

COMMON = '"(?P<request>TEXT)" (?P<status>[0-9]+|-) (?P<body_bytes_sent>[0-9]+|-)'
AGENT = ' "(?P<http_referer>TEXT)" "(?P<http_user_agent>TEXT)"'
TIME = r"\[(?P<time_local>.{26})\] "
"""A length is found faster than an end; times of other lengths are none, and what comes next says so."""
SPACED_TIME = r'\[(?P<time_local>[^\[\]"]*)\] '


class AccessLog(PatternFilter):
    """Parses lines that begin with some words and a time, and go on with quoted values."""

    def formed(self, plain_heads: Sequence[str], spaced_heads: Sequence[str], ends: Sequence[str]) -> None:
        """Set the formats to try, every head with every end, in this order; `TEXT` stands for a quoted value.

        The heads for `plain` lines may be hasty. Those for others must be right whatever stands in the line.
        """
        self._careful = _schemas(spaced_heads, ends, _ESCAPED)
        self._plain = _schemas(plain_heads, ends, _PLAIN) + self._careful
        self.times = TimeCache(clf_ns)

    def choose(self, first: str, *, alone: bool, escaped: bool) -> tuple[Schema, ...]:
        schemas = self._careful if escaped else self._plain
        if alone:
            return schemas
        likely = next((one for one in schemas if one.find(first) is not None), schemas[0])
        return (likely, *(one for one in schemas if one is not likely))


def _schemas(heads: Sequence[str], ends: Sequence[str], text: str) -> tuple[Schema, ...]:
    patterns = [re.compile(head + end.replace("TEXT", text), re.DOTALL) for head in heads for end in ends]
    return tuple(schema("Access", pattern, whole=True, time_field="time_local", plain=True) for pattern in patterns)
