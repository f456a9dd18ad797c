"""What a worker process does with what it is told, in the test's own process."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from swak.log import Log
from swak.testing import batch_of, event
from swak.workers import child
from swak.workers.chain import Link
from swak.workers.orders import written
from swak.workers.process import ToAgent, answer, last_words
from swak.workers.wire import Frame, pack, pack_batch, receive, send, unpack
from tests.flows.parts import Mixed
from tests.flows.waiting import WAIT_S
from tests.workers.filters import Deadly, Unportable

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="workers need sockets that can be inherited")


def job(count: int) -> Frame:
    head, data = pack_batch(batch_of([event({"n": number}) for number in range(count)]))
    return Frame("job", (7, head), (data,))


def test_an_answer_tells_what_became_of_every_event() -> None:
    told = answer([Link("Mixed", Mixed())], job(20), as_json=False)
    number, heads, filtered, made, dead, errors = told.values
    (body, _) = unpack((heads[0], told.payloads[0]))
    assert number == 7
    assert [one["n"] for one in body.records()] == [1, 2, 3, 4, 6, 7, 7, 8, 9, 11, 12, 14, 14, 16, 18, 19]
    assert (filtered, made, errors) == ({"Mixed": 4}, 2, [])
    assert [(one[2]["n"], one[3], one[5]) for one in dead] == [
        (13, "thirteen", "Mixed"),
        (17, "ValueError: seventeen", "Mixed"),
    ]


def test_records_become_json_lines_where_nobody_looks_inside() -> None:
    told = answer([Link("Deadly", Deadly(100))], job(3), as_json=True)
    assert told.values[1][0][0] == "json"
    assert told.payloads == (b'{"n":0}\n{"n":1}\n{"n":2}\n',)


def test_events_that_cannot_leave_are_dead() -> None:
    told = answer([Link("Unportable", Unportable())], job(4), as_json=False)
    dead = told.values[4]
    assert [one[2]["n"] for one in dead] == [0, 3]
    assert dead[0][2]["lock"].startswith("<unlocked _thread.lock")
    assert "cannot leave its worker" in dead[0][3]


def test_lines_of_the_log_become_frames() -> None:
    told: list[Frame] = []
    sink = ToAgent(told.append, {"stage": "a/B"})
    logger = logging.getLogger("swak.test_process")
    logger.addHandler(sink)
    try:
        Log("swak.test_process").warning("what happened", n=1, odd=object)
        logging.getLogger("swak.test_process.other").warning("from %s", "elsewhere")
        logger.error("boom", exc_info=ValueError("x"))
    finally:
        logger.removeHandler(sink)
    first, second, third = (frame.values for frame in told)
    assert first[3] == {"swak_event": "what happened", "swak_fields": {"n": 1, "odd": "<class 'object'>"}}
    assert second[2:] == ("from elsewhere", {"swak_event": "", "swak_fields": {"stage": "a/B"}})
    assert "ValueError: x" in third[3]["swak_fields"]["exception"]


def test_last_words_to_nobody_are_no_error() -> None:
    def gone(_: Frame) -> None:
        raise BrokenPipeError

    last_words(gone, ValueError("x"))


def begun(hello: Frame | None = None) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    ours, theirs = socket.socketpair()
    with theirs:
        process = child.process_with(theirs, "swak worker 1 of a/B")
    if hello is not None:
        send(ours, hello)
    return ours, process


def hello_to(*filters: tuple[str, Any]) -> Frame:
    return Frame("hello", (sys.path, written(filters), {}, 30, False))


def test_it_ends_when_the_agent_says_nothing_and_goes() -> None:
    ours, process = begun()
    ours.close()
    assert process.wait(WAIT_S) == 0


def test_it_ends_when_the_agent_goes_after_hello() -> None:
    ours, process = begun(hello_to(("Deadly", Deadly())))
    with ours:
        assert receive(ours) == Frame("ready", (), ())
    assert process.wait(WAIT_S) == 0


def test_it_works_until_its_input_ends() -> None:
    ours, process = begun(hello_to(("Deadly", Deadly())))
    with ours:
        assert receive(ours) == Frame("ready", (), ())
        send(ours, job(3))
        ours.shutdown(socket.SHUT_WR)
        told = receive(ours)
        assert told is not None
        assert told.kind == "answer"
        assert receive(ours) is None
        assert process.wait(WAIT_S) == 0


def test_it_says_what_it_dies_of() -> None:
    ours, process = begun(hello_to(("Deadly", Deadly(1, "memory"))))
    with ours:
        receive(ours)
        send(ours, job(3))
        told = receive(ours)
        assert told is not None
        assert told.kind == "failed"
        assert told.values[0] == "MemoryError: "
        assert process.wait(WAIT_S) == 0


def test_a_worker_of_nobody_ends_at_once() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = [sys.executable, "-c", child.PROGRAM, str(Path.cwd()), "1"]
        assert subprocess.run(command, stdin=theirs.fileno(), timeout=WAIT_S, check=False).returncode == 0


def test_the_shape_of_a_job_is_what_pack_makes() -> None:
    assert job(1).values[1][0] == pack(batch_of([event({})]).body, "t")[0][0]
