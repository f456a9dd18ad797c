"""How the bytes of a file become lines of UTF-8: where lines and characters end, and what is no text."""

from __future__ import annotations

import codecs
import encodings.aliases
import re
from functools import lru_cache

from swak.options import suggest

_BAD = "\udcff"
"""Stands for a bad byte sequence until it is counted: a lone surrogate, which is in no text."""
_LONE = re.compile("[\ud800-\udfff]")
_ERRORS = "swak.tailing.bad"
codecs.register_error(_ERRORS, lambda error: (_BAD, error.end))  # type: ignore[attr-defined]  # a UnicodeError has it

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16's, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_GB18030_BOM = "\ufeff".encode("gb18030")
_PLAIN_NAMES = {"ascii": "utf-8", "utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
_STATEFUL = ("hz", "utf-7", "iso2022")
"""Codecs whose bytes mean different things after a shift: a line begins unshifted, whatever the one before it did."""
_PRELUDES = {"iso2022_kr": b"\x1b$)C"}
"""What stands once in a file, and each line needs in order to be decoded by itself."""
_CHARACTER_BYTES = 8
"""No character has more in any codec, an escape sequence before it included."""
_EXAMPLES = "there is, for example, utf-8, utf-16, latin-1, cp1252, cp949, euc-kr, shift_jis, gb18030, big5"


class Codec:
    """How the bytes of one file become lines. Shared by files that begin alike: nothing in it changes.

    Only LF ends a line: no NEL, no U+2028, and CR only in so far as it stays at the end of a line's text.
    """

    __slots__ = ("_crlf", "_prelude", "_stateful", "bom_bytes", "certain", "line_end", "name", "passes", "width")

    def __init__(self, name: str, bom_bytes: int = 0, *, certain: bool = True) -> None:
        self.name = name
        """Python's name of the codec, such as "utf-16-le"."""
        self.bom_bytes = bom_bytes
        """What is to be skipped at offset 0."""
        self.certain = certain
        """Whether the head was long enough: if not, a byte order mark may still come of it, but no line has ended."""
        self.passes = name == "utf-8"
        """Whether bytes go through as they are."""
        self.line_end = "\n".encode(name)
        self.width = len(self.line_end)
        """Bytes of a code unit: line ends count only at offsets that are multiples of it."""
        self._crlf = "\r\n".encode(name)
        self._prelude = _PRELUDES.get(name, b"")
        self._stateful = name.startswith(_STATEFUL)

    def __repr__(self) -> str:
        return f"Codec({self.name!r}, {self.bom_bytes}, certain={self.certain})"

    def last_end(self, block: bytes) -> int:
        """Return the index after the last line end, 0 if there is none. `block` begins at a code unit."""
        at = block.rfind(self.line_end)
        while at > 0 and at % self.width:
            at = block.rfind(self.line_end, 0, at)  # two line ends never share bytes
        return at + self.width if at >= 0 else 0

    def first_end(self, block: bytes, start: int = 0) -> int:
        """Return the index after the first line end at or after `start`, 0 if there is none."""
        at = block.find(self.line_end, start)
        while at > 0 and at % self.width:
            at = block.find(self.line_end, at + 1)
        return at + self.width if at >= 0 else 0

    def late_end(self, fresh: bytes) -> int:
        """Return how many bytes of a line end, LF or CR LF, `fresh` begins with; 0 if it does not."""
        for end in (self.line_end, self._crlf):
            if fresh.startswith(end):
                return len(end)
        return 0

    def ended(self, line: bytes) -> bytes:
        """Return a line whose end will not come with an end. A torn code unit at its end becomes a bad one."""
        torn = len(line) % self.width
        if torn:
            line = line[:-torn] + _BAD.encode(self.name, "surrogatepass")
        return line + self.line_end

    def shorten(self, line: bytes, limit: int) -> bytes:
        """Return the longest beginning of `line` of at most `limit` bytes that ends where a character ends.

        What is no text is cut anywhere. A shift may stay open, as the next line begins without one.
        """
        head = line[:limit]
        if self.passes:
            tail = head[-3:]
            pending = len(tail) - codecs.utf_8_decode(tail, "replace", False)[1]
        else:
            pending = self._pending(head)
        return head[: len(head) - pending]

    def split(self, lines: bytes) -> list[bytes]:
        """Return the lines without their ends."""
        parts = lines.split(self.line_end)
        if not parts[-1]:
            parts.pop()
        if self.width == 1 or not any(len(part) % self.width for part in parts):
            return parts
        parts = []
        start = 0
        while end := self.first_end(lines, start):
            parts.append(lines[start : end - self.width])
            start = end
        return [*parts, lines[start:]] if start < len(lines) else parts

    def to_utf8(self, lines: bytes) -> tuple[bytes, int]:
        """Return as many lines of UTF-8, each ended by LF, and how many bad byte sequences became U+FFFD.

        `lines`: whole lines. Where the bytes pass they stay as they are, and bad ones are only counted.
        """
        if self.passes:
            return lines, _count_bad_utf8(lines)
        if not self._stateful:
            try:
                text = lines.decode(self.name)
                if self.width > 1 or text.count("\n") == lines.count(self.line_end):
                    return text.encode(), 0
            except UnicodeError:
                pass  # something in it is bad: a bad sequence must not take the end of its line with it
        texts = [self._decode(line) for line in self.split(lines)]
        text, bad = _LONE.subn("\ufffd", "\n".join([*texts, ""]))
        return text.encode(), bad

    def is_bad(self, line: bytes) -> bool:
        """Tell whether a line, without its end, has bytes that are no text."""
        if self.passes:
            return _count_bad_utf8(line) > 0
        return _LONE.search(self._decode(line)) is not None

    def _pending(self, head: bytes) -> int:
        """Return how many bytes at the end wait for the rest of their character."""
        decoder = codecs.getincrementaldecoder(self.name)("replace")
        try:
            decoder.decode(self._prelude + head)
        except UnicodeError:  # "pending buffer overflow": an escape sequence that is none and has no end
            return 0
        pending = len(decoder.getstate()[0])
        return pending if pending <= _CHARACTER_BYTES else 0  # UTF-7 holds back all that follows a shift

    def _decode(self, line: bytes) -> str:
        """Return the text of a line, with a lone surrogate for each bad sequence and for each line end made of none."""
        text = (self._prelude + line).decode(self.name, _ERRORS)
        return text.replace("\n", _BAD) if "\n" in text else text


def check_encoding(name: str) -> None:
    """Raise ValueError, which says what is wrong and what may be meant, unless files can be read as `name`."""
    try:
        codecs.lookup(name)
    except (LookupError, ValueError):
        near = suggest(name.replace("-", "_"), _usable_names())
        hint = near.replace("_", "-") if near.startswith("did you mean") else _EXAMPLES
        raise ValueError(f"there is no encoding {name!r}; {hint}") from None
    if not _is_text(name):
        raise ValueError(f"{name!r} is a codec of Python's, but no encoding of text; {_EXAMPLES}")
    if not _keeps_lines(name):
        raise ValueError(f"the encoding {name!r} cannot be read line by line; {_EXAMPLES}")


def codec_for(encoding: str, head: bytes) -> Codec:
    """Return the codec of a file that begins with `head`: its first 4 bytes, or all that it has.

    `encoding`: a name that `check_encoding` takes. A byte order mark wins over it and is skipped, whichever encoding
    was named. Without one "utf-16" and "utf-32" are little endian. "ascii" is read as UTF-8, which it is a part of.
    FF FE 00 00 is UTF-32, unless UTF-16 was named: then it is a mark and a NUL.
    """
    name = _plain_name(encoding)
    marks = [(mark, of) for mark, of in _BOMS if of != "utf-32-le" or not name.startswith("utf-16")]
    if name == "gb18030":
        marks.append((_GB18030_BOM, name))
    certain = not any(mark.startswith(head) and mark != head for mark, _ in marks)
    for mark, of in marks:
        if head.startswith(mark):
            return _codec(of, len(mark), certain)
    return _codec(name, 0, certain)


@lru_cache
def _codec(name: str, bom_bytes: int, certain: bool) -> Codec:
    return Codec(name, bom_bytes, certain=certain)


def _plain_name(encoding: str) -> str:
    name = codecs.lookup(encoding).name
    return _PLAIN_NAMES.get(name, name)


def _count_bad_utf8(text: bytes) -> int:
    if text.isascii():
        return 0
    try:
        text.decode()
    except UnicodeDecodeError:
        # A U+FFFD that is there already is always decoded as one: its first byte goes on no other sequence.
        return text.decode("utf-8", "replace").count("\ufffd") - text.count(b"\xef\xbf\xbd")
    return 0


def _is_text(name: str) -> bool:
    try:
        "".encode(name)
    except LookupError:
        return False
    except UnicodeError:
        return True  # of text, but of none that can be read: `_keeps_lines` tells
    return True


def _keeps_lines(name: str) -> bool:
    """Tell whether lines that are encoded one by one make up the encoded text, and bad bytes can be replaced."""
    plain = _plain_name(name)
    sample = "a\n\n.b"
    try:
        end = "\n".encode(plain)
        encoded = sample.encode(plain)
        decoded = encoded.decode(plain, _ERRORS)
        lines = [line.encode(plain) for line in sample.split("\n")]
    except UnicodeError:
        return False
    unit = len("a".encode(plain))
    return len(end) == unit and end.join(lines) == encoded and decoded == sample


def _usable_names() -> list[str]:
    """Return Python's names of encodings, with underscores. Loads all of its codecs: for errors only."""
    names = {*encodings.aliases.aliases, *encodings.aliases.aliases.values()}
    return [name for name in names if len(name) > 3 and not name.isdigit() and _is_usable(name)]


def _is_usable(name: str) -> bool:
    try:
        return _is_text(name) and _keeps_lines(name)
    except LookupError:  # Windows has some of its own
        return False
