"""TLS for both sides of the forward protocol, and sockets that never block, with TLS or without."""

from __future__ import annotations

from contextlib import contextmanager
from errno import EINVAL
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Iterator

RECEIVE_BYTES = 64 * 1024


class Tls(NamedTuple):
    """Paths of PEM files: whom we trust, who we are."""

    ca: str = ""
    cert: str = ""
    key: str = ""
    verify: bool = True


def client_context(tls: Tls) -> ssl.SSLContext:
    """Return the context of a sender. OSError: a file is missing or is no PEM."""
    import ssl  # noqa: PLC0415 - costs more than the rest of swak's start

    with _named("ca", tls.ca):
        context = ssl.create_default_context(cafile=tls.ca or None)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert:
        with _named("cert", tls.cert, tls.key):
            context.load_cert_chain(tls.cert, tls.key or None, _no_password)
    return context


def server_context(tls: Tls) -> ssl.SSLContext:
    """Return the context of a receiver; with `ca` senders must show a certificate. OSError: as above."""
    import ssl  # noqa: PLC0415 - as above

    with _named("ca", tls.ca):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tls.ca or None)
    with _named("cert", tls.cert, tls.key):
        context.load_cert_chain(tls.cert, tls.key or None, _no_password)
    if tls.ca:
        context.verify_mode = ssl.CERT_REQUIRED
    # A ticket to resume the session is the only thing that a sender without acks is told. It never reads it, and the
    # system of one that closes with something unread resets the connection: the last events would be lost on the way.
    context.num_tickets = 0
    return context


@contextmanager
def _named(option: str, *paths: str) -> Iterator[None]:
    """Let an error say which option and file it is about; the system and OpenSSL do not."""
    try:
        yield
    except OSError as error:
        missing = next((path for path in paths if path and not Path(path).is_file()), "")
        shown = f"{missing} is no file" if missing else f"{' and '.join(filter(None, paths))}: {_reason(error)}"
        raise OSError(error.errno if missing else EINVAL, f"{option}: {shown}") from error


def _reason(error: OSError) -> str:
    reason = str(getattr(error, "reason", "") or error.strerror or error)
    words = {
        "PEM lib": "holds no certificate with its key in PEM",
        "KEY_VALUES_MISMATCH": "the key is not that of the certificate",
        "NO_CERTIFICATE_OR_CRL_FOUND": "holds no certificate in PEM",
    }
    return next((text for sign, text in words.items() if sign in f"{reason} {error}"), reason)


def _no_password() -> str:
    raise OSError("the key file is encrypted; give one that is not, which only swak's user may read")


def receive(sock: socket.socket, size_bytes: int = RECEIVE_BYTES) -> bytes | None:
    """Return what has arrived, up to about `size_bytes`; b"" at the end, None when there is nothing now."""
    parts: list[bytes] = []
    got = 0
    while got < size_bytes:
        try:
            part = sock.recv(size_bytes)
        except BlockingIOError:
            break
        except OSError as error:
            if waits(error):
                break
            if parts:
                break  # the next call fails again
            raise
        parts.append(part)
        got += len(part)
        if not part or not is_tls(sock):
            break
    return b"".join(parts) if parts else None


def send(sock: socket.socket, data: bytes | bytearray | memoryview) -> int:
    """Send what there is room for, and return how many bytes that were."""
    try:
        return sock.send(data)
    except BlockingIOError:
        return 0
    except OSError as error:
        if waits(error):
            return 0
        raise


def is_tls(sock: socket.socket) -> bool:
    """Tell whether a socket speaks TLS."""
    return hasattr(sock, "do_handshake")


def waits(error: OSError) -> str:
    """Tell of TLS whether it wants to "read" or "write" first; nothing when the error is one."""
    import ssl  # noqa: PLC0415 - as above

    if isinstance(error, ssl.SSLWantReadError):
        return "read"
    return "write" if isinstance(error, ssl.SSLWantWriteError) else ""
