"""A lease watches the calls into its plugin."""

from __future__ import annotations

import pytest

from swak.actors.lease import Lease
from swak.errors import Fenced


def test_a_call_under_way_can_be_seen_from_outside() -> None:
    lease = Lease(None)
    assert lease.call(lambda: lease.in_plugin_since) is not None
    assert lease.in_plugin_since is None


def test_what_comes_back_after_the_lease_was_revoked_is_fenced() -> None:
    lease = Lease(None)

    def revoked_meanwhile() -> None:
        lease.revoked = True

    with pytest.raises(Fenced):
        lease.call(revoked_meanwhile)
    with pytest.raises(Fenced):
        lease.call(lambda: None)


def test_a_call_that_begins_while_its_lease_is_revoked_is_fenced_or_seen() -> None:
    class Racing(Lease):
        """Is revoked right after the first look."""

        looks: list[float | None]

        @property
        def revoked(self) -> bool:
            self.looks.append(self.in_plugin_since)
            return len(self.looks) > 1

        @revoked.setter
        def revoked(self, _value: bool) -> None:
            self.looks = []

    lease = Racing(None)
    with pytest.raises(Fenced):
        lease.call(lambda: None)
    assert lease.looks[0] is not None
