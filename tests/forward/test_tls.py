from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from swak.forward.tls import Tls, client_context, is_tls, receive, send, server_context
from swak.sockets.held import hang_up

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers.certificates import Certificates


def test_a_missing_file_is_an_os_error() -> None:
    for made in (client_context, server_context):
        with pytest.raises(OSError, match=r"ca\.pem is no file"):
            made(Tls(ca="/nowhere/ca.pem", cert="/nowhere/cert.pem"))


def test_a_file_that_is_no_pem_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("hello")
    with pytest.raises(OSError, match="PEM"):
        server_context(Tls(cert=str(tmp_path / "cert.pem")))


def test_an_encrypted_key_asks_nobody(certificates: Certificates, tmp_path: Path) -> None:
    import subprocess

    path = tmp_path / "key.pem"
    command = ["openssl", "ec", "-in", certificates.server, "-aes128", "-passout", "pass:secret", "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    with pytest.raises(OSError, match="encrypted"):
        server_context(Tls(cert=certificates.server, key=str(path)))


def test_a_plain_socket_that_has_nothing_says_so_and_one_that_ended_too() -> None:
    one, other = socket.socketpair()
    one.setblocking(False)
    assert receive(one) is None
    other.sendall(b"abc")
    assert receive(one) == b"abc"
    hang_up(other)
    assert receive(one) == b""
    one.close()
    other.close()


def test_a_plain_socket_without_room_takes_nothing() -> None:
    one, other = socket.socketpair()
    one.setblocking(False)
    while send(one, b"x" * 100_000):
        pass
    assert not is_tls(one)
    one.close()
    other.close()


def test_a_receiver_says_nothing_that_a_sender_without_acks_would_leave_unread(certificates: Certificates) -> None:
    assert server_context(Tls(cert=certificates.server)).num_tickets == 0


@pytest.mark.parametrize("make", [server_context, client_context])
def test_a_file_that_is_no_certificate_is_named_with_its_option(
    tmp_path: Path, make: Callable[[Tls], ssl.SSLContext]
) -> None:
    path = tmp_path / "junk.pem"
    for content in ("", "junk"):
        path.write_text(content)
        with pytest.raises(OSError, match=r"cert: .*junk\.pem: holds no certificate with its key in PEM"):
            make(Tls(cert=str(path)))
        with pytest.raises(OSError, match=r"ca: .*junk\.pem: holds no certificate in PEM"):
            make(Tls(ca=str(path)))
