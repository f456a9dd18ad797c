from __future__ import annotations

import pytest

from swak.errors import ConfigError
from swak.event import Block
from swak.plugins.buffers.sized_buffer import SizedBuffer
from swak.testing import block_of, drive_buffer, event


def test_groups_have_exactly_the_size_and_the_last_what_is_left() -> None:
    groups = drive_buffer(SizedBuffer(100), [event({"n": number}, at_s=number) for number in range(250)])
    assert [len(group) for group in groups] == [100, 100, 50]
    assert [one["n"] for group in groups for one in group] == list(range(250))


def test_a_full_group_leaves_at_once() -> None:
    buffer = SizedBuffer(2)
    buffer.open()
    buffer.add(block_of("a"))
    assert buffer.take(end=False) is None
    buffer.add(block_of("b"))
    batch = buffer.take(end=False)
    assert batch is not None
    assert batch.count == 2
    assert buffer.take(end=False) is None


def test_lines_stay_raw_and_keep_their_times() -> None:
    buffer = SizedBuffer(3)
    buffer.open()
    buffer.add(block_of(b"\xff", at_s=1))
    buffer.add(block_of("b", "c", "d", at_s=2))
    batch = buffer.take(end=False)
    assert batch is not None
    assert isinstance(batch.body, Block)
    assert batch.body.data == b"\xff\nb\nc\n"
    assert list(batch.body.times()) == [10**9, 2 * 10**9, 2 * 10**9]


@pytest.mark.parametrize("count", [0, -1, "100", 1.5])
def test_a_count_that_is_none_is_refused(count: object) -> None:
    with pytest.raises(ConfigError):
        SizedBuffer(count)
