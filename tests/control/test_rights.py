from __future__ import annotations

import pytest

from swak.control.protocol import RequestError
from swak.control.rights import READS, Right


@pytest.mark.parametrize("verb", ["pause", "stop", "inject", "attach", "reload", "no such verb"])
def test_who_may_read_may_do_nothing_else(verb: str) -> None:
    with pytest.raises(RequestError, match="may only ask for hello, snapshot") as raised:
        Right("somebody", "read").check(verb)
    assert raised.value.code == "forbidden"
    Right("somebody", "operate").check(verb)


@pytest.mark.parametrize("verb", sorted(READS))
def test_who_may_read_may_look(verb: str) -> None:
    Right("somebody", "read").check(verb)
