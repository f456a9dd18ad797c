from __future__ import annotations

import os
import socket
import sys

import pytest

from swak.control.peers import may_control, user_of

pytestmark = pytest.mark.skipif(sys.platform not in {"linux", "darwin"}, reason="the system does not tell")


def test_the_kernel_says_who_is_there() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert user_of(ours) == os.geteuid()


def test_the_owner_and_root_may_and_nobody_else() -> None:
    assert [may_control(user) for user in (os.geteuid(), 0, 65_533, None)] == [True, True, False, True]
