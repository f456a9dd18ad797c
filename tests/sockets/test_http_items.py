from __future__ import annotations

import json
from typing import Any

import pytest

from swak.sockets.http_items import Verdict, read_items


def answer(*items: Any, errors: Any = True) -> bytes:
    return json.dumps({"took": 3, "errors": errors, "items": items}).encode()


def test_each_event_has_its_status() -> None:
    said = answer({"status": 201}, {"status": 400, "error": "bad"}, {"status": 429}, {"status": 503, "error": "x"})
    assert read_items(said, 4) == Verdict({1: "400 bad"}, [2, 3])


def test_a_bulk_interface_names_what_it_did() -> None:
    error = {"type": "mapper_parsing_exception", "reason": "no date"}
    said = answer({"create": {"status": 201}}, {"index": {"status": 400, "error": error}})
    verdict = read_items(said, 2)
    assert verdict == Verdict({1: '400 {"type":"mapper_parsing_exception","reason":"no date"}'}, [])


@pytest.mark.parametrize(
    "said", [b"", b"ok", b"[" * 5_000, b"[]", b"{}", b'{"errors":[]}', answer({"status": 400}, errors=False)]
)
def test_an_answer_without_errors_says_nothing_of_events(said: bytes) -> None:
    assert read_items(said, 1) is None


@pytest.mark.parametrize(
    "said", [b'{"errors":["bad"]}', answer(), answer(7), answer({"status": "400"}), answer({"create": 7}), answer({})]
)
def test_errors_that_belong_to_no_event_are_told(said: bytes) -> None:
    with pytest.raises(ValueError, match="the answer"):
        read_items(said, 1)
