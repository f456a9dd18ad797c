from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from swak.errors import StateError
from swak.ledger import Ledger, Reading, shortages
from swak.plugin import Extent
from swak.stats import InputReceipt, StageView, Tally

if TYPE_CHECKING:
    from pathlib import Path

FLOW, INPUT, FILE = "web", "FileTailing app.log", "dev1 ino2"


def a_view(
    stage: str, kind: str, passed: tuple[int, int], arrived: dict[str, int] | None = None, waiting: int = 0
) -> StageView:
    tally = Tally()
    tally.into, tally.out = passed
    return StageView(FLOW, stage, kind, "running", tally, 0, 0, 0.0, None, 0, 0, waiting=waiting, arrived=arrived or {})


def whys(*views: StageView) -> list[str]:
    return [str(one) for one in shortages(views)]


class TestShortages:
    def test_a_flow_in_which_all_adds_up_has_none(self) -> None:
        views = a_view("In", "input", (9, 9)), a_view("Out", "output", (5, 5), {"In": 9}, waiting=4)
        assert whys(*views) == []

    def test_an_event_that_vanishes_in_a_stage_is_missed(self) -> None:
        assert whys(a_view("Regex", "filter", (9, 8))) == ["1 events of web/Regex: came in and went nowhere"]

    def test_an_event_that_vanishes_in_a_mailbox_is_missed(self) -> None:
        views = a_view("In", "input", (9, 9)), a_view("Out", "output", (5, 5), {"In": 9}, waiting=3)
        assert whys(*views) == ["1 events of web/Out: arrived in the mailbox and were never seen again"]

    def test_an_event_that_reaches_one_of_two_branches_is_missed(self) -> None:
        views = (
            a_view("In", "input", (9, 9)),
            a_view("A", "output", (9, 9), {"In": 9}),
            a_view("B", "output", (8, 8), {"In": 8}),
        )
        assert whys(*views) == ["1 events of web/In: went out and never arrived (B)"]

    @pytest.mark.parametrize("kind", ["tags", "failover"])
    def test_behind_a_stage_that_chooses_all_arrive_together(self, kind: str) -> None:
        a, b = a_view("A", "output", (6, 6), {"Pick": 6}), a_view("B", "output", (3, 3), {"Pick": 3})
        assert whys(a_view("Pick", kind, (9, 9)), a, b) == []
        assert whys(a_view("Pick", kind, (10, 10)), a, b) == ["1 events of web/Pick: went out and never arrived (all)"]

    def test_what_a_dead_seat_sends_again_is_no_shortage(self) -> None:
        assert whys(a_view("In", "input", (9, 9)), a_view("Out", "output", (12, 12), {"In": 12})) == []

    def test_what_a_failover_takes_back_from_a_child_is_no_shortage(self) -> None:
        lent = a_view("A", "output", (0, 0), {"Pick": 9})
        assert whys(a_view("Pick", "failover", (9, 9)), lent, a_view("B", "output", (9, 9), {"Pick": 9})) == []


def extent(read: int, *, cycle: int = 0, begin: int = 0, skipped: int = 0, size: int = 0) -> Extent:
    return Extent(cycle, "/var/log/app.log", begin, skipped, read, size)


def begun(path: Path, at: tuple[int, int] | None = None) -> Ledger:
    ledger = Ledger(path / "ledger.json", clock_ns=lambda: 7)
    ledger.begin(4711, {(FLOW, INPUT): {FILE: at}} if at is not None else {})
    return ledger


def ran(path: Path, start: tuple[int, int] | None, *extents: Extent, settled: tuple[int, int] | None) -> dict[str, Any]:
    """Let a run begin at `start`, read, settle and be saved; return what the ledger then holds of the file's cycles."""
    ledger = begun(path, start)
    reached = {FILE: settled} if settled is not None else {}
    ledger.note_bytes(Reading(FLOW, INPUT, reached, {FILE: list(extents)}))
    ledger.save("killed in this moment")
    found: dict[str, Any] = ledger.look()["sources"][FLOW][INPUT].get(FILE, {})
    return found


def test_bytes_are_settled_or_in_flight(tmp_path: Path) -> None:
    held = ran(tmp_path, None, extent(500, size=900), settled=(0, 300))["0"]
    assert (held["begin"], held["settled"], held["read"], held["size"]) == (0, 300, 500, 900)


def test_a_run_that_begins_where_the_last_one_was_settled_misses_nothing(tmp_path: Path) -> None:
    ran(tmp_path, None, extent(500), settled=(0, 300))
    held = ran(tmp_path, (0, 300), extent(500), settled=(0, 500))["0"]
    assert (held["unaccounted"], held["repeated"], held["settled"]) == (0, 200, 500)


def test_a_run_that_begins_beyond_what_was_settled_misses_bytes(tmp_path: Path) -> None:
    ran(tmp_path, None, extent(500), settled=(0, 300))
    assert ran(tmp_path, (0, 450), settled=None)["0"]["unaccounted"] == 150


def test_a_checkpoint_that_is_older_than_the_ledger_begins_it(tmp_path: Path) -> None:
    held = ran(tmp_path, (0, 450), extent(500, begin=450), settled=(0, 500))["0"]
    assert (held["begin"], held["unaccounted"]) == (450, 0)


def test_what_is_passed_over_at_the_start_is_told_apart(tmp_path: Path) -> None:
    held = ran(tmp_path, None, extent(1_000, skipped=1_000), settled=(0, 1_000))["0"]
    assert (held["skipped"], held["settled"]) == (1_000, 1_000)


def test_a_content_that_was_truncated_away_goes_into_the_totals(tmp_path: Path) -> None:
    held = ran(tmp_path, None, extent(500), extent(20, cycle=1), settled=(1, 20))
    assert list(held) == ["1"]
    assert Ledger(tmp_path / "ledger.json").look()["totals"][FLOW][INPUT] == [1, 500, 0, 0]


def test_a_file_that_is_gone_and_settled_goes_into_the_totals(tmp_path: Path) -> None:
    ran(tmp_path, None, extent(500), settled=(0, 500))
    ledger = begun(tmp_path)
    ledger.note_bytes(Reading(FLOW, INPUT, {"another": (0, 1)}, {"another": [extent(1)]}))
    ledger.save()
    assert list(ledger.look()["sources"][FLOW][INPUT]) == ["another"]
    assert ledger.look()["totals"][FLOW][INPUT] == [1, 500, 0, 0]


def test_a_file_that_is_gone_and_not_settled_stays(tmp_path: Path) -> None:
    ran(tmp_path, None, extent(500), settled=(0, 300))
    ledger = begun(tmp_path)
    ledger.note_bytes(Reading(FLOW, INPUT, {}, {}))
    ledger.save()
    assert ledger.look()["sources"][FLOW][INPUT][FILE]["0"]["settled"] == 300


def test_figures_of_stages_and_inputs_are_kept(tmp_path: Path) -> None:
    ledger = begun(tmp_path)
    ledger.note([a_view("Regex", "filter", (9, 8))], [InputReceipt(FLOW, "In", 7, 2, 0)], {"path": "x", "dropped": 3})
    ledger.save("drained")
    held = ledger.look()
    assert held["run"] == {"pid": 4711, "began_ns": 7, "saved_ns": 7, "ended": "drained"}
    assert held["stages"]["web/Regex"]["in"] == 9
    assert held["inputs"]["web/In"]["will_replay"] == 2
    assert held["shortages"]["0"]["missing"] == 1
    assert held["dead_letters"]["dropped"] == 3


def test_nothing_is_written_while_nothing_changes(tmp_path: Path) -> None:
    ledger = begun(tmp_path)
    ledger.save()
    before = ledger.path.stat().st_mtime_ns, ledger.path.stat().st_ino
    ledger.save()
    assert (ledger.path.stat().st_mtime_ns, ledger.path.stat().st_ino) == before


def test_a_corrupt_ledger_begins_anew_and_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ran(tmp_path, None, extent(500), settled=(0, 300))
    ran(tmp_path, (0, 300), extent(500), settled=(0, 300))
    for path in tmp_path.glob("ledger.json*"):
        path.write_bytes(b"#" + path.read_bytes())
    held = ran(tmp_path, (0, 450), extent(500, begin=450), settled=(0, 500))["0"]
    assert (held["begin"], held["unaccounted"]) == (450, 0)
    assert len(list(tmp_path.glob("*.bad-*"))) == 2
    assert "begins anew" in caplog.text


def test_looking_at_a_corrupt_ledger_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    path.write_bytes(b"{}")
    with pytest.raises(StateError, match="is corrupt"):
        Ledger(path).look()
    assert [one.name for one in tmp_path.iterdir()] == ["ledger.json"]


@pytest.mark.parametrize("cut", ["flip", "cut"])
def test_no_damage_of_a_single_byte_keeps_a_run_from_beginning_or_invents_a_gap(tmp_path: Path, cut: str) -> None:
    ran(tmp_path, None, extent(500), settled=(0, 300))
    ran(tmp_path, (0, 300), extent(500), settled=(0, 400))
    whole = {path: path.read_bytes() for path in tmp_path.glob("ledger.json*")}
    data = whole[tmp_path / "ledger.json"]
    for at in range(0, len(data), 7):
        for path, was in whole.items():
            path.write_bytes(was)
        damaged = data[:at] if cut == "cut" else data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1 :]
        (tmp_path / "ledger.json").write_bytes(damaged)
        held = ran(tmp_path, (0, 300), extent(500), settled=(0, 500))["0"]
        assert held["unaccounted"] == 0
