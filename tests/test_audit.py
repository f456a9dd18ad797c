from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from swak.audit import KILLED, RUNNING, Audit, state_of
from swak.ledger import Ledger, Reading
from swak.plugin import Extent
from swak.stats import InputReceipt, StageView, Tally

if TYPE_CHECKING:
    from pathlib import Path


def held_by(path: Path, *, ended: str = "drained", into: int = 9, lost: int = 0, settled: int = 9) -> dict[str, Any]:
    """Return the ledger of a run in which one stage took `into` events and let 9 out."""
    ledger = Ledger(path / "ledger.json")
    ledger.begin(os.getpid(), {})
    tally = Tally()
    tally.into, tally.out = into, 9
    view = StageView("web", "Tail", "input", "over", tally, 0, 0, 0.0, None, 0, 0)
    ledger.note([view], [InputReceipt("web", "Tail", settled, 9 - settled - lost, lost)], {"path": ""})
    extent = Extent(0, "/var/log/app.log", 0, 0, 900, 1_000)
    ledger.note_bytes(Reading("web", "Tail app.log", {"dev": (0, settled * 100)}, {"dev": [extent]}))
    ledger.save(ended)
    return ledger.look()


def text(held: dict[str, Any]) -> str:
    return "\n".join(Audit(held, held["run"]["saved_ns"]).lines())


def test_a_run_that_lost_nothing_is_told_so(tmp_path: Path) -> None:
    held = held_by(tmp_path)
    assert "every event and every byte is accounted for" in text(held)
    assert not Audit(held, 0).lost


def test_bytes_are_told_by_what_became_of_them(tmp_path: Path) -> None:
    held = held_by(tmp_path, settled=3)
    assert "/var/log/app.log: bytes 0..300 settled, 300..900 in flight, 900..1000 not read yet" in text(held)


def test_events_that_nobody_accounts_for_are_named(tmp_path: Path) -> None:
    held = held_by(tmp_path, into=10)
    assert Audit(held, 0).unaccounted == ["1 events of web/Tail: came in and went nowhere"]
    assert "every event" not in text(held)


def test_bytes_that_a_checkpoint_passed_over_are_named(tmp_path: Path) -> None:
    held_by(tmp_path, settled=3)
    ledger = Ledger(tmp_path / "ledger.json")
    ledger.begin(os.getpid(), {("web", "Tail app.log"): {"dev": (0, 500)}})
    ledger.save()
    (found,) = Audit(ledger.look(), 0).unaccounted
    assert found.startswith("200 bytes of /var/log/app.log")


def test_losses_are_told_and_accounted_for(tmp_path: Path) -> None:
    audit = Audit(held_by(tmp_path, lost=2, settled=7), 0)
    assert audit.lost == ["2 events of web/Tail: read, not settled, and not to be read again"]
    assert not audit.unaccounted


def test_what_is_in_flight_in_a_running_agent_is_not_lost(tmp_path: Path) -> None:
    held = held_by(tmp_path, ended="", lost=2, settled=7)
    assert Audit(held, 0).state == RUNNING
    assert not Audit(held, 0).lost
    assert "7 delivered, 2 in flight" in text(held)


def test_a_process_that_went_without_a_word_was_killed() -> None:
    assert state_of({"pid": 2**22 + 1, "began_ns": time.time_ns(), "ended": ""}) == KILLED


def test_another_process_of_the_same_number_is_not_the_agent() -> None:
    assert state_of({"pid": os.getpid(), "began_ns": 1, "ended": ""}) == KILLED


def test_many_files_are_summed_up(tmp_path: Path) -> None:
    held = held_by(tmp_path)
    (one,) = held["sources"]["web"]["Tail app.log"].values()
    held["sources"]["web"]["Tail app.log"] = {f"dev{at}": one for at in range(30)}
    assert "10 more: 9000 settled, 1000 not yet" in text(held)
