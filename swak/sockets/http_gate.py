"""Which HTTP requests are let in, told from their heads; and the field by which senders say who they are."""

from __future__ import annotations

import hmac
from base64 import b64encode
from typing import TYPE_CHECKING, NamedTuple

from swak.sockets.http_content import HttpError, check_type

if TYPE_CHECKING:
    from swak.sockets.http_exchange import Exchange

ASKING = {"GET", "HEAD"}
"""Methods of requests that bring nothing."""


def authorization(user: str | None, password: str, token: str | None) -> str | None:
    """Return the value of `Authorization`: the token if there is one, else name and password; None for neither."""
    if token is not None:
        return f"Bearer {token}"
    return None if user is None else "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def admitted(given: str, wanted: str | None) -> bool:
    """Tell whether a field has the value that is wanted. How long that takes does not tell how much of it is right."""
    if wanted is None:
        return True
    scheme, _, secret = given.partition(" ")
    told = f"{scheme.capitalize()} {secret.strip()}".encode("latin-1", "replace")
    return hmac.compare_digest(told, wanted.encode())


class Gate(NamedTuple):
    """What a request must be like to be let in."""

    path: str
    """Where events go; "/" is anywhere."""
    health: str
    """Where anybody may ask whether we are up."""
    authorization: str | None
    """What events must come with."""

    def admit(self, request: Exchange) -> None:
        """Look at the head of a request. HttpError: it is not let in, and why."""
        path = request.target.partition("?")[0]
        if request.method in ASKING and path == self.health:
            return
        if request.method not in {"POST", "PUT"}:
            raise HttpError(405, "events come with POST")
        if self.path not in {"/", path}:
            raise HttpError(404, "events go to another path")
        if not admitted(request.headers.get("authorization", ""), self.authorization):
            raise HttpError(401, "the token, or name and password, are missing or wrong")
        if request.length == 0:
            raise HttpError(411, "there is no body, or no content-length")
        check_type(request.headers.get("content-type", ""))
