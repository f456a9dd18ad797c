"""What goes over a control socket: one JSON object a line, each way."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from swak.errors import SwakError
from swak.formats.plain import plain
from swak.options import suggest

VERSION = 1
REQUEST_BYTES = 1024 * 1024
"""How long a request may be."""


class RequestError(SwakError):
    """A request cannot be done: `code` is for programs, the text for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Request(NamedTuple):
    """One line of a client. `given` is what is left to be asked for; what nobody asks for is wrong."""

    id: Any
    verb: str
    given: dict[str, Any]

    def text(self, name: str, default: str | None = None) -> str:
        """Take an argument that is text. RequestError when it is missing and has no default."""
        value = self.given.pop(name, default)
        if not isinstance(value, str):
            raise RequestError("bad-argument", f'"{name}" wants text' + (", and is missing" if value is None else ""))
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Take an argument that is true or false."""
        value = self.given.pop(name, default)
        if not isinstance(value, bool):
            raise RequestError("bad-argument", f'"{name}" wants true or false')
        return value

    def number(self, name: str, default: float, least: float, most: float) -> float:
        """Take an argument that is a number in these bounds."""
        value = self.given.pop(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise RequestError("bad-argument", f'"{name}" wants a number from {least:g} to {most:g}')
        return value

    def rows(self, name: str) -> list[Any]:
        """Take an argument that is a list."""
        value = self.given.pop(name, None)
        if not isinstance(value, list):
            raise RequestError("bad-argument", f'"{name}" wants a list')
        return value

    def all_taken(self, *known: str) -> None:
        """Refuse what the verb does not know. `known`: all that it does."""
        for name in self.given:
            mend = suggest(name, known) if known else "it takes none"
            raise RequestError("bad-argument", f'{self.verb} has no argument "{name}"; {mend}')


def read_request(line: bytes) -> Request:
    """Read one line. RequestError says what is wrong with it; it has no id then, unless one could be read."""
    try:
        given = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError("bad-request", f"this is no JSON: {error}") from None
    if not isinstance(given, dict):
        raise RequestError("bad-request", 'a request is an object, such as {"id": 1, "verb": "status"}')
    number = given.pop("id", None)
    if isinstance(number, dict | list):
        raise RequestError("bad-request", '"id" wants a number or text')
    request = Request(number, "", given)
    try:
        _check_version(given.pop("protocol", VERSION))
        return request._replace(verb=request.text("verb"))
    except RequestError as error:
        error.args = (*error.args, number)
        raise


def _check_version(version: Any) -> None:
    if version != VERSION or isinstance(version, bool):
        raise RequestError("bad-version", f"this agent speaks version {VERSION} of the protocol, not {version!r:.20}")


def id_of(error: RequestError) -> Any:
    """Return the id of a request that could be read so far."""
    return error.args[1] if len(error.args) > 1 else None


def answer(number: Any, told: dict[str, Any]) -> bytes:
    """Make the line that ends a request that went well."""
    return encode({"id": number, "ok": True, **told})


def refusal(number: Any, error: RequestError) -> bytes:
    """Make the line that ends a request that did not."""
    return encode({"id": number, "ok": False, "code": error.code, "error": str(error.args[0])})


def encode(told: dict[str, Any]) -> bytes:
    """Make a line of whatever an agent can tell: what JSON has no place for is told as text."""
    try:
        return msgspec.json.encode(told) + b"\n"
    except (TypeError, ValueError, RecursionError, OverflowError):  # surrogates, foreign types, endless numbers
        return msgspec.json.encode(_told(told, 0)) + b"\n"


def _told(value: Any, depth: int) -> Any:
    if depth > 100:
        return "..."
    if isinstance(value, dict):
        return {_key(key): _told(one, depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_told(one, depth + 1) for one in value]
    try:
        made = plain(value)
        msgspec.json.encode(made)
    except (TypeError, ValueError, RecursionError, OverflowError):
        return f"<{type(value).__name__}>"
    return made


def _key(key: Any) -> str:
    return str(plain(key)) if isinstance(key, str) else f"{key!r:.100}"
