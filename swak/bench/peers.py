"""The agents beside swak, each with configurations of ours: which workloads they can do, and how they are started."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, NamedTuple

from swak.bench.child import free_port
from swak.bench.place import Agent
from swak.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from swak.bench.place import Place
    from swak.bench.workloads import Workload

CONFIGS = Path(__file__).with_name("configs")
SYSTEM_PATHS = ("/usr/sbin", "/sbin", "/usr/local/sbin")
"""Where daemons lie; the PATH of a user need not name these folders."""


class Peer(NamedTuple):
    """An agent that is not ours."""

    name: str
    program: str
    install: str
    command: Callable[[str, Path, Place], list[str]]
    """Of the program, its configuration, and the place."""
    configs: Path = CONFIGS
    """A folder of its name holds a configuration for each workload that it can do."""

    def where(self) -> str | None:
        """Return the path of the program; None when it is not here."""
        return shutil.which(self.program, path=os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM_PATHS]))

    def config(self, workload: str) -> Path | None:
        """Return the configuration for a workload; None when there is none."""
        return next((self.configs / self.name).glob(f"{workload}.*"), None)

    def agent(self, workload: Workload, place: Place, _port: int = 0) -> Agent:
        """Return how this peer runs a workload that it can do."""
        program, config = self.where(), self.config(workload.name)
        assert program is not None, "it was looked for"
        assert config is not None, "it can do this"
        port = free_port() if workload.listens else 0
        text = Template(config.read_text(encoding="utf-8")).safe_substitute(
            log=place.input(workload),
            **place.files,
            folder=place.out,
            state=place.state,
            port=port,
            configs=config.parent,
            hostname=socket.gethostname(),
        )
        filled = place.state / config.name
        filled.write_text(text, encoding="utf-8")
        return Agent(self.command(program, filled, place), ends=False, port=port)


def rsyslog(program: str, config: Path, place: Place) -> list[str]:
    """Return the command of rsyslog, in the foreground."""
    return [program, "-n", "-f", str(config), "-i", str(place.state / "pid")]


def syslog_ng(program: str, config: Path, place: Place) -> list[str]:
    """Return the command of syslog-ng, in the foreground, with all its files in our folder."""
    state = place.state
    own = [f"--persist-file={state / 'persist'}", f"--control={state / 'ctl'}", f"--pidfile={state / 'pid'}"]
    return [program, "-F", "--no-caps", f"--cfgfile={config}", *own]


PEERS = (
    Peer("fluent-bit", "fluent-bit", "see https://docs.fluentbit.io/manual/installation",
         lambda program, config, _place: [program, "-q", "-c", str(config)]),
    Peer("rsyslog", "rsyslogd", "apt-get install rsyslog (it replaces syslog-ng)", rsyslog),
    Peer("syslog-ng", "syslog-ng", "apt-get install syslog-ng-core (it replaces rsyslog)", syslog_ng),
    Peer("fluentd", "fluentd", "gem install fluentd",
         lambda program, config, _place: [program, "--no-supervisor", "-q", "-c", str(config)]),
    Peer("vector", "vector", "see https://vector.dev/docs/setup/installation",
         lambda program, config, _place: [program, "-qq", "-c", str(config)]),
)  # fmt: skip
NAMES = [peer.name for peer in PEERS]


def chosen(names: Sequence[str], peers: Sequence[Peer] = PEERS) -> list[Peer]:
    """Return the peers that were asked for, or else those that are here. ConfigError when one is not here."""
    if not names:
        return [peer for peer in peers if peer.where()]
    wanted = [peer for peer in peers if peer.name in names]
    missing = [peer for peer in wanted if not peer.where()]
    if missing:
        raise ConfigError(
            [Problem(f"{peer.name} is not here: no {peer.program} on the PATH", peer.install) for peer in missing]
        )
    return wanted
