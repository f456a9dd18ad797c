"""Control over TCP inside the test's process: what guards it, and clients that come to its door."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, NamedTuple

from swak import running
from swak.control.client import Away, Connection
from swak.control.configured import Guarded, read_config
from swak.control.door import Door
from swak.control.grants import add_token
from swak.control.server import Server
from swak.control.verbs import Agent
from swak.forward.tls import Tls, client_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

    from swak.actors.running import Run
    from swak.recipe import Flow
    from tests.servers.certificates import Certificates


class Guard(NamedTuple):
    """Files that guard an agent, and the tokens that they know."""

    certificates: Certificates
    path: Path
    tokens: Path
    reader: str
    operator: str

    def read(self) -> Guarded:
        return read_config(self.path)


def guard(folder: Path, certificates: Certificates, *, attach_write: bool = False) -> Guard:
    """Make the files: a token of each role."""
    path, tokens = folder / "control.toml", folder / "tokens"
    path.write_text(
        f'certificate = "{certificates.server}"\nkey = "{certificates.server}"\nca = "{certificates.ca}"\n'
        f'tokens = "tokens"\nattach_write = {str(attach_write).lower()}\n'
    )
    reader, operator = add_token(tokens, "reader", "read"), add_token(tokens, "operator", "operate")
    return Guard(certificates, path, tokens, reader, operator)


class Remote(NamedTuple):
    """A run that is controlled over TCP."""

    run: Run
    agent: Agent
    server: Server
    door: Door
    guard: Guard

    @property
    def port(self) -> int:
        return int(self.door.address.rpartition(":")[2])

    def away(self, token: str | None, certificate: str = "", ca: str = "") -> Away:
        """Return how to come here; as the client whom the authority knows, unless said otherwise."""
        known = self.guard.certificates
        return Away("127.0.0.1", self.port, Tls(ca or known.ca, certificate or known.client), token)

    def connect(self, token: str | None, certificate: str = "", ca: str = "") -> Connection:
        return Connection(self.away(token, certificate, ca))

    def raw(self) -> socket.socket:
        """Return a connection that says nothing yet, not even in TLS."""
        return socket.create_connection(("127.0.0.1", self.port), 20)

    def encrypted(self, certificate: str | None = None) -> ssl.SSLSocket:
        """Return a connection of a client with a certificate, who has not said a first line. "": without one."""
        known = self.guard.certificates
        tls = Tls(known.ca, known.client if certificate is None else certificate)
        return client_context(tls).wrap_socket(self.raw(), server_hostname="127.0.0.1")


@contextlib.contextmanager
def remote(made: Guard, *flows: Flow) -> Iterator[Remote]:
    """Run a recipe that is controlled over TCP, and over nothing else."""
    with running(list(flows)) as run:
        agent = Agent(run, "test", "test.py", {"log": ""})
        door = Door("127.0.0.1", 0, made.read())
        server = Server(None, agent.verbs(), time.monotonic, door)
        server.start()
        try:
            yield Remote(run, agent, server, door, made)
        finally:
            server.close()
