from __future__ import annotations

import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from swak.background.launching import Announcement, launch
from swak.stats import StageView, Tally

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="descriptors are handed on as POSIX does")


def view(state: str, error: str = "") -> StageView:
    return StageView("web", "File", "output", state, Tally(), 0, 0, 0.0, None, 0, 0, error)


def announced(*states: StageView) -> dict[str, Any]:
    """Return what is announced when one look after the other finds these."""
    left = list(states)
    reads, writes = os.pipe()
    Announcement(writes, {"name": "web"}).start(lambda: [left.pop(0) if len(left) > 1 else left[0]])
    with open(reads, "rb") as told:  # noqa: PTH123 - a descriptor
        read: dict[str, Any] = json.loads(told.readline())
    return read


def test_it_is_announced_when_every_plugin_has_had_its_chance() -> None:
    assert announced(view("opening"), view("opening"), view("running")) == {"name": "web", "troubled": {}}


def test_a_stage_that_is_tried_again_is_named() -> None:
    told = announced(view("opening"), view("retrying", "OSError: no"))
    assert told["troubled"] == {"web/File": "retrying (OSError: no)"}


def test_who_does_not_wait_any_more_is_no_trouble() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    before = set(threading.enumerate())
    Announcement(writes, {}).start(lambda: [view("running")])
    for thread in set(threading.enumerate()) - before:
        thread.join(20)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(writes)


def test_a_start_that_fails_comes_back_with_its_code_and_words(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("of an earlier run\n")
    launched = launch(["--nonsense"], tmp_path / "log", str(tmp_path), os.environ | {"SWAK_HOME": str(tmp_path)})
    assert (launched.ready, launched.code) == (None, 2)
    assert "No such option" in launched.told
    assert "earlier" not in launched.told
