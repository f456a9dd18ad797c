"""Certificates for tests, made by openssl: an authority, a server and a client of it, and a stranger's."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from pathlib import Path


class Certificates(NamedTuple):
    """Paths of PEM files; certificate and key are in one file. The server's is for 127.0.0.1 and localhost."""

    ca: str
    server: str
    client: str
    stranger: str
    """Signed by itself."""
    expired: str
    """A client's that was valid until yesterday."""


_EXTENSIONS = {
    "server": "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n",
    "client": "subjectAltName=DNS:client\nextendedKeyUsage=clientAuth\n",
}
_ALWAYS = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
_ALWAYS += "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates that are valid for two days."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl (apt-get install openssl)")
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("ca", "stranger"):
        _run(folder, "req", "-x509", *_new_key(name), "-out", f"{name}.crt", "-days", "2", "-subj", f"/CN={name}")
    for name, extensions in _EXTENSIONS.items():
        (folder / f"{name}.ext").write_text(_ALWAYS + extensions)
        _run(folder, "req", *_new_key(name), "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signing = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", f"{name}.ext"]
        _run(folder, "x509", "-req", "-in", f"{name}.csr", *signing, "-out", f"{name}.crt", "-days", "2")
    (folder / "expired.key").write_text((folder / "client.key").read_text())
    _run(folder, "x509", "-req", "-in", "client.csr", *signing, "-out", "expired.crt", "-days", "-1")
    for name in ("server", "client", "stranger", "expired"):
        held = (folder / f"{name}.crt").read_text() + (folder / f"{name}.key").read_text()
        (folder / f"{name}.pem").write_text(held)
        (folder / f"{name}.pem").chmod(0o600)
    names = ("ca.crt", "server.pem", "client.pem", "stranger.pem", "expired.pem")
    return Certificates(*(str(folder / name) for name in names))


def _new_key(name: str) -> list[str]:
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key"]


def _run(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=30)
