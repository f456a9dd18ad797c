"""What tests of the benchmark share: small programs, and peers that are stand-ins."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from swak.bench.peers import Peer

if TYPE_CHECKING:
    from pathlib import Path


def program(text: str) -> list[str]:
    """Return the command of a Python program."""
    return [sys.executable, "-c", text]


WAITING = program("import signal; print('ready', flush=True); signal.pause()")
COPY = """
import shutil, signal
shutil.copy("$log", "$out")
signal.pause()
"""


def stand_in(folder: Path, text: str = COPY, workload: str = "W1") -> Peer:
    """Return a peer that is a stand-in: a Python program of ours that copies, or does something else."""
    (folder / "stand-in").mkdir(exist_ok=True)
    (folder / "stand-in" / f"{workload}.py").write_text(text, encoding="utf-8")
    return Peer("stand-in", sys.executable, "", lambda path, config, _place: [path, str(config)], folder)
