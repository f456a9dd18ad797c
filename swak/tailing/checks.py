"""What can be wrong with the options of a tailed file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swak.options import suggest
from swak.tailing.encoding import check_encoding
from swak.tailing.multiline import parse_multiline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FIELDS = ("path", "offset", "host", "id")
"""Fields that can be added to events."""


def problems(paths: Sequence[str], fields: Sequence[str], encoding: str, multiline: Any) -> Iterator[tuple[str, str]]:
    """Yield what is wrong, and the mend. Touches no file."""
    if not paths or not all(paths):
        yield "path is empty", 'name a file or a pattern, such as "/var/log/app.log"'
    if any("\0" in path for path in paths):
        yield "path holds a NUL character", "no file has such a name"
    for field in fields:
        if field not in FIELDS:
            yield f'there is no field "{field}" to add', suggest(field, FIELDS)
    try:
        check_encoding(encoding)
    except ValueError as error:
        yield str(error), ""
    try:
        if multiline is not None:
            parse_multiline(multiline)
    except ValueError as error:
        yield f'option "multiline": {error}', ""
