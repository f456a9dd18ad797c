from __future__ import annotations

from typing import Any

from swak.sockets.awaiting import Awaiting


def test_a_request_is_settled_with_its_last_part_and_once() -> None:
    woken: list[bool] = []
    awaiting, request = Awaiting(lambda: woken.append(True)), _request()
    first, second = awaiting.begin(request, 2)
    second()
    second()
    assert list(awaiting.settled()) == []
    first()
    assert list(awaiting.settled()) == [request]
    first()
    assert list(awaiting.settled()) == []
    assert len(woken) == 4


def test_what_is_forgotten_is_not_settled_later() -> None:
    awaiting, request = Awaiting(lambda: None), _request()
    (told,) = awaiting.begin(request, 1)
    assert list(awaiting) == [request]
    assert awaiting.forget(request)
    assert not awaiting.forget(request)
    told()
    assert list(awaiting.settled()) == list(awaiting) == []


def _request() -> Any:
    """Stand for a request: nothing of it is looked at."""
    return object()
