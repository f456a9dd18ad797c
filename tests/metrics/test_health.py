from __future__ import annotations

import pytest

from swak.metrics.health import DOWN_S, STALE_S, ailments, obstacles
from swak.metrics.observed import Observed
from tests.metrics.looks import stage


def test_a_run_whose_stages_run_is_ready() -> None:
    views = (stage("Tail", "input"), stage("Grep", state="blocked"), stage("File", "output", down_s=DOWN_S - 1))
    assert obstacles(Observed(views)) == ailments(Observed(views)) == []


def test_a_supervisor_that_does_not_turn_is_dead() -> None:
    observed = Observed((stage("File", "output"),), turn_age_s=STALE_S + 1)
    assert ailments(observed) == obstacles(observed) == [f"the supervisor has not turned for {STALE_S + 1:.0f} s"]


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        (Observed((stage("File", "output"),), draining=True), "the run is ending"),
        (Observed((stage("File", "output"),), failed=frozenset({"web"})), "web: the flow is stopped after too many"),
        (Observed((stage("File", "output", "opening"),)), "web/File: has not opened yet"),
        (
            Observed((stage("File", "output", "retrying", down_s=DOWN_S + 5, last_error="no\nroute"),)),
            "web/File: has delivered nothing for 35 s: 'no\\nroute'",
        ),
    ],
)
def test_a_run_that_is_not_ready_says_why(observed: Observed, reason: str) -> None:
    found = obstacles(observed)
    assert len(found) == 1
    assert found[0].startswith(reason)


def test_a_child_that_is_down_does_no_harm_while_another_one_takes_its_place() -> None:
    child = stage("A", "output", "retrying", down_s=DOWN_S + 1)
    routers = {("web", "A"): "failover"}
    assert obstacles(Observed((stage("failover", "failover", live_child="B"), child), routers=routers)) == []
    assert obstacles(Observed((stage("failover", "failover"), child), routers=routers)) != []
