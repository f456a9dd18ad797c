"""Operators at work while events flow and an output fails: nothing lost, nothing twice, nothing out of order."""

from __future__ import annotations

import random
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from swak import in_, main, out, task
from swak.control.client import ControlError
from swak.ledger import shortages
from swak.testing import Fault, FlakyOutput
from tests.control.served import Served, served
from tests.flows.waiting import WAIT_S

if TYPE_CHECKING:
    from pathlib import Path

STAGES = ["Memory", "Drop", "TimedBuffer", "FlakyOutput"]
COUNT = 3_000
OPERATORS = 3


class Operator:
    """Does what comes to mind until it is told to stop."""

    def __init__(self, one: Served, seed: int) -> None:
        self.over = threading.Event()
        self.injected = 0
        self.done = 0
        self._one = one
        self._rng = random.Random(seed)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with self._one.connect() as connection:
            while not self.over.is_set():
                verb, stage = (
                    self._rng.choice(["pause", "resume", "restart", "flush", "inject"]),
                    self._rng.choice(STAGES),
                )
                given: dict[str, Any] = {} if verb == "flush" else {"stage": stage}
                if verb in {"flush", "restart", "inject"}:
                    given["wait_s"] = 0.05
                if verb == "inject":
                    given["events"] = [{"own": 1}] * self._rng.randrange(1, 50)
                with suppress(ControlError):  # a stage that is paused elsewhere is not let go in time
                    self.injected += connection.ask(verb, **given).get("accepted", 0)
                self.done += 1
            for stage in STAGES:
                connection.ask("resume", stage=stage)

    def stop(self) -> None:
        self.over.set()
        self._thread.join(WAIT_S)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["task", "main"])
def test_operators_who_do_everything_at_once_cost_nothing(tmp_path: Path, kind: str, seed: int) -> None:
    faults = [Fault(OSError, at=number) for number in range(5, 100, 7)]
    source, sink = in_.Memory(follow=True), FlakyOutput(faults, pending=True)
    stages = (source, out.Drop("n == 0"), out.TimedBuffer("0.01s"), sink)
    with served(tmp_path, (task if kind == "task" else main)(*stages, name="t")) as one:
        operators = [Operator(one, seed * 10 + number) for number in range(OPERATORS)]
        pause = threading.Event()
        for number in range(1, COUNT + 1):
            source.feed({"n": number})
            if number % 20 == 0:
                pause.wait(0.005)
        for operator in operators:
            operator.stop()
        source.end()
        assert one.run.wait(30)
        receipt = one.run.receipt()
    assert shortages(receipt.stages) == []
    assert receipt.clean
    assert [record["n"] for record in sink.records if "n" in record] == list(range(1, COUNT + 1))
    injected = sum(operator.injected for operator in operators)
    assert sum("own" in record for record in sink.records) == injected
    assert sum(line.delivered for line in receipt.inputs if line.stage.startswith("(injected)")) == injected
    assert sum(operator.done for operator in operators) > 10
