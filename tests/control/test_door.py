"""Who comes in over TCP, and what the others get: nothing."""

from __future__ import annotations

import json
import logging
import shutil
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from swak import in_, out, task
from swak.control import door as doors
from swak.control import server as servers
from swak.control.client import ControlError
from swak.control.door import FIRST_BYTES, STRANGERS_MAX, Door, names_of
from swak.control.grants import add_token
from swak.forward.tls import Tls, client_context
from swak.testing import FakeClock
from tests.control.guarded import Guard, Remote, guard, remote
from tests.flows.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.certificates import Certificates


@pytest.fixture
def made(tmp_path: Path, certificates: Certificates) -> Guard:
    return guard(tmp_path, certificates)


@pytest.fixture
def one(made: Guard, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    """An agent that takes as many strangers a second as come."""
    monkeypatch.setattr(doors, "ARRIVALS_A_SECOND", 1e6)
    monkeypatch.setattr(doors, "ARRIVALS_AT_ONCE", 1e6)
    source = in_.Memory(["a"], follow=True)
    with remote(made, task(source, out.Null(), name="t")) as running:
        yield running
        source.end()


def answer_to(sock: socket.socket, said: bytes) -> bytes:
    """Say something and return all that comes until the connection ends."""
    sock.settimeout(20)
    got = b""
    with sock, suppress(OSError):  # reset: what was there before that counts
        sock.sendall(said)
        while part := sock.recv(4_096):
            got += part
    return got


def test_a_token_has_the_rights_of_its_role(one: Remote) -> None:
    with one.connect(one.guard.reader) as reader:
        assert reader.ask("status")["name"] == "test"
        with pytest.raises(ControlError, match='the role "read" may only ask for') as raised:
            reader.ask("pause", stage="Null")
        assert raised.value.code == "forbidden"
        for verb in ("stop", "attach", "inject", "flush", "nonsense"):
            with pytest.raises(ControlError):
                reader.ask(verb)
    with one.connect(one.guard.operator) as operator:
        assert operator.ask("pause", stage="Null")["paused"]
        assert not operator.ask("resume", stage="Null")["paused"]


def test_a_certificate_whose_name_has_a_role_needs_no_token(one: Remote) -> None:
    with one.connect(None) as connection, pytest.raises(ControlError, match="hung up without a word"):
        connection.ask("status")
    with one.guard.tokens.open("a") as file:
        file.write("client read certificate\n")
    with one.connect(None) as connection:
        assert connection.ask("status")["name"] == "test"
        with pytest.raises(ControlError, match="may only ask"):
            connection.ask("pause", stage="Null")
    with one.connect("wrong") as connection, pytest.raises(ControlError, match="hung up without a word"):
        connection.ask("status")


@pytest.mark.parametrize("first", ["wrong", "", "x" * 3_000, "ä"])
def test_a_wrong_token_gets_not_a_byte(one: Remote, first: str) -> None:
    hello = b'{"id": 1, "verb": "hello"}\n'
    assert answer_to(one.encrypted(), json.dumps({"token": first}).encode() + b"\n" + hello) == b""


@pytest.mark.parametrize(
    "first",
    [
        b'{"id": 1, "verb": "hello"}\n',
        b"\n",
        b"not json\n",
        b"[]\n",
        b"{}\n",
        b'{"token": 5}\n',
        b'{"token": null}\n',
        b'{"token": ["a"]}\n',
        b"\xff\n",
        b"[" * 4_000 + b"\n",
        b"x" * (FIRST_BYTES + 1),
        b"x" * FIRST_BYTES * 4 + b"\n",
    ],
)
def test_who_says_no_token_first_gets_not_a_byte(one: Remote, first: bytes) -> None:
    assert answer_to(one.encrypted(), first) == b""


def test_the_right_token_with_something_besides_is_none(one: Remote) -> None:
    said = json.dumps({"token": one.guard.operator, "verb": "hello"}).encode() + b"\n"
    assert answer_to(one.encrypted(), said) == b""


@pytest.mark.parametrize("who", ["stranger", "expired", "server", ""])
def test_without_a_certificate_of_ours_nobody_gets_through_the_handshake(one: Remote, who: str) -> None:
    certificate = getattr(one.guard.certificates, who) if who else ""
    token = json.dumps({"token": one.guard.operator}).encode() + b'\n{"verb": "hello"}\n'
    with suppress(ssl.SSLError, ConnectionError):  # of TLS 1.2 it ends in the handshake, of 1.3 at the first byte
        assert answer_to(one.encrypted(certificate), token) == b""
    with one.connect(one.guard.reader) as connection:
        assert connection.ask("status")["ok"]


@pytest.mark.parametrize("who", ["stranger", "expired"])
def test_the_client_says_that_its_certificate_was_not_taken(one: Remote, who: str) -> None:
    certificate = getattr(one.guard.certificates, who)
    with pytest.raises(ControlError, match=r"does not accept our certificate|hung up without a word"):  # noqa: SIM117 - either
        with one.connect(one.guard.operator, certificate) as connection:
            connection.ask("status")


def test_a_client_trusts_only_agents_of_its_own_authority(one: Remote) -> None:
    with pytest.raises(ControlError, match="its certificate is not accepted here"):
        one.connect(one.guard.operator, ca=one.guard.certificates.stranger)


@pytest.mark.parametrize(
    "said", [b'{"token": null}\n{"verb": "hello"}\n', b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01garbage"]
)
def test_without_tls_nothing_is_answered_but_an_alert(one: Remote, said: bytes) -> None:
    answered = answer_to(one.raw(), said)
    assert len(answered) <= 7, answered  # an alert of TLS, or not even that
    assert b"{" not in answered


def test_tls_that_is_too_old_is_refused(one: Remote) -> None:
    known = one.guard.certificates
    context = client_context(Tls(known.ca, known.client))
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    with context.wrap_socket(one.raw(), server_hostname="127.0.0.1") as sock:
        assert sock.version() == "TLSv1.2"
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(OSError):  # noqa: PT011 - each OpenSSL has its own words
        context.wrap_socket(one.raw(), server_hostname="127.0.0.1")


def test_a_first_line_in_pieces_is_as_good(one: Remote) -> None:
    said = json.dumps({"token": one.guard.reader}).encode() + b'\n{"id": 1, "verb": "hello"}\n'
    with one.encrypted() as sock, sock.makefile("rb") as file:
        sock.settimeout(20)
        for byte in said:
            sock.send(bytes([byte]))
        assert json.loads(file.readline())["name"] == "test"


def test_strangers_have_no_time_to_lose(made: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "STRANGER_S", 0.3)
    with remote(made, task(in_.Memory(["a"]), out.Null(), name="t")) as one:
        for sock in (one.raw(), one.encrypted()):
            sock.settimeout(20)
            with sock, suppress(ConnectionError):
                assert sock.recv(1) == b"", "says nothing, and is hung up on"


def test_the_oldest_stranger_makes_room_for_one_more(one: Remote) -> None:
    socks = [one.raw() for _ in range(STRANGERS_MAX * 2)]
    with one.connect(one.guard.reader) as connection:
        assert connection.ask("status")["ok"]
    with suppress(ConnectionError):
        socks[0].settimeout(20)
        assert socks[0].recv(1) == b""
    for sock in socks:
        sock.close()


def test_more_strangers_than_a_second_has_room_for_wait(made: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "ARRIVALS_AT_ONCE", 1.0)
    with remote(made, task(in_.Memory(["a"]), out.Null(), name="t")) as one:
        for _ in range(4):
            with one.connect(one.guard.reader) as connection:
                assert connection.ask("status")["ok"], "late, and served"


@pytest.mark.parametrize("busy", [False, True])
def test_who_loses_a_right_is_hung_up_on(one: Remote, monkeypatch: pytest.MonkeyPatch, busy: bool) -> None:
    monkeypatch.setattr(servers, "LOOK_S", 0.05)
    with one.connect(one.guard.operator) as connection, one.connect(one.guard.reader) as other:
        lines = connection.stream("tap", stage="Null") if busy else iter([connection.ask("status")])
        assert next(lines)["id"] == 1
        kept = [line for line in one.guard.tokens.read_text().splitlines() if not line.startswith("operator")]
        _replace(one.guard.tokens, "\n".join(kept) + "\n")
        assert connection._sock.recv(1) == b"" if not busy else True
        with pytest.raises(ControlError, match="closed the connection"):
            next(lines) if busy else connection.ask("status")
        assert other.ask("status")["ok"], "others keep theirs"


def test_a_tokens_file_that_cannot_be_used_lets_nobody_in_and_the_log_says_why(
    one: Remote, caplog: pytest.LogCaptureFixture
) -> None:
    held = one.guard.tokens.read_text()
    _replace(one.guard.tokens, "nonsense\n")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            with one.connect(one.guard.operator) as connection, pytest.raises(ControlError, match="without a word"):
                connection.ask("status")
    told = [record.message for record in caplog.records if "nobody is let in" in record.message]
    assert len(told) == 1
    assert "tokens:1  wants NAME ROLE" in told[0]
    _replace(one.guard.tokens, held)
    with one.connect(one.guard.operator) as connection:
        assert connection.ask("status")["ok"]


def test_a_new_token_works_at_once(one: Remote) -> None:
    token = add_token(one.guard.tokens, "late", "read")
    with one.connect(token) as connection:
        assert connection.ask("status")["ok"]


def test_a_new_certificate_is_used_and_one_that_is_wrong_is_not(
    tmp_path: Path, made: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "ARRIVALS_A_SECOND", 1e6)
    own = tmp_path / "own.pem"
    shutil.copy2(made.certificates.server, own)
    made.path.write_text(made.path.read_text().replace(made.certificates.server, str(own)))
    with remote(made, task(in_.Memory(["a"]), out.Null(), name="t")) as one:
        _replace(own, "nonsense")
        with one.connect(made.reader) as connection:
            assert connection.ask("status")["ok"], "the old one is still there"
        _replace(own, Path(made.certificates.stranger).read_text())
        with pytest.raises(ControlError, match="its certificate is not accepted here"):
            one.connect(made.reader)


def test_who_is_turned_away_often_is_seldom_in_the_log(one: Remote, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            assert answer_to(one.encrypted(), b'{"token": "wrong"}\n') == b""
    told = [record.message for record in caplog.records if "turned away" in record.message]
    assert len(told) == 1
    assert "a wrong token (certificate client)" in told[0]


def test_no_token_is_ever_in_the_log(one: Remote, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        with one.connect(one.guard.operator) as connection:
            connection.ask("flush")
        answer_to(one.encrypted(), b'{"token": "my-secret-token"}\n')
    text = "\n".join(record.message for record in caplog.records)
    assert "token operator, certificate client, 127.0.0.1:" in text
    assert one.guard.operator not in text
    assert "my-secret-token" not in text


def test_the_address_is_free_again_when_it_is_closed(made: Guard) -> None:
    first = Door("127.0.0.1", 0, made.read(), FakeClock().monotonic)
    port = int(first.address.rpartition(":")[2])
    with pytest.raises(OSError, match=str(port)):
        Door("127.0.0.1", port, made.read())
    first.close()
    Door("127.0.0.1", port, made.read()).close()


def test_who_has_come_in_is_hung_up_on_at_the_end(made: Guard) -> None:
    source = in_.Memory(["a"], follow=True)
    with remote(made, task(source, out.Null(), name="t")) as one:
        stranger, connection = one.encrypted(), one.connect(made.operator)
        assert connection.ask("status")["ok"]
        source.end()
        one.server.close()
        with pytest.raises(ControlError, match="closed the connection"):
            connection.ask("status")
        stranger.settimeout(20)
        with stranger, suppress(ConnectionError):
            assert stranger.recv(1) == b""
        connection.close()
        with pytest.raises(ConnectionRefusedError):
            one.raw()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks into /proc")
def test_an_agent_without_descriptors_goes_on_when_there_are_some_again(one: Remote) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(list(Path("/proc/self/fd").iterdir()))
    held = [socket.socket() for _ in range(4)]
    with one.connect(one.guard.reader) as connection:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (used, hard))
            held.pop().close()
            with suppress(OSError):
                held.append(one.raw())
            assert connection.ask("status")["ok"]
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for sock in held:
        sock.close()

    def again() -> bool:
        with one.connect(one.guard.reader) as connection:
            return bool(connection.ask("status")["ok"])

    until(again, "it takes clients again")


def test_a_certificates_names_are_its_alternative_ones_or_else_its_common_one() -> None:
    subject = ((("countryName", "KR"),), (("commonName", "alice"),))
    assert names_of({"subject": subject}) == ["alice"]
    known = (("DNS", "a.example"), ("IP Address", "127.0.0.1"), ("email", "a@example"))
    assert names_of({"subject": subject, "subjectAltName": known}) == ["a.example", "a@example"]
    assert names_of({}) == []


def _replace(path: Path, text: str) -> None:
    """Change a file as one should: nobody sees a part of it."""
    fresh = path.with_suffix(".fresh")
    fresh.write_text(text)
    fresh.chmod(0o600)
    fresh.replace(path)
