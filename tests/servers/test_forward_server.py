"""The stand-in receiver, where tests depend on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.servers.receivers import Receiver


def test_half_a_line_of_a_killed_receiver_is_cut_when_it_starts_again(forward_receiver: Receiver) -> None:
    forward_receiver.kill()
    whole = b'{"tag": "t", "time_ns": 1, "record": {"n": 1}}\n'
    forward_receiver.path.write_bytes(whole + b'{"tag": "t", "ti')
    forward_receiver.start()
    assert forward_receiver.path.read_bytes() == whole
    assert forward_receiver.records() == [{"n": 1}]
