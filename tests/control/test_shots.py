from __future__ import annotations

from typing import Any

import pytest

from swak import in_, out, running, task
from swak.control.shots import Shot, frozen, named, options_of, stages_of, thawed


def test_nothing_of_a_snapshot_can_be_changed() -> None:
    given: dict[str, Any] = {"inner": {"numbers": [1, {2}]}, "items": 5}
    shot = Shot(given)
    given["inner"]["numbers"].append(3)
    assert shot.inner.numbers == (1, (2,))
    assert shot["items"] == 5
    with pytest.raises(AttributeError, match="cannot be set"):
        shot.inner = 1
    with pytest.raises(AttributeError, match="cannot be deleted"):
        del shot.inner
    with pytest.raises(TypeError):
        shot["inner"] = 1
    assert thawed(shot) == {"inner": {"numbers": (1, (2,))}, "items": 5}
    assert (list(shot), len(shot), dir(shot)) == (["inner", "items"], 2, ["inner", "items"])


def test_what_is_not_there_is_told_with_what_is() -> None:
    with pytest.raises(AttributeError, match='did you mean "tally"'):
        _ = Shot({"tally": 1}).taly


def test_what_is_no_plain_value_becomes_text() -> None:
    from swak import Duration, Size

    assert frozen(object()).startswith("<object object")
    assert (type(frozen(Duration("5s"))), type(frozen(Size("1k")))) == (float, int)
    assert frozen(b"x") == b"x"


def test_a_stage_is_told_with_its_options_and_without_its_secrets() -> None:
    recipe = [
        task(in_.Memory(["a"]), out.Null(), name="one"),
        task(in_.Memory(["b"]), out.Drop("n == 0"), out.Null(), name="two"),
    ]
    with running(recipe) as run:
        run.wait(20)
        assert list(named(run.crew.posts)) == ["Drop", "one/Memory", "one/Null", "two/Memory", "two/Null"]
        stages = stages_of(run)
        assert stages["two/Memory"].tally.out == 1
        assert (stages.Drop.plugin, stages.Drop.options.when) == ("Drop", "n == 0")
        assert stages.Drop.downstream == ("Null",)
    secret = options_of(out.Fluentd("localhost", shared_key="hidden"))
    assert secret["shared_key"] == "***"
    assert "hidden" not in str(secret)
