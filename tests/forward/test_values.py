from __future__ import annotations

import msgpack  # type: ignore[import-untyped]  # it has no types
import pytest

from swak.forward.faults import ProtocolError
from swak.forward.values import PART_BYTES, SMALL_BYTES, read_values, walker_of


@pytest.mark.parametrize("text", [b"\xa1a", b"\xa1\xe9"], ids=["UTF-8", "no UTF-8"])
def test_values_are_read_one_after_the_other(text: bytes) -> None:
    values = read_values(memoryview(text + msgpack.packb({"n": 1}) + msgpack.packb(None)), 3)
    assert values == [text[1:].decode("utf-8", "surrogateescape"), {"n": 1}, None]


def test_a_large_value_is_read_as_well() -> None:
    large = "x" * (PART_BYTES + SMALL_BYTES)
    assert read_values(memoryview(msgpack.packb(large)), 1) == [large]


def test_what_cannot_be_read_is_said() -> None:
    with pytest.raises(ProtocolError, match="no forward protocol"):
        read_values(memoryview(b"\xc1"), 1)
    with pytest.raises(ProtocolError, match="no forward protocol"):
        read_values(memoryview(b"\x81\x80\x00"), 1)


def test_a_walker_passes_values_over() -> None:
    walker = walker_of(memoryview(msgpack.packb([1, 2]) + b"\x07"))
    walker.skip()
    assert (walker.tell(), walker.unpack()) == (3, 7)
