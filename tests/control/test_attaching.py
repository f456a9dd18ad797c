"""A prompt inside the agent: what it sees, what it may, and that the flow does not mind."""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from swak import in_, out, task
from swak.control import attaching
from swak.control.client import ControlError
from swak.testing import Recorder
from tests.control.guarded import guard, remote
from tests.control.served import Served, served
from tests.flows.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from swak.control.client import Connection
    from tests.servers.certificates import Certificates

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Served]:
    source = in_.Memory(["a", "b"], follow=True)
    with served(tmp_path, task(source, out.Drop("n == 0"), Recorder(), name="t")) as running:
        yield running
        source.end()


def attach(connection: Connection, **given: Any) -> None:
    assert next(connection.stream("attach", within_s=0.0, **given))["attached"] == "t"


def said(connection: Connection, code: str) -> str:
    """Run some code; return what it printed, or what was wrong with it."""
    lines = list(connection.stream("evaluate", within_s=20, code=code))
    return "".join([*(line.get("out", "") for line in lines), lines[-1]["trace"], lines[-1]["why"]])


def test_stages_are_seen_as_they_are_at_each_input(one: Served) -> None:
    with one.connect() as connection:
        attach(connection)
        assert said(connection, "stages.Drop.options") == "{'when': 'n == 0'}\n"
        assert said(connection, "seen = stages.Memory.state, run.name\nseen") == "('running', 'test')\n"
        connection.ask("pause", stage="Memory")
        assert said(connection, "seen[0], stages.Memory.state") == "('running', 'paused')\n"
        assert said(connection, "'swak:t/Drop' in stacks()") == "True\n"


def test_who_only_looks_changes_nothing(one: Served) -> None:
    with one.connect() as connection:
        attach(connection)
        for code in ("stages.Drop.paused = True", "stages['Drop']['state'] = 1", "run.stop()", "plugins"):
            assert "without --write" in said(connection, code) or "not defined" in said(connection, code)


def test_who_writes_has_the_flow_itself(one: Served) -> None:
    with one.connect() as connection:
        attach(connection, write=True)
        assert said(connection, "stages['Drop'].pause(on=True)\nplugins['Drop'].name, len(plugins)") == "('Drop', 3)\n"
        assert next(view.state for view in one.run.snapshot() if view.stage == "Drop") == "paused"
        assert said(connection, "stages['t/Drop'.split('/')[1]].pause(on=False)") == ""
        assert said(connection, "run is not None and 'Memory' in repr(plugins)") == "True\n"


def test_code_without_a_session_is_refused(one: Served) -> None:
    with one.connect() as connection:
        with pytest.raises(ControlError, match="attach again"):
            connection.ask("evaluate", code="1")
        assert connection.ask("interrupt")["ok"]
        attach(connection)
        with pytest.raises(ControlError, match="attached already"):
            connection.ask("attach")
        with pytest.raises(ControlError, match="65536 characters"):
            connection.ask("evaluate", code="x" * 65_537)


def test_requests_may_be_sent_all_at_once(one: Served) -> None:
    with one.connect() as connection:
        connection.tell("attach")
        assert connection.ask("evaluate", code="6 * 7")["out"] == "42\n"


def test_a_session_ends_when_its_time_is_over(one: Served) -> None:
    with one.connect() as connection:
        lines = connection.stream("attach", within_s=0.0, for_s=0.05)
        assert next(lines)["write"] is False
        assert next(lines)["over"] == "its time is over"
        with pytest.raises(ControlError, match="the session is over"):
            connection.ask("evaluate", code="1")


def test_code_that_takes_too_long_is_ended_and_told_so(one: Served) -> None:
    with one.connect() as connection:
        attach(connection, limit_s=0.1)
        assert said(connection, "while True: pass") == "it ran longer than 0.1 s, and was ended"
        assert said(connection, "1") == "1\n"


def test_after_three_calls_that_cannot_be_ended_no_more_code_is_taken(
    one: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attaching, "PATIENCE_S", 0.05)
    gate = threading.Event()
    one.run.gate = gate  # type: ignore[attr-defined]  # something to wait for that the test can end
    with one.connect() as connection, one.connect() as other:
        attach(connection, write=True, limit_s=0.05)
        for number in (1, 2, 3):
            told = said(connection, "run.gate.wait(20)")
            assert told == f"it ran longer than 0.05 s, and cannot be ended: it goes on without you ({number} of 3)"
        attach(other)
        with pytest.raises(ControlError, match="3 pieces of code that were given up still run"):
            said(other, "1")
        gate.set()
        until(lambda: "swak:attach" not in {thread.name for thread in threading.enumerate()}, "they end")
        assert said(other, "1") == "1\n"


def test_what_runs_is_interrupted(one: Served) -> None:
    with one.connect() as connection:
        attach(connection)
        lines = connection.stream("evaluate", within_s=20, code="print('begun')\nwhile True: pass")
        assert next(lines)["out"] == "begun\n"
        connection.tell("interrupt")
        assert next(lines)["why"] == "it was interrupted, and was ended"


def test_one_input_runs_at_a_time(one: Served) -> None:
    with one.connect() as connection:
        attach(connection)
        lines = connection.stream("evaluate", within_s=20, code="print('begun')\nwhile True: pass")
        assert next(lines)["out"] == "begun\n"
        with pytest.raises(ControlError, match="still runs"):
            connection.ask("evaluate", code="1")


def test_what_runs_for_a_client_that_leaves_is_ended(one: Served) -> None:
    with one.connect() as connection:
        attach(connection)
        next(connection.stream("evaluate", within_s=20, code="print('begun')\nwhile True: pass"))
    until(lambda: "swak:attach" not in {thread.name for thread in threading.enumerate()}, "it ends")


def test_a_client_that_does_not_read_a_gigabyte_harms_nobody(one: Served) -> None:
    with one.connect() as connection, one.connect() as other:
        attach(connection, limit_s=0.3)
        connection.tell("evaluate", code="while True: print('x' * 100_000)")
        assert other.ask("status")["ok"]
        until(lambda: "swak:attach" not in {thread.name for thread in threading.enumerate()}, "it ends")


@pytest.mark.parametrize("code", ["raise SystemExit", "raise KeyboardInterrupt", "exit()", "1 / 0", "("])
def test_the_flow_goes_on_whatever_is_raised(tmp_path: Path, code: str) -> None:
    source, sink = in_.Memory(["a"], follow=True), Recorder()
    with served(tmp_path, task(source, sink, name="t")) as one, one.connect() as connection:
        attach(connection, write=True)
        assert said(connection, code)
        source.feed("b")
        until(lambda: len(sink.records) == 2, "it flows")
        source.end()
        assert one.run.wait(20)


def test_the_end_of_the_run_ends_the_session(tmp_path: Path) -> None:
    source = in_.Memory(["a"], follow=True)
    with served(tmp_path, task(source, out.Null(), name="t")) as one, one.connect() as connection:
        lines = connection.stream("attach", within_s=0.0)
        next(lines)
        source.end()
        one.run.wait(20)
        one.server.close()
        assert next(lines)["over"] == "the run is ending"


def test_sessions_and_code_are_in_the_log(one: Served, caplog: pytest.LogCaptureFixture) -> None:
    import os

    with caplog.at_level(logging.INFO), one.connect() as connection:
        attach(connection, write=True)
        said(connection, "'" + "x" * 300 + "'")
        connection.close()
        until(lambda: any("has left" in record.message for record in caplog.records), "it has left")
    lines = [record.message for record in caplog.records if record.name == "swak.control.attach"]
    who = f"who=user {os.geteuid()}, process {os.getpid()}"
    assert [line.split(" who=")[0] for line in lines] == [
        "an operator attaches",
        "attached: runs",
        "attached: ended",
        "an operator has left",
    ]
    assert all(who in line for line in lines)
    assert "xxx... (302 characters)" in lines[1]
    assert "outcome=done" in lines[2]
    assert "snippets=1 why=hung up" in lines[3]


@pytest.mark.parametrize("allowed", [False, True])
def test_over_tcp_the_agent_decides_whether_anybody_may_write(
    tmp_path: Path, certificates: Certificates, allowed: bool
) -> None:
    made = guard(tmp_path, certificates, attach_write=allowed)
    source = in_.Memory(["a"], follow=True)
    with remote(made, task(source, out.Null(), name="t")) as one:
        with one.connect(made.reader) as connection, pytest.raises(ControlError, match='the role "read"'):
            attach(connection)
        with one.connect(made.operator) as connection:
            if allowed:
                attach(connection, write=True)
                assert said(connection, "run.draining") == "False\n"
            else:
                with pytest.raises(ControlError, match="not allowed over TCP"):
                    attach(connection, write=True)
                attach(connection)
                assert said(connection, "run.name") == "'test'\n"
        source.end()
