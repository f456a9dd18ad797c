from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from swak.control.grants import Grants, add_token, digest_of, read_grants
from swak.control.rights import Grant
from swak.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = digest_of("secret").hex()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


def test_a_token_is_known_by_its_hash_and_is_in_no_file(path: Path) -> None:
    token = add_token(path, "ops", "operate")
    assert token.startswith("swak_")
    assert token not in path.read_text()
    assert Grants(path).find(token, ()) == Grant("ops", "operate", digest_of(token))
    for wrong in (token[:-1], "", "ops", digest_of(token).hex()):
        assert Grants(path).find(wrong, ["ops"]) is None


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_a_new_file_is_its_owners_alone(path: Path) -> None:
    add_token(path, "ops", "operate")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_name_has_one_token(path: Path) -> None:
    add_token(path, "ops", "operate")
    with pytest.raises(ConfigError, match="has a token"):
        add_token(path, "ops", "read")
    for name in ("two words", "", "#x", "ä", "x" * 101):
        with pytest.raises(ConfigError, match="is no name"):
            add_token(path, name, "read")


def test_a_line_without_its_end_is_not_run_into_the_next_one(path: Path) -> None:
    path.write_text(f"old read {DIGEST}")
    path.chmod(0o600)
    add_token(path, "new", "operate")
    assert [one.name for one in Grants(path).now()] == ["old", "new"]


def test_a_certificate_is_known_by_its_name_only_where_no_token_is_shown(path: Path) -> None:
    path.write_text("# who may\n\nalice operate certificate\nbob read certificate\n")
    path.chmod(0o600)
    grants = Grants(path)
    assert grants.find(None, ["x", "bob"]) == Grant("bob", "read", None)
    assert grants.find(None, []) is None
    assert grants.find("wrong", ["bob"]) is None


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("ops", "1 words are here"),
        (f"ops admin {DIGEST}", "one of read, operate"),
        ("ops read secret", "is not the token itself"),
        (f"ops read {DIGEST} x", "4 words"),
        (f"{'n' * 101} read {DIGEST}", "100 plain characters"),
        (f"ops read {digest_of('').hex()}", "hash of an empty text"),
        (f"twice read {DIGEST}\ntwice operate {DIGEST}", "stands here twice"),
    ],
)
def test_a_wrong_line_is_told_with_its_number_and_without_what_it_says(line: str, wrong: str) -> None:
    with pytest.raises(ConfigError, match=wrong) as raised:
        read_grants(f"good read {DIGEST}\n{line}\n", "tokens")
    assert raised.value.problems[0].line in {2, 3}
    assert "secret" not in str(raised.value)


def test_a_change_is_seen_and_one_that_is_wrong_leaves_nobody_in(path: Path) -> None:
    token = add_token(path, "ops", "operate")
    grants = Grants(path)
    assert grants.find(token, ()) is not None
    second = add_token(path, "more", "read")
    assert grants.find(second, ()) is not None
    replaced = path.with_name("new")
    replaced.write_text("nonsense\n")
    replaced.chmod(0o600)
    replaced.replace(path)
    for _ in range(2):
        with pytest.raises(ConfigError):
            grants.find(token, ())
    path.unlink()
    with pytest.raises(ConfigError, match="tokens"):
        grants.now()
    fresh = add_token(path, "again", "read")
    assert grants.find(fresh, ()) is not None


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_a_file_that_others_may_read_lets_nobody_in(path: Path) -> None:
    token = add_token(path, "ops", "operate")
    grants = Grants(path)
    assert grants.now()
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        grants.find(token, ())
    with pytest.raises(ConfigError, match="chmod 600"):
        add_token(path, "more", "read")
