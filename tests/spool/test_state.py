from __future__ import annotations

from pathlib import Path

import pytest

from swak.spool.state import State, load, save
from tests.forgetful import ForgetfulFiles

FOLDER = Path("/spool")


def test_what_was_saved_is_there_without_power() -> None:
    files = ForgetfulFiles()
    save(State("id", 3, 2, 1, 4), FOLDER, files)
    files.crash(lambda _: 0)
    assert load(FOLDER, files) == State("id", 3, 2, 1, 4)


def test_there_may_be_none() -> None:
    assert load(FOLDER, ForgetfulFiles()) is None


def test_fields_that_an_older_swak_did_not_know_are_zero() -> None:
    files = ForgetfulFiles()
    files.write_whole(FOLDER / "state.json", b'{"spool": "id", "settled": 7}')
    assert load(FOLDER, files) == State("id", 7)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"{}", b'{"spool": "a", "settled": {}}', b"[" * 10_000])
def test_what_cannot_be_read_is_none(content: bytes) -> None:
    files = ForgetfulFiles()
    files.write_whole(FOLDER / "state.json", content)
    assert load(FOLDER, files) is None
