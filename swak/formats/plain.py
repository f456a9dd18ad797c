"""Records made of what every format can carry, for those few that are not."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from swak.event import Dicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.event import Body, Record


def readable(body: Body) -> Sequence[Record]:
    """Return a body's records to read and never to change, without copying where that is possible."""
    return body.shared if isinstance(body, Dicts) else body.records()


def plain(value: Any) -> Any:
    """Return `value` with text keys, times as ISO text, and U+FFFD for each lone surrogate; bytes stay bytes.

    TypeError for what no format can carry. This is the slow way: encoders take it when the fast one fails.
    """
    return _without_surrogates(msgspec.to_builtins(value, builtin_types=(bytes, bytearray, memoryview), str_keys=True))


def whole(text: str) -> str:
    """Return `text` with surrogate pairs joined and lone surrogates replaced by U+FFFD, so that UTF-8 can carry it."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def is_utf8(data: bytes) -> bool:
    """Tell whether bytes are good UTF-8."""
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            return False
    return True


def utf8(text: str) -> bytes:
    """Encode; bytes that were smuggled in as surrogates (`surrogateescape`) come out as they were."""
    for errors in ("strict", "surrogateescape"):
        with suppress(UnicodeEncodeError):
            return text.encode("utf-8", errors)
    return whole(text).encode()


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else whole(value)
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(one) for one in value]
    return value
