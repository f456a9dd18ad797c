"""Asking an agent that runs."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import TYPE_CHECKING, Any, Self

from swak.errors import Problem, SwakError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swak.background.naming import Found

ANSWER_S = 10.0
"""How long an answer may take besides what the request itself waits for."""
CLOSED = "has closed the connection: it has ended, or was stopped"
LINE_BYTES = 64 * 1024 * 1024


class ControlError(SwakError):
    """An agent cannot be asked, or has refused."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class Connection:
    """A connection to one agent. Not for several threads."""

    def __init__(self, path: str, name: str = "the agent") -> None:
        """Connect. ControlError says why that cannot be."""
        self.name = name
        if not hasattr(socket, "AF_UNIX"):
            raise ControlError(str(Problem("this system has no Unix sockets", "agents cannot be controlled here")))
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(ANSWER_S)
        try:
            self._sock.connect(path)
        except OSError as error:
            self._sock.close()
            mend = "look at its log: swak logs"
            raise ControlError(str(Problem(f"{name} cannot be reached at {path}: {error}", mend))) from error
        self._file = self._sock.makefile("rb")
        self._serial = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave. What is under way for us ends."""
        self._file.close()
        self._sock.close()

    def hang_up(self) -> None:
        """Have everything that another thread waits for here end with a ControlError. `close` is still due."""
        with contextlib.suppress(OSError):  # the other end was quicker
            self._sock.shutdown(socket.SHUT_RDWR)

    def ask(self, verb: str, *, within_s: float = 0.0, **given: Any) -> dict[str, Any]:
        """Return the answer to a request that itself waits `within_s` at most. ControlError: it was refused."""
        told: dict[str, Any] = {}
        for told in self.stream(verb, within_s=within_s, **given):  # noqa: B007 - the last one counts
            pass  # what comes before the last line is for those who stream
        return told

    def stream(self, verb: str, *, within_s: float | None = None, **given: Any) -> Iterator[dict[str, Any]]:
        """Yield each line that comes, the answer last. `within_s` None: they may come at any time."""
        self._serial += 1
        request = {
            "id": self._serial,
            "verb": verb,
            **{name: value for name, value in given.items() if value is not None},
        }
        self._sock.settimeout(None if within_s is None else within_s + ANSWER_S)
        try:
            self._sock.sendall(json.dumps(request).encode() + b"\n")
            while True:
                line = self._file.readline(LINE_BYTES)
                if not line.endswith(b"\n"):
                    raise ControlError(f"{self.name} {CLOSED}")
                told: dict[str, Any] = json.loads(line)
                if told.get("ok") is False:
                    raise ControlError(str(told.get("error")), str(told.get("code")))
                yield told
                if "ok" in told:
                    return
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ControlError(f"{self.name} {CLOSED}") from error
        except TimeoutError as error:
            raise ControlError(f"{self.name} does not answer") from error
        except (OSError, ValueError) as error:
            raise ControlError(f"{self.name}: {error}") from error


def connect(found: Found) -> Connection:
    """Connect to an agent that runs. ControlError when it has no socket, or does not listen."""
    path = found.details.get("socket")
    if not path:
        what = f'"{found.name}" (process {found.pid}) has no control socket'
        raise ControlError(str(Problem(what, "it is just beginning, or its log says why: swak logs")))
    return Connection(str(path), f'"{found.name}"')
