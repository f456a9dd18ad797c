"""Input for the benchmarks: real lines of an access log, repeated up to a number."""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

BLOCK_BYTES = 1 << 20


def build(source: Path, target: Path, lines: int) -> None:
    """Write `lines` lines of `source` (plain or .gz) to `target`, from its start again whenever it ends."""
    with target.open("wb") as out:
        written = 0
        while written < lines:
            with gzip.open(source) if source.suffix == ".gz" else source.open("rb") as lines_in:
                before = written
                for line in lines_in:
                    out.write(line)
                    written += 1
                    if written == lines:
                        return
            if written == before:
                raise SystemExit(f"{source} holds no line")


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            sha.update(block)
    return sha.hexdigest()
