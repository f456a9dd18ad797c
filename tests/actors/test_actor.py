"""What root and seats have in common."""

from __future__ import annotations

import pykka
import pytest

from swak.actors.actor import Actor


def test_an_actor_that_cannot_start_does_not_stay_registered() -> None:
    class Still(Actor):
        """Has no thread to be had."""

        def _start_actor_loop(self) -> None:
            raise RuntimeError("can't start new thread")

    with pytest.raises(RuntimeError):
        Still().enter()
    assert not pykka.ActorRegistry.get_all()


def test_the_hooks_of_pykka_that_seats_stand_on_are_there() -> None:
    names = ("_create_actor_inbox", "_start_actor_loop", "_actor_loop")
    assert [name for name in names if not hasattr(pykka.ThreadingActor, name)] == []
