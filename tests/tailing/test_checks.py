from __future__ import annotations

from swak.tailing.checks import problems


def whats(**given: object) -> list[str]:
    options: dict[str, object] = {"paths": ["a.log"], "fields": [], "encoding": "utf-8", "multiline": None} | given
    return [what for what, _ in problems(**options)]  # type: ignore[arg-type]


def test_good_options_have_no_problem() -> None:
    assert whats() == []


def test_no_path_is_told() -> None:
    assert whats(paths=[]) == whats(paths=["a", ""]) == ["path is empty"]


def test_a_path_that_no_file_can_have_is_told() -> None:
    assert whats(paths=["a\0b"]) == ["path holds a NUL character"]


def test_an_unknown_field_encoding_and_pattern_are_told_together() -> None:
    found = whats(fields=["paht"], encoding="utf-9", multiline="(")
    assert [what.split()[0] for what in found] == ["there", "there", "option"]
