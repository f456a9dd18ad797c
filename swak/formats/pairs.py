"""Pairs of key and value in a line: logfmt's, and those with separators of anybody's choice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from swak.formats.plain import whole

if TYPE_CHECKING:
    from swak.event import Record

GROWTH = 8
ROW_BYTES = 250
"""Resident bytes for each byte of a line, and beyond: measured 960 to 1,170 for 6 to 8 pairs in 96 to 116 bytes."""

# Possessive, so that a long line that does not fit is walked through once. Junk takes all that is left, and its key
# is empty.
LOGFMT = re.compile(r'([^\s="]++)(?:=("[^"\\]*+(?:\\.[^"\\]*+)*+"|[^\s"]*+))?+(?!\S)|\S.*', re.DOTALL)
"""A pair; or junk, which has no key."""
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r"}


def logfmt(line: str) -> Record:
    """Read a line such as `level=info msg="all is well" done`. ValueError says what does not fit, and where."""
    record: Record = dict(LOGFMT.findall(line))
    if "" in record or "=" not in line:
        raise ValueError(_wrong(line))
    if '"' in line:
        escaped = "\\" in line
        for key, value in record.items():
            if value[:1] == '"':
                record[key] = unquoted(value[1:-1]) if escaped else value[1:-1]
    return record


def _wrong(line: str) -> str:
    junk = next((match.start() for match in LOGFMT.finditer(line) if match[1] is None), None)
    return "no pair" if junk is None else f"no pair at character {junk}: {line[junk : junk + 50]!r}"


def unquoted(text: str) -> str:
    r"""Return the text between quotes with `\n`, `\t`, `\r` and `\u00e9` as characters; others lose the backslash."""
    return whole(_ESCAPE.sub(_meant, text)) if "\\" in text else text


def _meant(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else _CONTROLS.get(match[2], match[2])


class Pairs:
    """Reads lines of pairs with separators of any length; spaces around keys and values are no part of them.

    Each line is walked through once, whatever stands in it.
    """

    def __init__(self, between: str, equals: str, quotes: str) -> None:
        self._between = between
        self._equals = equals
        self._closing = {
            mark: re.compile(rf"((?:[^{re.escape(mark)}\\]++|\\.)*+){re.escape(mark)}", re.DOTALL) for mark in quotes
        }
        self._quote = re.compile(f"[{re.escape(quotes)}]") if quotes else None

    def read(self, line: str) -> tuple[Record, list[str]]:
        """Return the pairs of a line, and its words that are no pair. ValueError when a quote does not end a value."""
        if self._quote is not None and self._quote.search(line) is not None:
            return self._read_quoted(line)
        record: Record = {}
        words = []
        for part in line.split(self._between):
            key, found, value = part.partition(self._equals)
            key = key.strip()
            if found and key:
                record[key] = value.strip()
            elif part.strip():
                words.append(part.strip())
        return record, words

    def _read_quoted(self, line: str) -> tuple[Record, list[str]]:
        record: Record = {}
        words = []
        at, length = 0, len(line)
        while at < length:
            stop = line.find(self._between, at)
            stop = length if stop < 0 else stop
            key, found, value = line[at:stop].partition(self._equals)
            key, value = key.strip(), value.lstrip()
            if not (found and key):
                word = line[at:stop].strip()
                words += [word] if word else []
            elif value[:1] in self._closing:
                start = line.index(value[0], at + line[at:stop].index(self._equals) + len(self._equals)) + 1
                record[key], stop = self._quoted(line, start, value[0])
            else:
                record[key] = value.rstrip()
            at = stop + len(self._between)
        return record, words

    def _quoted(self, line: str, start: int, mark: str) -> tuple[str, int]:
        match = self._closing[mark].match(line, start)
        if match is None:
            raise ValueError(f"the quote at character {start - 1} is not closed")
        stop = line.find(self._between, match.end())
        stop = len(line) if stop < 0 else stop
        if line[match.end() : stop].strip():
            raise ValueError(f"text after the closing quote at character {match.end(1)}")
        return unquoted(match[1]), stop
