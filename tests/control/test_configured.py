from __future__ import annotations

import shutil
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from swak.control.configured import read_config
from swak.errors import ConfigError
from tests.control.guarded import guard

if TYPE_CHECKING:
    from tests.servers.certificates import Certificates


def test_everybody_has_to_show_a_certificate_in_new_tls(tmp_path: Path, certificates: Certificates) -> None:
    context = guard(tmp_path, certificates).read().context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_paths_count_from_the_files_folder(tmp_path: Path, certificates: Certificates) -> None:
    made = guard(tmp_path, certificates, attach_write=True)
    for name in ("ca", "server"):
        source = Path(getattr(certificates, name))
        shutil.copy2(source, tmp_path / f"{name}.pem")
    made.path.write_text('certificate = "server.pem"\nkey = "server.pem"\nca = "ca.pem"\ntokens = "tokens"\n')
    read = read_config(made.path)
    assert read.tls.key == str(tmp_path / "server.pem")
    assert not read.attach_write


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (('tokens = "tokens"', 'token = "tokens"'), r'no setting "token"; did you mean "tokens"\?'),
        (('tokens = "tokens"', ""), '"tokens" is missing'),
        (('tokens = "tokens"', "tokens = 5"), '"tokens" wants a path'),
        (('tokens = "tokens"', 'tokens = "none"'), "none: No such file"),
        (("attach_write = false", "attach_write = 1"), '"attach_write" wants true or false'),
        (("= ", ": "), "no TOML"),
        (('ca = "', 'ca = "/nowhere'), "ca: .* is no file"),
    ],
)
def test_what_is_wrong_is_told_with_the_file(
    tmp_path: Path, certificates: Certificates, change: tuple[str, str], wrong: str
) -> None:
    made = guard(tmp_path, certificates)
    made.path.write_text(made.path.read_text().replace(*change))
    with pytest.raises(ConfigError, match=wrong) as raised:
        read_config(made.path)
    assert str(tmp_path) in str(raised.value)


def test_without_the_file_nothing_is_guessed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"control.toml: No such file"):
        read_config(tmp_path / "control.toml")


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, certificates: Certificates) -> None:
    made = guard(tmp_path, certificates)
    key = tmp_path / "key.pem"
    shutil.copy(certificates.server, key)
    key.chmod(0o644)
    made.path.write_text(made.path.read_text().replace(f'key = "{certificates.server}"', f'key = "{key}"'))
    with pytest.raises(ConfigError, match="can be read or changed by others"):
        read_config(made.path)
