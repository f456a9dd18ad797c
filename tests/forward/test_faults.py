from __future__ import annotations

from typing import TYPE_CHECKING

from swak.forward.faults import AGAIN_S, Faults
from swak.log import get
from swak.testing import FakeClock

if TYPE_CHECKING:
    import pytest


def test_faults_are_counted_by_kind() -> None:
    faults = Faults(get("swak.test"), FakeClock().monotonic)
    assert faults.text() == ""
    for reason in ("no TLS", "no shared key", "no TLS"):
        faults.note(reason, "1.2.3.4:5", "why")
    assert faults.text() == "closed connections: 2 no TLS, 1 no shared key"


def test_a_flood_of_one_kind_is_told_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    faults = Faults(get("swak.test"), clock.monotonic)
    for _ in range(1_000):
        faults.note("no TLS", "1.2.3.4:5", "why")
    assert len(caplog.records) == 1
    clock.advance(AGAIN_S)
    faults.note("no TLS", "1.2.3.4:5", "why")
    assert len(caplog.records) == 2
