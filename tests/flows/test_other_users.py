"""Agents on a machine with other users: these can neither look at an agent nor operate it, and root can."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.flows.agent import environ
from tests.flows.waiting import WAIT_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65_534
RECIPE = (
    'task(in_.FileTailing("app.log"), out.Drop("message == \'no\'"), out.File("out.txt", format="raw"), name="web")'
)

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may act as another user"),
    pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv (apt-get install util-linux)"),
]


def python(user: int, *arguments: str) -> list[str]:
    """Return how to run Python as that user."""
    become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
    return [*become, sys.executable, *arguments]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may enter; pytest's own are their owner's alone."""
    made = Path(tempfile.mkdtemp(prefix="swak-users-"))
    made.chmod(0o755)
    (made / "app.log").write_text("one\n")
    done = ran(made, NOBODY, "--version")
    if done.returncode:
        shutil.rmtree(made)
        pytest.skip(f"another user cannot run this Python: {done.stderr.strip()[-100:]}")
    yield made
    shutil.rmtree(made)


def ran(folder: Path, user: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of swak to its end as that user."""
    return subprocess.run(
        python(user, "-m", "swak", *arguments),
        cwd=folder,
        env=environ(folder),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


class Started:
    """An agent of a user, in the foreground; it is killed with the test."""

    def __init__(self, folder: Path, user: int) -> None:
        self.log = (folder / "agent.log").open("ab")
        command = python(user, "-m", "swak", "up", "--name", "web", "--no-view", "-e", RECIPE)
        self.process = subprocess.Popen(
            command, cwd=folder, env=environ(folder), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log
        )
        self.socket = folder / "home" / "run" / "web.sock"
        said = folder / "agent.log"
        until((folder / "home" / "run" / "web.json").exists, said.read_text)

    def end(self) -> None:
        self.process.kill()
        self.process.wait(WAIT_S)
        self.log.close()


@pytest.fixture
def of_root(folder: Path) -> Iterator[Started]:
    started = Started(folder, 0)
    yield started
    started.end()


@pytest.mark.parametrize("loosened", [False, True])
@pytest.mark.parametrize(
    "command",
    [["status", "web"], ["pause", "Drop", "--name", "web"], ["attach", "web", "-c", "1"], ["stop", "--now", "web"]],
    ids=lambda command: command[0],
)
def test_another_user_can_neither_read_nor_operate_an_agent(
    folder: Path, of_root: Started, command: list[str], loosened: bool
) -> None:
    if loosened:
        for path in [folder / "home", *(folder / "home").rglob("*")]:
            path.chmod(0o777)  # and the socket: then the kernel says who has connected
    done = ran(folder, NOBODY, *command)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "web/" not in done.stdout + done.stderr
    told = "closed the connection" in done.stderr or "another user's" in done.stderr
    assert told is loosened, done.stderr
    assert of_root.process.poll() is None, "it runs on"
    status = ran(folder, 0, "status", "web")
    assert "web/Drop         running" in status.stdout, "and nothing is paused"


def test_another_user_gets_no_byte_out_of_a_socket_that_was_opened_to_all(folder: Path, of_root: Started) -> None:
    for path in [folder / "home", folder / "home" / "run", of_root.socket]:
        path.chmod(0o777)
    program = (
        "import socket, sys\ns = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1])\n"
        'try:\n    s.sendall(b\'{"verb": "status"}\\n\'); print(s.recv(1000))\n'
        "except (BrokenPipeError, ConnectionResetError): print(b'')"
    )
    done = subprocess.run(
        python(NOBODY, "-c", program, str(of_root.socket)),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.stdout == "b''\n", done.stderr
    assert f"control is refused to another user [swak.control] user={NOBODY}" in (folder / "agent.log").read_text()


def test_root_may_operate_everybodys_agent(folder: Path) -> None:
    os.chown(folder, NOBODY, NOBODY)
    theirs = Started(folder, NOBODY)
    try:
        assert theirs.socket.stat().st_uid == NOBODY
        assert "web/Drop         running" in ran(folder, 0, "status", "web").stdout
        assert ran(folder, 0, "pause", "Drop").returncode == 0
        assert ran(folder, NOBODY, "resume", "Drop").returncode == 0
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(20)
            sock.connect(str(theirs.socket))
            sock.sendall(b'{"verb": "hello"}\n')
            assert sock.recv(1_000).startswith(b'{"id":null,"ok":true')
        assert ran(folder, 0, "stop", "web").returncode == 0
    finally:
        theirs.end()
