from __future__ import annotations

from typing import Any

from swak.receipt import REASONS_MAX, fields, text, troubles
from swak.stats import InputReceipt, Receipt, StageView, Tally


def stage(name: str, *, kind: str = "filter", last_error: str = "", **figures: Any) -> StageView:
    tally = Tally()
    for figure, value in figures.items():
        target = getattr(tally, figure)
        if isinstance(value, dict):
            target.update(value)
        else:
            setattr(tally, figure, value)
    return StageView("web", name, kind, "over", tally, 0, 0, 0.0, None, 0, 0, last_error)


CLEAN = Receipt(
    (
        stage("Counter", kind="input", into=5, out=5),
        stage("Regex", into=5, out=3, filtered={"no match": 1}, dead={"bad": 1}),
        stage("Stdout", kind="output", into=3, out=3),
    ),
    (InputReceipt("web", "Counter", 5, 0, 0),),
    (),
    "/tmp/dead-letters.jsonl",
)


def test_a_receipt_accounts_for_every_event() -> None:
    assert text(CLEAN).splitlines() == [
        "stage        in  out  filtered  dead",
        "web/Counter   5    5         0     0",
        "web/Regex     5    3         1     1",
        "    filtered 1: no match",
        "    dead 1: bad",
        "web/Stdout    3    3         0     0",
        "",
        "web/Counter: 5 delivered, 0 will replay, 0 lost",
        "dead letters: /tmp/dead-letters.jsonl",
        "clean",
    ]


def test_what_was_lost_is_named_last() -> None:
    receipt = Receipt((), (InputReceipt("web", "Stdin", 3, 0, 2), InputReceipt("web", "Udp", 3, 0, 1)))
    assert text(receipt).splitlines()[-2:] == ["lost: 2 events of web/Stdin", "lost: 1 event of web/Udp"]


def test_what_will_be_replayed_is_no_trouble() -> None:
    assert troubles(Receipt((), (InputReceipt("web", "FileTailing", 3, 4, 0),))) == []


def test_a_task_that_failed_is_named_with_its_error() -> None:
    receipt = Receipt((stage("Fluentd", last_error="refused"),), (), ("web",))
    assert text(receipt).splitlines()[-1] == "failed: web (Fluentd: refused)"


def test_figures_that_do_not_balance_are_told() -> None:
    receipt = Receipt((stage("Regex", into=5, out=3),), ())
    bug = "(a bug in swak, please report it)"
    assert troubles(receipt) == [f"not accounted for: 2 events of web/Regex: came in and went nowhere {bug}"]


def test_dead_letters_that_were_dropped_are_told() -> None:
    receipt = Receipt((), (), dead_dropped=3)
    assert troubles(receipt) == ["lost: 3 events of the dead letters, as their store was full"]
    assert not receipt.clean


def test_the_most_frequent_reasons_are_shown() -> None:
    reasons = {f"reason {number:02d}": number + 1 for number in range(20)}
    receipt = Receipt((stage("Regex", into=210, dead=reasons),), ())
    shown = [line.strip() for line in text(receipt).splitlines() if line.startswith("    ")]
    assert shown[0] == "dead 20: reason 19"
    assert shown[REASONS_MAX:] == [f"dead {sum(range(1, 13))}: 12 more reasons"]


def test_reasons_stay_on_one_line_of_bounded_length() -> None:
    receipt = Receipt((stage("Regex", into=1, dead={"a\n\x1b[2J" + "x" * 1_000: 1}),), ())
    assert "\x1b" not in text(receipt)
    assert max(len(line) for line in text(receipt).splitlines()) < 130


def test_the_order_in_which_reasons_came_up_does_not_show() -> None:
    one = Receipt((stage("Regex", into=2, dead={"a": 1, "b": 1}),), ())
    other = Receipt((stage("Regex", into=2, dead={"b": 1, "a": 1}),), ())
    assert text(one) == text(other)


def test_an_empty_run_has_a_receipt() -> None:
    assert text(Receipt((), ())) == "stage  in  out\n\nclean\n"


def test_a_receipt_for_machines_has_the_same_figures() -> None:
    told = fields(CLEAN)
    assert told["stages"]["web/Regex"]["dead"] == 1
    assert told["delivered_will_replay_lost"] == {"web/Counter": [5, 0, 0]}
    assert told["dead_letters"] == "/tmp/dead-letters.jsonl"
    assert told["troubles"] == []
