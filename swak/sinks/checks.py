"""What can be wrong with the options of an output that writes files, where they do not fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from swak.sinks.compress import available
from swak.sinks.once import decoder_of
from swak.sinks.pathname import PathTemplate, path_problems

if TYPE_CHECKING:
    from collections.abc import Iterator


class Wishes(NamedTuple):
    """What the options of a file ask for."""

    path: str
    suffix: str
    mode: str | None
    form: str
    header: bool
    compress: Literal["gzip", "zstd"] | None
    rotates: bool
    keep: int | None
    dedupe: str | None


def problems(wishes: Wishes) -> Iterator[tuple[str, str]]:
    """Yield what is wrong, and the mend. Touches no file."""
    in_path = path_problems(wishes.path, wishes.suffix, wishes.mode)
    yield from in_path
    if wishes.compress and not available(wishes.compress):
        yield f"this Python has no {wishes.compress}", "pip install backports.zstd, or take gzip"
    if wishes.keep and not wishes.rotates:
        yield "keep without rotation", 'give rotate_size or rotate_every, e.g. rotate_every="1d"'
    if wishes.header and wishes.form not in {"csv", "tsv"}:
        yield f'format="{wishes.form}" has no header', 'leave it out, or choose "csv" or "tsv"'
    if wishes.dedupe is not None and not in_path:
        yield from _once(wishes, wishes.dedupe)


def _once(wishes: Wishes, field: str) -> Iterator[tuple[str, str]]:
    """Yield why a file cannot be kept from taking events twice."""
    try:
        if not field:
            raise ValueError  # noqa: TRY301 - as bad as a name that cannot be
        decoder_of(field)
    except ValueError:
        yield f"dedupe cannot look for a field {field!r}", 'name a field of the record, e.g. dedupe="id"'
    if wishes.form != "json":
        yield f'dedupe cannot find a field in format="{wishes.form}"', 'leave the format at "json"'
    if not PathTemplate(wishes.path).fixed:
        yield "dedupe knows what one file holds, and this path names many", "take %, {tag} and {field} out of the path"
    if wishes.rotates or wishes.compress or wishes.suffix:
        mend = "leave rotate_size, rotate_every, compress and suffix out"
        yield "dedupe knows what one file holds, and a finished file is another one", mend
