"""Cutting a stream of bytes into lines, each bounded in length."""

from __future__ import annotations


class LineCutter:
    """Hands out whole lines as they come. A line longer than the bound is cut there, and its rest skipped.

    At most `line_bytes_max` are kept between calls.
    """

    __slots__ = ("_max", "_rest", "_skipping", "cut_lines")

    def __init__(self, line_bytes_max: int, rest: bytes = b"", *, skipping: bool = False) -> None:
        """`rest`, `skipping`: where another one has stopped."""
        self._max = line_bytes_max
        self._rest = bytearray(rest)
        """It grows in place: a sender of single bytes must not cost a copy of the line for each."""
        self._skipping = skipping
        self.cut_lines = 0
        """Lines that were too long."""

    @property
    def held_bytes(self) -> int:
        """Length of the line that is not finished."""
        return len(self._rest)

    @property
    def rest(self) -> bytes:
        """The line that is not finished."""
        return bytes(self._rest)

    @property
    def skipping(self) -> bool:
        """Whether what comes is the rest of a line that was cut."""
        return self._skipping

    def feed(self, data: bytes) -> bytes:
        """Return whole lines, each with its line feed."""
        if self._skipping:
            end = data.find(b"\n") + 1
            if not end:
                return b""
            self._skipping = False
            data = data[end:]
        end = data.rfind(b"\n") + 1
        whole = b""
        if end:
            whole = b"".join((self._rest, memoryview(data)[:end])) if self._rest else data[:end]
            self._rest = bytearray(data[end:])
        else:
            self._rest += data
        if len(whole) > self._max:
            whole = self._bounded(whole)
        return whole + self.cut() if len(self._rest) > self._max else whole

    def cut(self) -> bytes:
        """Return the unfinished line as far as it is allowed to be long; what is still to come of it is skipped."""
        if not self._rest:
            return b""
        line, self._rest, self._skipping = bytes(self._rest[: self._max]), bytearray(), True
        self.cut_lines += 1
        return _at_character(line) + b"\n"

    def end(self) -> bytes:
        """Return the unfinished line, when nothing comes any more."""
        line, self._rest = bytes(self._rest), bytearray()
        return line + b"\n" if line else b""

    def _bounded(self, whole: bytes) -> bytes:
        lines = whole.split(b"\n")
        long = [at for at, line in enumerate(lines) if len(line) > self._max]
        for at in long:
            lines[at] = _at_character(lines[at][: self._max])
        self.cut_lines += len(long)
        return b"\n".join(lines) if long else whole


def _at_character(line: bytes) -> bytes:
    """Drop the beginning of a UTF-8 character that the cut has left at the end."""
    for back in range(1, min(4, len(line)) + 1):
        byte = line[-back]
        if byte & 0xC0 != 0x80:  # the first byte of a character, or a character of its own
            wanted = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return line[:-back] if wanted > back else line
    return line
