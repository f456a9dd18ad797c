from __future__ import annotations

import codecs
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swak.tailing import header
from swak.tailing.content import Plain
from swak.tailing.encoding import codec_for
from swak.tailing.header import header_before
from tests.tailing.tails import Tail, append

if TYPE_CHECKING:
    from pathlib import Path

W3C = ["#Date:", "#Fields:"]


def found(path: Path, data: bytes, end: int | None = None, encoding: str = "utf-8") -> bytes:
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        codec = codec_for(encoding, data[:4])
        return header_before(Plain(descriptor), codec, len(data) if end is None else end, W3C)
    finally:
        os.close(descriptor)


def test_the_last_line_of_each_kind_is_found_in_the_order_of_the_file(tmp_path: Path) -> None:
    data = b"#Fields: a\n#Date: 1\nx\n#Fields: a b\n#Software: s\ny z\n"
    assert found(tmp_path / "a", data) == b"#Date: 1\n#Fields: a b\n"


def test_what_stands_after_the_position_is_not_looked_at(tmp_path: Path) -> None:
    data = b"#Fields: a\nx\n#Fields: b\n"
    assert found(tmp_path / "a", data, end=13) == b"#Fields: a\n"


def test_there_may_be_none(tmp_path: Path) -> None:
    assert found(tmp_path / "a", b"x #Fields: a\n") == b""
    assert found(tmp_path / "a", b"") == b""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_the_line(tmp_path: Path, encoding: str) -> None:
    name = "utf-16-le" if encoding == "utf-16" else encoding
    mark = codecs.BOM_UTF8 if name == "utf-8" else codecs.BOM_UTF16_LE
    data = mark + "#Fields: a\nx\n".encode(name)
    assert found(tmp_path / "a", data, encoding=encoding) == "#Fields: a\n".encode(name)


@given(
    st.lists(st.sampled_from([b"", b"x", b"#Fields: a", b"#Date: 2", b"y" * 50, b"#Fields: long" + b"z" * 20])),
    st.integers(1, 40),
)
def test_it_is_the_same_however_the_file_is_cut_into_blocks(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], block_bytes: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "header.log"
    wanted: dict[bytes, bytes] = {}
    for line in lines:
        for beginning in (b"#Date:", b"#Fields:"):
            if line.startswith(beginning):
                wanted.pop(beginning, None)
                wanted[beginning] = line + b"\n"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(header, "BLOCK_BYTES", block_bytes)
        assert found(path, b"".join(line + b"\n" for line in lines)) == b"".join(wanted.values())


def test_a_file_that_is_read_on_in_its_middle_gives_its_header_again(tmp_path: Path) -> None:
    path = tmp_path / "u_ex.log"
    append(path, b"#Fields: a\none\n")
    with Tail(path, header=["#Fields:"]) as tail:
        assert tail.read() == b"#Fields: a\none\n"
        positions = tail.positions
    append(path, b"two\n")
    with Tail(path, positions, header=["#Fields:"]) as again:
        assert again.read() == b"#Fields: a\ntwo\n"
        append(path, b"three\n")
        assert again.read() == b"three\n"


def test_nothing_comes_again_while_there_is_nothing_new(tmp_path: Path) -> None:
    path = tmp_path / "u_ex.log"
    append(path, b"#Fields: a\none\n")
    with Tail(path, header=["#Fields:"]) as tail:
        tail.read()
        positions = tail.positions
    with Tail(path, positions, header=["#Fields:"]) as again:
        assert again.read() == b""
        assert again.positions == positions


def test_a_file_that_is_begun_at_its_end_gives_its_header_first(tmp_path: Path) -> None:
    path = tmp_path / "u_ex.log"
    append(path, b"#Fields: a\none\n")
    with Tail(path, header=["#Fields:"], from_="end") as tail:
        assert tail.read() == b""
        append(path, b"two\n")
        assert tail.read() == b"#Fields: a\ntwo\n"
