from __future__ import annotations

import threading
import time

from swak.spool.pace import PACE_S, PATIENCE_MAX_S, Pace


def test_nobody_waits_for_one_who_takes_nothing() -> None:
    taken = threading.Condition()
    pace, began_s = Pace(taken), time.monotonic()
    with taken:
        pace.wait(lambda: False)
    assert time.monotonic() - began_s < PACE_S


def test_who_appends_goes_on_as_soon_as_there_is_room() -> None:
    taken = threading.Condition()
    pace, room = Pace(taken), threading.Event()
    asked: list[bool] = []

    def has_room() -> bool:
        asked.append(room.is_set())
        room.set()
        return asked[-1]

    with taken:
        pace.note_taken()
        threading.Thread(target=lambda: _note(taken, pace)).start()
        pace.wait(has_room)
    assert asked[-1]


def _note(taken: threading.Condition, pace: Pace) -> None:
    with taken:
        pace.note_taken()


def test_patience_ends() -> None:
    taken = threading.Condition()
    pace = Pace(taken)
    began_s = time.monotonic()
    with taken:
        for _ in range(200):
            pace.note_taken()
            pace.wait(lambda: False)
    spent_s = time.monotonic() - began_s
    assert spent_s < PATIENCE_MAX_S * 2 + 200 * PACE_S / 2, "a quarter of the time, and what was saved up"
