from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

import pytest

from swak.errors import StateError
from swak.handover.channel import Channel
from swak.handover.heir import Heir
from swak.sockets.address import listener
from swak.sockets.kept import Keep
from tests.flows.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sockets go to other processes on POSIX only")


@pytest.fixture
def pair() -> Iterator[tuple[Channel, Heir]]:
    """The old process's end, and the new process."""
    ours, theirs = socket.socketpair()
    old, heir = Channel(ours), Heir(theirs.detach())
    yield old, heir
    old.close()
    heir.close()


def test_it_says_that_its_recipe_is_right_and_takes_what_comes(pair: tuple[Channel, Heir]) -> None:
    old, heir = pair
    given, taken = Keep(), Keep()
    given.put("web/Tcp", ("tcp", "127.0.0.1", 0), listener("127.0.0.1", 0, 1))
    old.give(given)
    heir.take(taken)
    assert old.hear(WAIT_S)["word"] == "checked"
    assert [one.stage for one in taken.entries()] == ["web/Tcp"]
    for keep in (given, taken):
        keep.close()


def test_it_begins_when_it_is_told_so_and_says_that_first(pair: tuple[Channel, Heir]) -> None:
    old, heir = pair
    old.say("yours")
    heir.ready()
    assert [old.hear(WAIT_S)["word"] for _ in range(2)] == ["ready", "mine"]


def test_it_does_not_begin_when_the_old_process_has_handed_nothing_over(pair: tuple[Channel, Heir]) -> None:
    old, heir = pair
    old.close()
    with pytest.raises(StateError, match="handed nothing over"):
        heir.take(Keep())


def test_it_begins_when_the_old_process_has_died_after_that(pair: tuple[Channel, Heir]) -> None:
    old, heir = pair
    old.close()
    heir.ready()


def test_it_does_not_begin_when_it_is_told_something_else(pair: tuple[Channel, Heir]) -> None:
    old, heir = pair
    old.say("no")
    with pytest.raises(StateError):
        heir.ready()


def test_it_says_what_is_wrong_and_need_not_be_heard(pair: tuple[Channel, Heir]) -> None:
    old, heir = pair
    heir.refuse("a bad recipe")
    assert old.hear(WAIT_S) == {"word": "refused", "why": "a bad recipe"}
    heir.serving()
    old.close()
    heir.refuse("nobody hears it")
    heir.serving()
