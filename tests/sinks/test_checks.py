from __future__ import annotations

from typing import Any

import pytest

from swak.sinks.checks import Wishes, problems

PLAIN = Wishes("/tmp/out.json", "", None, "json", False, None, False, None, None)


def found(**wishes: Any) -> list[str]:
    return [what for what, _ in problems(PLAIN._replace(**wishes))]


def test_nothing_is_wrong_with_what_fits() -> None:
    assert found() == found(dedupe="id") == found(rotates=True, keep=3) == []


@pytest.mark.parametrize(
    ("wishes", "what"),
    [
        ({"path": ""}, "path is empty"),
        ({"path": "", "dedupe": "id"}, "path is empty"),
        ({"keep": 3}, "keep without rotation"),
        ({"header": True}, "has no header"),
        ({"dedupe": ""}, "cannot look for a field ''"),
        ({"dedupe": 'a"b'}, "cannot look for a field"),
        ({"dedupe": "id", "form": "csv"}, 'in format="csv"'),
        ({"dedupe": "id", "path": "/tmp/{tag}.json"}, "this path names many"),
        ({"dedupe": "id", "path": "/tmp/%Y.json"}, "this path names many"),
        ({"dedupe": "id", "rotates": True}, "a finished file is another one"),
        ({"dedupe": "id", "compress": "gzip"}, "a finished file is another one"),
        ({"dedupe": "id", "suffix": ".part"}, "a finished file is another one"),
    ],
)
def test_what_does_not_fit_is_named(wishes: dict[str, Any], what: str) -> None:
    (one,) = found(**wishes)
    assert what in one
