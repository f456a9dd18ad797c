"""Names of files made of a template, the time, the tag and the fields of an event: never outside of the template."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import sys
from typing import TYPE_CHECKING

from swak.formats.template import Times, look_up, parts_of, text_of, zone_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.event import Record

NAME_BYTES_MAX = 180
"""The longest file name that is made. File systems take 255; the rest is for what rotation and `.torn` add."""
HEAD_BYTES, TAIL_BYTES = 130, 30
"""What is kept of a longer one; the tail has its ending."""
SUBSTITUTE = "_"
"""Stands for a character that no name may have, and for a value that is none."""

_WINDOWS = sys.platform == "win32"
_UNSAFE = re.compile(r'[/\\:*?"<>|]' if _WINDOWS else r"[/\\]")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])[ .]*(?:\..*)?", re.IGNORECASE)
"""Names that lead to a device on Windows, in every folder and with every ending."""
_DIGITS = frozenset("YmdHMSjfyGVCsUWwu")
"""Directives of strftime that give digits only."""


class PathTemplate:
    """A path such as `/var/log/%Y/{tag}/{host}.log`: strftime in it, `{tag}`, `{time:...}` and fields of the record.

    A value is always a part of one name: it cannot be empty, begin with a dot, hold a slash, a backslash, or what
    cannot be printed; such characters become `_`, and a name that is too long has a hash for its middle. `told` is
    called with each value that was changed, and what it became.
    """

    def __init__(self, text: str, zone: str = "UTC", told: Callable[[str, str], None] | None = None) -> None:
        """Read the template. ValueError says what is wrong with it."""
        where = zone_of(zone)
        self.parts = parts_of(text)
        self._told = told
        self._literals = [Times(part.literal, where) if "%" in part.literal else part.literal for part in self.parts]
        self._times = {part.spec: Times(part.spec or "%Y%m%d", where) for part in self.parts if part.name == "time"}
        names = {part.name for part in self.parts} - {None}
        self.by_time = "time" in names or any(not isinstance(one, str) for one in self._literals)
        self.by_tag = "tag" in names
        self.by_field = bool(names - {"time", "tag"})
        literal = self.parts[0].literal.partition("%")[0] if self.parts else ""
        self.folder = os.path.dirname(literal)  # noqa: PTH120 - a Path would make "." of ""
        """The folder below which all its paths are, as far as it is the same for all."""

    @property
    def fixed(self) -> bool:
        """Whether it is one path for every event."""
        return not (self.by_time or self.by_tag or self.by_field)

    def path(self, tag: str, time_ns: int, record: Record) -> str:
        """Return the path for one event. TypeError for a value that no text can carry."""
        made = []
        for (_, name, spec), literal in zip(self.parts, self._literals, strict=True):
            made.append(literal if isinstance(literal, str) else literal.text(time_ns))
            if name == "time":
                made.append(self._safe(self._times[spec].text(time_ns)))
            elif name is not None:
                made.append(self._safe(tag if name == "tag" else text_of(look_up(record, name))))
        text = "".join(made)
        if self.fixed or (len(text) * 4 <= NAME_BYTES_MAX and not _WINDOWS):
            return text
        if _WINDOWS:
            return "/".join([_short(_no_device(name)) for name in text.split("/")])
        return "/".join([_short(name) for name in text.split("/")])

    def pattern(self) -> str:
        """Return a pattern for `glob` that its paths match, and perhaps more."""
        made = []
        for literal, name, _ in self.parts:
            made.append(re.sub(r"%[-_0^#]?[A-Za-z%]", "*", glob.escape(literal)))
            made.append("" if name is None else "*")
        return re.sub(r"\*{2,}", "*", "".join(made))

    def exact(self) -> re.Pattern[str] | None:
        """Return what all its paths look like, or None where more than the time varies."""
        if self.by_tag or self.by_field or not self.by_time:
            return None
        made = []
        for literal, name, spec in self.parts:
            made.append(_by_time(literal))
            made.append("" if name is None else _by_time(spec or "%Y%m%d"))
        return re.compile("".join(made))

    def _safe(self, value: str) -> str:
        made = value if value.isprintable() else "".join([one if one.isprintable() else SUBSTITUTE for one in value])
        made = _UNSAFE.sub(SUBSTITUTE, made)
        if made[:1] in {"", "."}:
            made = SUBSTITUTE + made[1:]
        if made != value and self._told is not None:
            self._told(value, made)
        return made


def _by_time(pattern: str) -> str:
    """Return the regular expression of what strftime makes of a pattern."""
    made = []
    for literal, directive in re.findall(r"([^%]+)|%[-_0^#]?([A-Za-z%])", pattern):
        text = r"[0-9]+" if directive in _DIGITS else "[^/]+"
        made.append(re.escape(literal) if literal else "%" if directive == "%" else text)
    return "".join(made)


def _no_device(name: str) -> str:
    """Return a name that Windows takes for one of a file: no device, and without dots and blanks at its end."""
    kept = name if name in {".", ".."} else name.rstrip(" .")
    name = kept + SUBSTITUTE * (len(name) - len(kept))
    return SUBSTITUTE + name if _DEVICE.fullmatch(name) else name


def _short(name: str) -> str:
    encoded = name.encode()
    if len(encoded) <= NAME_BYTES_MAX:
        return name
    head, tail = encoded[:HEAD_BYTES].decode(errors="ignore"), encoded[-TAIL_BYTES:].decode(errors="ignore")
    return f"{head}~{hashlib.blake2b(encoded, digest_size=6).hexdigest()}~{tail}"


def path_problems(path: str, suffix: str, mode: str | None) -> list[tuple[str, str]]:
    """Name what is wrong with the options that say where files go and how they are made, as (what, mend)."""
    problems = [] if path else [("path is empty", 'name a file, e.g. File("/tmp/out.json")')]
    try:
        PathTemplate(path)
    except ValueError as error:
        problems.append((f"path: {error}", 'write e.g. "/var/log/{tag}-%Y%m%d.log", and {{ for a brace'))
    if "/" in suffix or "\0" in suffix + path:
        problems.append(("suffix or path holds what no name may have", 'write e.g. suffix=".part"'))
    if mode is not None and not (mode and set(mode) <= set("01234567")):
        problems.append((f'mode "{mode}" is no octal number', 'write e.g. "0640"'))
    return problems
