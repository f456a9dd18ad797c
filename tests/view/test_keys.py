from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swak.view.keys import Decoder, of_windows


@pytest.mark.parametrize(
    ("received", "keys"),
    [
        (b"q", ["q"]), (b"/x\r", ["/", "x", "enter"]),
        (b"\x7f\x08\x0c\x15", ["backspace", "backspace", "redraw", "clear"]),
        (b"\x1b[A\x1b[B\x1bOA\x1bOB", ["up", "down", "up", "down"]), (b"\x1b[5~\x1b[6~", ["pageup", "pagedown"]),
        (b"\x1b[H\x1b[4~", ["home", "end"]), (b"\x1b[1;5A", ["up"]), (b"\x1b[200~a\x1b[201~", ["a"]),
        (b"\x1b[99z", []), (b"\x1bq", ["escape", "q"]), (b"\x1b\x1b[A", ["escape", "up"]), (b"\x01\x02", []),
        ("한".encode(), ["한"]), (b"\xff", ["�"]),
    ],
)  # fmt: skip
def test_what_a_terminal_sends_is_a_key(received: bytes, keys: list[str]) -> None:
    assert Decoder().feed(received) == keys


def test_escape_alone_is_known_by_what_does_not_follow() -> None:
    decoder = Decoder()
    seen = [decoder.feed(b"\x1b"), decoder.waits, decoder.flush(), decoder.waits, decoder.flush()]
    assert seen == [[], True, ["escape"], False, []]


@pytest.mark.parametrize("received", [b"\x1b[A", b"\x1bOA", b"\x1b[5~", "é".encode()])
def test_a_key_may_come_in_pieces(received: bytes) -> None:
    decoder = Decoder()
    keys = [key for byte in received for key in decoder.feed(bytes([byte]))]
    assert keys == Decoder().feed(received) != []


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_nonsense_is_never_held_back_for_long(pieces: list[bytes]) -> None:
    decoder = Decoder()
    for piece in pieces:
        assert all(len(key) == 1 or key.isalpha() for key in decoder.feed(piece))
    decoder.flush()
    assert decoder.feed(b"q")[-1:] in (["q"], ["�"]) or decoder.feed(b"q") == ["q"]


def test_keys_of_windows_have_the_same_names() -> None:
    assert [of_windows("\xe0", "H"), of_windows("\x00", "Q"), of_windows("\xe0", "?")] == [["up"], ["pagedown"], []]
    assert [of_windows("", "\x1b"), of_windows("", "q"), of_windows("", "\r")] == [["escape"], ["q"], ["enter"]]
