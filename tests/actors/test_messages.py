"""An offer has one fate."""

from __future__ import annotations

from swak.actors.lease import Lease
from swak.actors.messages import Fate, Offer


def test_the_first_decision_about_an_offer_counts() -> None:
    offer = Offer("child", Lease(None), has_last=False)
    assert offer.decide(Fate.DONE) is Fate.DONE
    assert offer.decide(Fate.WITHDRAWN) is Fate.DONE


def test_an_offer_dies_with_its_routers_lease() -> None:
    lease = Lease(None)
    offer = Offer("child", lease, has_last=False)
    lease.revoked = True
    assert offer.fate is Fate.WITHDRAWN
    assert offer.decide(Fate.DONE) is Fate.WITHDRAWN


def test_what_was_done_stays_done_when_the_router_dies() -> None:
    lease = Lease(None)
    offer = Offer("child", lease, has_last=False)
    offer.decide(Fate.DONE)
    lease.revoked = True
    assert offer.fate is Fate.DONE
