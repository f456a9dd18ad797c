"""The certificates that tests of TLS use."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.servers.certificates import Certificates


def test_each_file_holds_a_certificate_and_its_key(certificates: Certificates) -> None:
    for path in (certificates.server, certificates.client, certificates.stranger, certificates.expired):
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)
