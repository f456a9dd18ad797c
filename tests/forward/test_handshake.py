from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgpack  # type: ignore[import-untyped]  # it has no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swak.forward.handshake import Caller, HandshakeError, Keeper, Lock, Secrets

LOCK = Lock("server", "key", {})
USERS = Lock("server", "key", {"ann": "secret"})
VALUES = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5) | st.binary(max_size=5)


def shaken(lock: Lock, secrets: Secrets, **changed: Any) -> Caller:
    """Let both sides talk. `changed` replaces what the server says."""
    keeper, caller = Keeper(lock), Caller(secrets)
    helo = msgpack.unpackb(keeper.helo())
    helo[1].update(changed)
    caller.check(msgpack.unpackb(keeper.answer(msgpack.unpackb(caller.answer(helo)))))
    return caller


def test_both_sides_with_one_key_come_together() -> None:
    assert shaken(LOCK, Secrets("client", "key")).keepalive


def test_a_user_with_the_right_password_comes_in() -> None:
    shaken(USERS, Secrets("client", "key", "ann", "secret"))


def test_a_user_is_not_told_to_a_server_that_wants_none() -> None:
    ping = msgpack.unpackb(Caller(Secrets("c", "key", "ann", "secret")).answer(["HELO", {"nonce": "n", "auth": ""}]))
    assert ping[4:] == ["", ""]


@pytest.mark.parametrize(
    ("secrets", "reason"),
    [
        (Secrets("client", "other", "ann", "secret"), "shared key mismatch"),
        (Secrets("client", "key", "ann", "wrong"), "username/password mismatch"),
        (Secrets("client", "key", "bob", "secret"), "username/password mismatch"),
        (Secrets("client", "key", "bob", ""), "username/password mismatch"),
        (Secrets("client", "key"), "give user= and password="),
    ],
)
def test_who_does_not_know_the_secrets_stays_out(secrets: Secrets, reason: str) -> None:
    with pytest.raises(HandshakeError, match=reason):
        shaken(USERS, secrets)


def test_a_refusal_is_told_with_its_reason() -> None:
    keeper, caller = Keeper(LOCK), Caller(Secrets("client", "key"))
    caller.answer(msgpack.unpackb(keeper.helo()))
    with pytest.raises(HandshakeError, match="go away"):
        caller.check(msgpack.unpackb(keeper.refusal("go away")))


def test_a_server_that_does_not_know_the_key_is_not_trusted() -> None:
    caller = Caller(Secrets("client", "key"))
    caller.answer(["HELO", {"nonce": b"n", "auth": b""}])
    with pytest.raises(HandshakeError, match="does not know the shared key"):
        caller.check(["PONG", True, "", "server", "0" * 128])


def test_a_server_may_end_connections_after_each_delivery() -> None:
    assert not shaken(LOCK, Secrets("client", "key"), keepalive=False).keepalive


def test_each_handshake_has_a_nonce_of_its_own() -> None:
    assert Keeper(LOCK).helo() != Keeper(LOCK).helo()


def test_a_recorded_ping_opens_nothing() -> None:
    ping = msgpack.unpackb(Caller(Secrets("client", "key")).answer(msgpack.unpackb(Keeper(LOCK).helo())))
    with pytest.raises(HandshakeError, match="mismatch"):
        Keeper(LOCK).answer(ping)


@given(st.lists(VALUES, max_size=7), VALUES)
def test_noise_is_a_handshake_error_on_both_sides(noise: list[Any], odd: Any) -> None:
    caller = Caller(Secrets("client", "key"))
    for answer in (odd, noise, ["PING", *noise], ["PING", *noise[:5]]):
        with pytest.raises(HandshakeError):
            Keeper(USERS).answer(answer)
    for helo in (odd, noise, ["HELO", odd]):
        with pytest.raises(HandshakeError):
            caller.answer(helo)
    for pong in (odd, noise, ["PONG", *noise], ["PONG", True, "", odd, odd]):
        with pytest.raises(HandshakeError):
            caller.check(pong)
    with suppress(HandshakeError):
        caller.answer(["HELO", {"nonce": odd, "auth": odd}])
