"""What senders mean by their bytes: lines of text, JSON, or one text as it is."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from swak.event import DICT_BYTES, EVENTS_MAX, Block, Dicts
from swak.formats.json_lines import NESTING_MAX, deeper, read_object, read_objects
from swak.formats.json_text import JsonText, read_wide
from swak.formats.plain import is_utf8
from swak.formats.times import TimeCache, any_ns, iso_ns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from msgspec.json import Decoder

    from swak.event import Body, Record

CodecName = Literal["line", "json", "plain"]

FAILURE = "_jsonparsefailure"
"""Tag of an event whose JSON could not be read; the name is that of Logstash."""

_ENCODER = msgspec.json.Encoder()
_ARRAYS = msgspec.json.Decoder(list[dict[str, Any]])


class Codec:
    """Turns bytes into events of one tag. Nothing is dropped: what is no JSON stays text, marked so."""

    def __init__(
        self, name: CodecName, *, encoding: str = "utf-8", host_field: str | None, time_field: str | None
    ) -> None:
        self._name = name
        self._encoding = encoding
        self._host_field = host_field
        self._time_field = time_field
        self._times = TimeCache(iso_ns)
        self._heads = _heads(host_field, time_field) if name == "json" and encoding == "utf-8" else None
        self.failures = 0
        """Lines that were to be JSON and were not."""

    def lines(self, parts: Sequence[tuple[bytes, str]], now_ns: int) -> list[Body]:
        """Return the events of whole lines, each with its line feed, and of the address they came from."""
        if self._name != "json" and self._host_field is None:
            block = Block(b"".join([data for data, _ in parts]), now_ns, self._encoding)
            return [block] if block.count else []
        untouched = None if self._heads is None else self._untouched(self._heads, parts, now_ns)
        if untouched is not None:
            return list(untouched.bounded())
        records: list[Record] = []
        for data, host in parts:
            records += self._of_lines(data, host)
        return self._bodies(records, sum([len(data) for data, _ in parts]), now_ns)

    def texts(self, parts: Sequence[tuple[bytes, str]], now_ns: int) -> list[Body]:
        """Return the events of texts that came as a whole each, e.g. in a datagram, and of their senders' addresses."""
        if self._name == "line":
            return self.lines([(data if data.endswith(b"\n") else data + b"\n", host) for data, host in parts], now_ns)
        records: list[Record] = []
        for data, host in parts:
            text = data.decode(self._encoding, "replace")
            if self._name == "plain":
                records.append(self._text(text, host))
            elif "\n" in text.rstrip():
                records += self._with_host(self._many(text, host), host)
            elif text.strip():
                records += self._with_host(self._objects(text, host), host)
        return self._bodies(records, sum([len(data) for data, _ in parts]), now_ns)

    def whole(self, data: bytes, host: str, now_ns: int) -> list[Body]:
        """Return the events of a body that is taken as a whole or not at all. ValueError says which line is wrong."""
        text = data.decode(self._encoding, "replace")
        if self._name != "json":
            texts = [self._text(line.removesuffix("\r"), host) for line in _whole_lines(text)]
            return self._bodies(texts, len(data), now_ns)
        try:
            records = list(read_json_lines(text))
        except ValueError:
            if "\n" not in text.strip():
                raise
            try:
                records = read_json(text)  # one value that is laid out over several lines
            except ValueError:
                records = list(read_json_lines(text))  # its error names the line
        return self._bodies(self._with_host(records, host), len(data), now_ns)

    def _untouched(self, heads: Decoder[Any], parts: Sequence[tuple[bytes, str]], now_ns: int) -> JsonText | None:
        """Return the lines as they are, with the sender's address added at the end of each; None: look closer.

        A quarter of the cost of making dicts and encoding them again. An object can neither span two of these lines
        nor share one: nothing that JSON allows inside an object has `{` right after `}`, so each line begins objects,
        and there are as many objects as lines.
        """
        texts = [data.replace(b"\r\n", b"\n") if b"\r" in data else data for data, _ in parts]
        data = b"".join(texts)
        lines = data.split(b"\n")
        count = len(lines) - 1
        if not _plain_objects(data, lines):
            return None
        try:
            found = heads.decode_lines(data)
        except (ValueError, RecursionError):
            return None
        if len(found) != count:
            return None
        if self._host_field is not None:
            without = [one.host for one in found].count(msgspec.UNSET)
            if without == count:
                each = [text.split(b"\n") for text in texts] if len(texts) > 1 else [lines]
                data = b"".join([self._added(own, host) for own, (_, host) in zip(each, parts, strict=True)])
            elif without:
                return None
        if self._time_field is None:
            return JsonText(data, [now_ns] * count)
        return JsonText(data, [now_ns if one.time is None else self._time(one.time, now_ns) for one in found])

    def _added(self, lines: list[bytes], host: str) -> bytes:
        """Add the address at the end of each object; the last line is empty, and none holds an empty object."""
        more = b"," + _ENCODER.encode(self._host_field) + b":" + _ENCODER.encode(host) + b"}\n"
        return more.join([line[:-1] for line in lines])

    def _of_lines(self, data: bytes, host: str) -> list[Record]:
        if self._name != "json":
            return [self._text(line, host) for line in Block(data, 0, self._encoding).lines()]
        raw = data.split(b"\n")
        raw.pop()
        records = read_objects(raw) if self._encoding == "utf-8" else None
        if records is None:
            lines = Block(data, 0, self._encoding).lines()
            records = [one for line in lines if line.strip() for one in self._objects(line, host)]
        return self._with_host(records, host)

    def _bodies(self, records: Sequence[Record], size_bytes: int, now_ns: int) -> list[Body]:
        """Give records their times, and cut them into bodies of at most EVENTS_MAX.

        `size_bytes` is the length of what they were made of: counting their text anew costs 0.4 CPU-s a million.
        """
        times = self._times_of(records, now_ns)
        each = DICT_BYTES + size_bytes // max(1, len(records))
        bodies: list[Body] = []
        for at in range(0, len(records), EVENTS_MAX):
            part = list(records[at : at + EVENTS_MAX])
            bodies.append(Dicts(part, times[at : at + EVENTS_MAX], each * len(part)))
        return bodies

    def _text(self, text: str, host: str) -> Record:
        record: Record = {"message": text}
        if self._host_field is not None:
            record[self._host_field] = host
        return record

    def _many(self, text: str, host: str) -> list[Record]:
        """Read JSON that is laid out over several lines, or else JSON lines."""
        try:
            return read_json(text)
        except ValueError:
            return [one for line in text.split("\n") if line.strip() for one in self._objects(line, host)]

    def _objects(self, line: str, host: str) -> list[Record]:
        try:
            return read_json(line)
        except ValueError as error:
            if "out of range" in str(error):
                with suppress(ValueError):  # then it is none for another reason, too
                    return [read_wide(line)]
            self.failures += 1
            return [{**self._text(line, host), "tags": [FAILURE]}]

    def _with_host(self, records: list[Record], host: str) -> list[Record]:
        name = self._host_field
        if name is not None:
            for record in records:
                record.setdefault(name, host)
        return records

    def _times_of(self, records: Sequence[Record], now_ns: int) -> list[int]:
        name = self._time_field
        if name is None or self._name != "json":
            return [now_ns] * len(records)
        return [now_ns if (value := record.get(name)) is None else self._time(value, now_ns) for record in records]

    def _time(self, value: object, now_ns: int) -> int:
        try:
            return self._times[value] if isinstance(value, str) else any_ns(value)
        except ValueError:
            return now_ns


def _heads(host_field: str | None, time_field: str | None) -> Decoder[Any] | None:
    """Return what checks a line, and takes the two fields out that matter here; None where no struct can do that."""
    names = {"host": host_field, "time": time_field}
    wanted: dict[str, str] = {name: field for name, field in names.items() if field is not None}
    defaults = {"host": msgspec.UNSET, "time": None}
    fields = [(name, Any, defaults[name]) for name in wanted]
    try:
        return msgspec.json.Decoder(msgspec.defstruct("Head", fields, rename=wanted, gc=False))
    except ValueError:  # both are one field, or a name has quotes
        return None


def _plain_objects(data: bytes, lines: list[bytes]) -> bool:
    """Tell whether every line begins as an object with a key and ends as one does, in good UTF-8 and not too deep."""
    if not (data.startswith(b'{"') and data.endswith(b"}\n") and data.count(b'}\n{"') == len(lines) - 2):
        return False
    if b"\r" in data:
        return False
    if max(map(len, lines)) > 2 * NESTING_MAX and data.count(b"{") + data.count(b"[") - len(lines) > NESTING_MAX - 2:
        return False  # short lines cannot be deep, nor those with few brackets
    return is_utf8(data)


def read_json(text: str) -> list[Record]:
    """Read one object, or an array of objects. ValueError says what is wrong."""
    if text.lstrip()[:1] != "[":
        return [read_object(text)]
    try:
        records = _ARRAYS.decode(text)
    except RecursionError:
        raise ValueError(f"nested deeper than {NESTING_MAX} levels") from None
    except ValueError as error:
        raise ValueError(str(error).removeprefix("JSON is malformed: ")) from None
    if text.count("{") + text.count("[") > NESTING_MAX and any(deeper(one, NESTING_MAX) for one in records):
        raise ValueError(f"nested deeper than {NESTING_MAX} levels")
    return records


def read_json_lines(text: str) -> Iterator[Record]:
    """Read one object (or array of objects) a line; empty lines are skipped. ValueError names the line."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield from read_json(line)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None


def _whole_lines(text: str) -> list[str]:
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]
