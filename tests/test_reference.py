"""The names `in_` and `out`."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from swak.discovery import UnknownPluginError
from swak.errors import ConfigError
from swak.reference import in_, out


def test_a_plugin_is_found_by_its_class_name() -> None:
    assert out.Null.__module__ == "swak.plugins.outputs.null"


def test_filters_and_buffers_are_found_on_the_same_side() -> None:
    found: list[Any] = [out.Regex, out.TimedBuffer, out.Stdout]
    assert [cls.kind for cls in found] == ["filter", "buffer", "output"]


def test_finding_one_plugin_imports_no_other() -> None:
    code = """
import sys
from typing import Any
from swak.reference import out
out.Null
loaded = [name for name in sys.modules if name.startswith("swak.plugins.") and name.count(".") == 3]
assert loaded == ["swak.plugins.outputs.null"], loaded
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_raises_with_what_was_meant() -> None:
    with pytest.raises(ConfigError, match='did you mean "Null"') as caught:
        _ = out.Nul
    assert caught.value.problems[0].file == __file__


def test_whether_a_plugin_exists_can_be_asked() -> None:
    assert hasattr(out, "Null")
    assert not hasattr(out, "Nothing")


def test_a_name_on_the_other_side_is_pointed_to() -> None:
    with pytest.raises(UnknownPluginError, match=r"write out\.Null"):
        _ = in_.Null


def test_the_case_of_a_name_counts() -> None:
    with pytest.raises(UnknownPluginError, match='did you mean "Null"'):
        _ = out.null


def test_names_are_listed_for_completion() -> None:
    assert {"Null", "Stdout"} <= set(dir(out))
    assert "Null" not in dir(in_)


def test_python_asking_for_names_of_its_own_finds_nothing() -> None:
    assert not hasattr(out, "__wrapped__")
    assert repr(out) == "swak.out"
