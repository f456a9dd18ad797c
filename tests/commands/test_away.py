from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from swak import in_, out, task
from swak.cli import COMMANDS, swak
from swak.commands.agents import connecting
from swak.commands.away import away_options
from swak.control import door as doors
from swak.control.remote import Remote as RemoteView
from tests.control.guarded import Remote, guard, remote
from tests.flows.waiting import until
from tests.view.scenes import gained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result

    from swak.control.client import Connection
    from tests.servers.certificates import Certificates

TAKES_AN_AGENT = ["status", "stop", "restart", "logs", "top", "tap", "flush", "pause", "resume", "inject", "stacks"]
TAKES_AN_AGENT += ["attach"]


@pytest.fixture
def one(tmp_path: Path, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    monkeypatch.setattr(doors, "ARRIVALS_A_SECOND", 1e6)
    made = guard(tmp_path, certificates)
    for name, token in (("reader", made.reader), ("operator", made.operator)):
        (tmp_path / name).write_text(f"{token}\n")
        (tmp_path / name).chmod(0o600)
    monkeypatch.setenv("SWAK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SWAK_CONTROL_CERT", certificates.client)
    monkeypatch.setenv("SWAK_CONTROL_CA", certificates.ca)
    monkeypatch.setenv("SWAK_CONTROL_TOKEN_FILE", str(tmp_path / "operator"))
    source = in_.Memory(["a"], follow=True)
    with remote(made, task(source, out.Drop("n == 0"), out.Null(), name="t")) as running:
        yield running
        source.end()


def asked(one: Remote, *arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(swak, [*arguments, "--at", one.door.address], input=text)


@pytest.mark.parametrize("name", TAKES_AN_AGENT)
def test_every_command_that_takes_an_agent_takes_one_away(name: str) -> None:
    assert name in COMMANDS
    told = CliRunner().invoke(swak, [name, "--help"]).stdout
    assert all(option in told for option in ("--at HOST:PORT", "--cert", "--key", "--ca", "--token-file"))


def test_an_agent_away_is_looked_at_and_steered(one: Remote) -> None:
    assert "t/Drop    running" in asked(one, "status").stdout
    assert asked(one, "pause", "Drop").stderr.startswith("t/Drop: paused")
    assert "paused" in asked(one, "top").stdout
    assert asked(one, "resume", "Drop").exit_code == 0
    assert asked(one, "flush").stderr == "flushed\n"
    assert asked(one, "inject", "Drop", text="one\ntwo\n").stderr == "2 of 2 accepted, 2 settled\n"
    assert "--- stage t/Drop\n" in asked(one, "stacks").stdout
    assert asked(one, "restart", "--stage", "Drop").stderr == "t/Drop: has a fresh plugin\n"
    assert asked(one, "attach", "-c", "list(stages)").stdout == "['Memory', 'Drop', 'Null']\n"


def test_options_go_before_the_environment(one: Remote, tmp_path: Path) -> None:
    refused = asked(one, "pause", "Drop", "--token-file", str(tmp_path / "reader"))
    assert (refused.exit_code, refused.stderr.startswith('Error: the role "read" may only')) == (1, True)


@pytest.mark.parametrize("arguments", [["logs"], ["restart"]])
def test_what_needs_the_agents_machine_says_so(one: Remote, arguments: list[str]) -> None:
    done = asked(one, *arguments)
    assert (done.exit_code, "the machine on which the agent runs" in done.stderr) == (2, True)


def test_a_name_and_an_address_are_two_agents(one: Remote) -> None:
    assert "leave one of the two out" in asked(one, "status", "web").stderr
    assert "leave one of the two out" in asked(one, "flush", "web").stderr


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--cert", "/nowhere/cert.pem"], "--at: /nowhere/cert.pem: No such file"),
        (["--token-file", "/nowhere/token"], "--at: /nowhere/token: No such file"),
        (["--ca", "/nowhere/ca"], "ca: /nowhere/ca is no file"),
        (["--key", "/"], "--at: / is no file"),
    ],
)
def test_a_file_that_is_missing_is_named(one: Remote, given: list[str], told: str) -> None:
    done = asked(one, "status", *given)
    assert done.exit_code in {1, 2}
    assert told in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_a_token_that_others_may_read_is_not_used(one: Remote, tmp_path: Path) -> None:
    (tmp_path / "operator").chmod(0o644)
    assert "chmod 600" in asked(one, "status").stderr


def test_without_a_certificate_nobody_is_asked(one: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SWAK_CONTROL_CERT")
    done = asked(one, "status")
    assert (done.exit_code, "--at needs --cert FILE" in done.stderr) == (2, True)


def test_where_nobody_listens_the_address_is_told() -> None:
    for address in ("nonsense", "host:99999999"):
        done = CliRunner().invoke(swak, ["status", "--at", address, "--cert", "x"])
        assert (done.exit_code, "wants HOST:PORT" in done.stderr) == (2, True)


def test_a_stop_drains_and_prints_the_receipt(
    tmp_path: Path, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    from swak.control.verbs import Outcome

    made = guard(tmp_path, certificates)
    monkeypatch.setenv("SWAK_CONTROL_CERT", certificates.client)
    monkeypatch.setenv("SWAK_CONTROL_CA", certificates.ca)
    (tmp_path / "token").write_text(made.operator)
    (tmp_path / "token").chmod(0o600)
    with remote(made, task(in_.Memory(["a"], follow=True), out.Null(), name="t")) as one:
        one.agent.outcome = Outcome(1, "the receipt\n", ["1 lost"])
        done = asked(one, "stop", "--token-file", str(tmp_path / "token"))
        assert (done.exit_code, done.stdout) == (1, "the receipt\n")
        assert one.run.wait(20)


def test_the_live_view_of_an_agent_away_connects_from_threads_of_its_own(one: Remote) -> None:
    lines: list[str] = []

    def watch(connect: Callable[[], Connection]) -> None:
        view = RemoteView(connect)
        peek = view.peek(("t", "Drop"), 0.0)
        view.pause(("t", "Null"), on=True)
        until(lambda: view.look().figures["t", "Null"].paused, view.look)
        view.pause(("t", "Null"), on=False)
        assert asked(one, "inject", "Drop", text="one\n").exit_code == 0
        until(lambda: lines or gained(lines, peek), "an event")
        peek.close()
        view.close()

    @click.command()
    @away_options
    def look() -> None:
        thread = threading.Thread(target=watch, args=(connecting(None),))
        thread.start()
        thread.join(30)

    done = CliRunner().invoke(look, ["--at", one.door.address])
    assert done.exit_code == 0, done.output
    assert '"message": "one"' in lines[0]
