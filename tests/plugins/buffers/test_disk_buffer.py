from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak.errors import ConfigError
from swak.event import Chunk
from swak.plugins.buffers.disk_buffer import DiskBuffer
from swak.spool.halves import SpoolReader, SpoolWriter
from swak.testing import batch_of, event

if TYPE_CHECKING:
    from pathlib import Path


def test_its_ends_are_an_output_and_an_input_on_one_spool(tmp_path: Path) -> None:
    writer, reader = DiskBuffer(str(tmp_path / "spool")).halves()
    assert isinstance(writer, SpoolWriter)
    assert isinstance(reader, SpoolReader)
    writer.open()
    reader.open()
    writer.write(batch_of([event({"n": 1})]))
    writer.sync()
    chunk = reader.read()
    assert isinstance(chunk, Chunk)
    assert chunk.body.records() == [{"n": 1}]
    for end in (writer, reader):
        end.close()


def test_making_one_touches_nothing(tmp_path: Path) -> None:
    DiskBuffer(str(tmp_path / "spool")).halves()
    assert list(tmp_path.iterdir()) == []


def test_it_says_that_a_full_branch_behind_it_stops_no_other(tmp_path: Path) -> None:
    assert DiskBuffer(str(tmp_path)).decouples


@pytest.mark.parametrize("options", [{"max_size": "1k"}, {"when_full": "panic"}, {"max_age": "-1s"}, {"fsync": "soon"}])
def test_options_that_cannot_be_meant_are_refused(tmp_path: Path, options: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        DiskBuffer(str(tmp_path), **options)
