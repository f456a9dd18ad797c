"""Where a run takes place: its inputs, and folders that are empty when it begins."""

from __future__ import annotations

import shutil
from string import Template
from typing import TYPE_CHECKING, NamedTuple

from swak.bench.measure import python
from swak.bench.workloads import MOBILE

if TYPE_CHECKING:
    from pathlib import Path

    from swak.bench.corpus import Corpus
    from swak.bench.workloads import Workload


class Place(NamedTuple):
    """Folders and inputs of one run."""

    folder: Path
    corpus: Corpus

    @property
    def out(self) -> Path:
        """Where outputs go."""
        return self.folder / "out"

    @property
    def state(self) -> Path:
        """Where an agent may keep what it likes."""
        return self.folder / "state"

    @property
    def files(self) -> dict[str, Path]:
        """Where outputs may write, by the names in recipes and configurations."""
        return {name: self.out / name for name in ("out", "out2", "out3")}

    def outs(self, workload: Workload) -> list[Path]:
        """Return the files that a workload writes."""
        return list(self.files.values())[: workload.outs]

    def clear(self) -> None:
        """Remove what the run before has left."""
        for folder in (self.out, self.state):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)

    def input(self, workload: Workload) -> Path:
        """Return what the workload reads; for many files, the folder they lie in."""
        if workload.source == "many":
            return self.corpus.logs[0].parent
        made: Path = getattr(self.corpus, workload.source)
        return made


class Agent(NamedTuple):
    """How a workload is run by some agent."""

    command: list[str]
    ends: bool
    """Whether it ends by itself when all is read."""
    port: int = 0
    """Where it listens; 0 when it tells."""


def swak(workload: Workload, place: Place, port: int) -> Agent:
    """Return how swak runs a workload; `port` is that of a receiver."""
    source = place.input(workload)
    values = {"log": source, "many": source / "*.log", "state": place.state / "spool", **place.files}
    texts = {name: repr(str(value)) for name, value in values.items()}
    text = Template(workload.recipe).safe_substitute(texts, port=port)
    recipe = place.state / "recipe.py"
    recipe.write_text(f"{MOBILE if 'Mobile' in text else ''}task({text})\n", encoding="utf-8")
    way = ["--no-view"] if workload.listens else ["--once", "-q"]
    return Agent(python("swak", "up", "--ephemeral", *way, str(recipe)), not workload.listens)
