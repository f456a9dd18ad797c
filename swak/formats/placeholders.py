"""Values made of `${field}`, `${tag}`, `${time}` and their like."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from swak.formats.template import look_up, text_of
from swak.formats.times import iso_ms

if TYPE_CHECKING:
    from swak.event import Event

Filled = Callable[["Event"], Any]

_FOUND = re.compile(r"\$(\$+\{)|\$\{([^{}]*)(\}?)")
_INDEXED = re.compile(r"(record|tag_parts|tag_prefix|tag_suffix|hostaddr_parts)\[(.*)\]", re.DOTALL)
_OF_HOST = re.compile(r"hostname|hostaddr|hostaddr_parts\[.*\]", re.DOTALL)
NAMES = (
    "${time}, ${tag}, ${tag_parts[0]}, ${tag_prefix[0]}, ${tag_suffix[0]}, ${hostname}, ${hostaddr}, ${record[name]}"
)


def filled(value: Any) -> Filled:
    """Return a function that fills `value` in for an event. ValueError says what cannot be read.

    A text that is one placeholder and nothing else gives the value itself, with its type; in a longer text values are
    text, and what is missing is empty. `$${` stands for `${`. Texts in dicts and lists are filled in, too; other values
    are as they are.
    """
    if isinstance(value, str):
        return _filled_text(value)
    if isinstance(value, dict):
        named = [(name, filled(one)) for name, one in value.items()]
        return lambda event: {name: fill(event) for name, fill in named}
    if isinstance(value, list | tuple):
        fills = [filled(one) for one in value]
        return lambda event: [fill(event) for fill in fills]
    return lambda _: value


def same_for_all(value: Any) -> bool:
    """Tell whether `value` is filled in alike for every event, with something that events may share.

    So are texts that tell of the host only, and what cannot be changed; no list, even of such.
    """
    if isinstance(value, str):
        names = [match[2].strip() for match in _FOUND.finditer(value) if not match[1]]
        return all(map(_OF_HOST.fullmatch, names))
    return value is None or isinstance(value, bool | int | float | bytes)


def _filled_text(text: str) -> Filled:
    parts: list[str | Filled] = []
    end = 0
    for match in _FOUND.finditer(text):
        parts.append(text[end : match.start()])
        end = match.end()
        if match[1]:
            parts.append(match[1])
        elif not match[3]:
            raise ValueError(f'"${{" at character {match.start()} is not closed; write $${{ for the text itself')
        else:
            parts.append(_value(match[2].strip()))
    parts.append(text[end:])
    kept = [part for part in parts if part]
    if len(kept) == 1 and not isinstance(kept[0], str):
        return kept[0]
    if all(isinstance(part, str) for part in kept):
        whole = "".join(part for part in kept if isinstance(part, str))
        return lambda _: whole
    return lambda event: "".join([part if isinstance(part, str) else text_of(part(event)) for part in kept])


def host_address() -> str:
    """Return the IPv4 address from which this machine reaches others; 127.0.0.1 without a network. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for documents (RFC 5737): connecting only picks a route
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _value(name: str) -> Filled:
    if not name:
        raise ValueError(f'"${{}}" names no field; there is {NAMES} and ${{field}}')
    match = _INDEXED.fullmatch(name)
    if match is not None and match[1] == "record":
        key = match[2].strip("\"'")
        return lambda event: look_up(event.record, key)
    if match is not None:
        return _part(match[1], name, match[2])
    if name in {"tag_parts", "tag_prefix", "tag_suffix", "hostaddr_parts"}:
        raise ValueError(f'"${{{name}}}" needs a number, as in ${{{name}[0]}}')
    if name == "time":
        return lambda event: iso_ms(event.time_ns)
    if name == "tag":
        return lambda event: event.tag
    if name in {"hostname", "hostaddr"}:
        known = cache(socket.gethostname if name == "hostname" else host_address)
        return lambda _: known()
    if "[" in name or "]" in name:
        raise ValueError(f'"${{{name}}}" is unknown: a field with such a name is ${{record[{name}]}}')
    return lambda event: look_up(event.record, name)


def _part(kind: str, name: str, index: str) -> Filled:
    """Return what gives one part of a tag or an address, or the parts up to it, or from it on."""
    if re.fullmatch(r"-?\d{1,4}", index, re.ASCII) is None:
        raise ValueError(f'"${{{name}}}": {index!r} is no whole number')
    number = int(index)
    if kind == "hostaddr_parts":
        known = cache(host_address)
        return lambda _: _at(known().split("."), number)
    if kind == "tag_parts":
        return lambda event: _at(event.tag.split("."), number)
    if kind == "tag_prefix":
        return lambda event: ".".join(event.tag.split(".")[: number + 1 or None])
    return lambda event: ".".join(event.tag.split(".")[number:])


def _at(parts: list[str], number: int) -> str:
    return parts[number] if -len(parts) <= number < len(parts) else ""
