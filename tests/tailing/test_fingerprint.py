from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from swak.tailing.content import Plain
from swak.tailing.fingerprint import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINE = b"%08d some line\n"
OFFSET = 100 * len(LINE % 0)


@pytest.fixture
def content(tmp_path: Path) -> Iterator[Plain]:
    """A file of which the first hundred lines were read."""
    (tmp_path / "a.log").write_bytes(b"".join(LINE % number for number in range(200)))
    fd = os.open(tmp_path / "a.log", os.O_RDWR)
    yield Plain(fd)
    os.close(fd)


def read_of(content: Plain) -> Fingerprint:
    fingerprint = Fingerprint()
    fingerprint.move(content, OFFSET, content.pread(OFFSET, 0))
    return fingerprint


def test_what_was_read_and_has_grown_fits(content: Plain) -> None:
    assert read_of(content).fits(content, OFFSET)


@pytest.mark.parametrize("at", [0, 500, OFFSET - 60, OFFSET - 1])
def test_another_head_or_other_bytes_before_the_position_do_not_fit(content: Plain, at: int) -> None:
    fingerprint = read_of(content)
    os.pwrite(content.fd, b"#", at)
    assert not fingerprint.fits(content, OFFSET)


def test_the_head_is_compared_on_request_only(content: Plain) -> None:
    fingerprint = read_of(content)
    os.pwrite(content.fd, b"#", 0)
    assert fingerprint.fits(content, OFFSET, head=False)


def test_moving_in_steps_remembers_the_same_as_at_once(content: Plain) -> None:
    stepwise = Fingerprint()
    before = 0
    for offset in (10, 50, 700, 1_500, OFFSET):
        stepwise.move(content, offset, content.pread(offset - before, before))
        before = offset
    at_once = read_of(content)
    assert (stepwise.tail, stepwise.head_hash, stepwise.beginning) == (
        at_once.tail,
        at_once.head_hash,
        at_once.beginning,
    )


@pytest.mark.parametrize("size", [0, 10, 64, 500, 2_000])
def test_a_copy_in_the_making_begins_as_what_was_read(content: Plain, tmp_path: Path, size: int) -> None:
    (tmp_path / "copy").write_bytes(content.pread(size, 0))
    copy = Plain(os.open(tmp_path / "copy", os.O_RDONLY))
    assert read_of(content).is_begun_by(copy)
    os.close(copy.fd)
