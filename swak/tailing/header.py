"""Lines that say how the ones after them are read, found again when a file is read on in its middle."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.tailing.content import Content
    from swak.tailing.encoding import Codec

BLOCK_BYTES = 256 * 1024
LINE_BYTES = 64 * 1024
"""What is kept of a line that began in an earlier block: longer ones are no header."""


def header_before(content: Content, codec: Codec, end: int, beginnings: Sequence[str]) -> bytes:
    """Return the last line before `end` for each of `beginnings`, with line ends, in the order of the file.

    The file is looked through backwards until all are found: a header that stands only at its start costs one reading
    of what is before `end`.
    """
    wanted = {beginning.encode(codec.name) for beginning in beginnings}
    found: list[bytes] = []
    rest = b""
    while end > codec.bom_bytes and wanted:
        start = max(codec.bom_bytes, end - BLOCK_BYTES + BLOCK_BYTES % codec.width)
        data = content.pread(end - start, start) + rest
        cut = codec.first_end(data) if start > codec.bom_bytes else 0
        rest = data[: cut or LINE_BYTES][:LINE_BYTES]
        whole = data[cut:] if cut or start == codec.bom_bytes else b""
        for line in reversed(codec.split(codec.ended(whole))):
            hits = [one for one in wanted if line.startswith(one)]
            found += [codec.ended(line)] if hits else []
            wanted.difference_update(hits)
        end = start
    return b"".join(reversed(found))
