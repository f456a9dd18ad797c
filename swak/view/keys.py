"""From what a terminal sends to names of keys."""

from __future__ import annotations

import codecs
import re

NAMED = {
    "\r": "enter",
    "\n": "enter",
    "\t": "tab",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x0c": "redraw",
    "\x15": "clear",
}
"""Single characters that mean a key. Ctrl-L draws anew, Ctrl-U clears what was typed."""
SEQUENCES = {
    "A": "up", "B": "down", "C": "right", "D": "left", "H": "home", "F": "end",
    "1~": "home", "4~": "end", "5~": "pageup", "6~": "pagedown", "7~": "home", "8~": "end", "3~": "delete",
}  # fmt: skip
"""What follows ESC [ or ESC O, by xterm, rxvt and the Linux console."""
WINDOWS = {
    "H": "up", "P": "down", "M": "right", "K": "left", "G": "home", "O": "end", "I": "pageup", "Q": "pagedown",
    "S": "delete",
}  # fmt: skip
"""What msvcrt.getwch gives after "\\x00" or "\\xe0"."""

_SEQUENCE = re.compile(r"\x1b(?:\[([0-?]*)[ -/]*([@-~])|O([A-Za-z]))")
_BEGUN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O)?")
_LONGEST = 32
"""No sequence is longer: what looks so is no key."""


class Decoder:
    """Makes keys of bytes, which may come in any pieces. A lone ESC is known by what does not follow it."""

    def __init__(self) -> None:
        self._text = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    @property
    def waits(self) -> bool:
        """Whether a key may have come in part: `flush` says that nothing follows."""
        return bool(self._rest)

    def feed(self, received: bytes) -> list[str]:
        """Return the keys that are complete: printable characters as themselves, others by name."""
        text = self._rest + self._text.decode(received)
        keys: list[str] = []
        at = 0
        while at < len(text):
            if text[at] != "\x1b":
                keys += _single(text[at])
                at += 1
            elif found := _SEQUENCE.match(text, at):
                keys += _named(found)
                at = found.end()
            elif (begun := _BEGUN.match(text, at)) and begun.end() == len(text) and len(text) - at < _LONGEST:
                break  # it may go on
            else:
                keys.append("escape")
                at += 1
        self._rest = text[at:]
        return keys

    def flush(self) -> list[str]:
        """Return what a part of a key means when nothing more comes: the Escape key."""
        rest, self._rest = self._rest, ""
        return ["escape"] if rest else []


def _single(character: str) -> list[str]:
    if character in NAMED:
        return [NAMED[character]]
    return [character] if character.isprintable() else []


def _named(found: re.Match[str]) -> list[str]:
    given, final, application = found.groups()
    name = application or (given.partition(";")[0] + "~" if final == "~" else final)
    return [SEQUENCES[name]] if name in SEQUENCES else []


def of_windows(prefix: str, character: str) -> list[str]:
    """Return the key of what getwch gave; `prefix` is what came before it for a key that is no character."""
    if prefix:
        return [WINDOWS[character]] if character in WINDOWS else []
    return ["escape"] if character == "\x1b" else _single(character)
