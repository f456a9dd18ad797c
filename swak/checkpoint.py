"""Checkpoints: how far each source is settled, kept so that neither a kill nor a power cut loses or invents it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.errors import Problem, StateError
from swak.files import Files
from swak.sealed import CorruptError, Sealed

if TYPE_CHECKING:
    from pathlib import Path

    from swak.ack import Position

Positions = dict[str, dict[str, "Position"]]
"""Per input (its identity) and source: the position up to which everything is settled."""


class Checkpoint(Sealed):
    """The positions of one flow. A previous generation is never wrong, only less far: what came after is read again."""

    def __init__(self, path: Path, files: Files | None = None) -> None:
        super().__init__("checkpoint", "positions", path, Files("checkpoint") if files is None else files)

    def load(self, *, touch: bool = True) -> Positions:
        """Return the newest whole generation; empty when there was never one.

        StateError when there are generations and none is whole: nothing is read from its start unasked.
        """
        try:
            return super().load(touch=touch)
        except CorruptError as error:
            mend = "put a copy back, or remove these files to read every source of this flow from its start"
            raise StateError(str(Problem(f"the checkpoint is corrupt: {error}", mend))) from error
