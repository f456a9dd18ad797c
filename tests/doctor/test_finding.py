from __future__ import annotations

from swak.doctor.finding import Finding, lines


def test_findings_stand_below_their_area_with_what_to_do() -> None:
    found = [
        Finding("machine", "memory", "ok", "much"),
        Finding("machine", "clock", "warning", "it says 1970", "set it"),
        Finding("recipe", "web/File", "failed", "no\nroom"),
    ]
    assert list(lines(found)) == [
        "machine:",
        "  ok  memory: much",
        "  !!  clock: it says 1970; set it",
        "",
        "recipe:",
        "  XX  web/File: 'no\\nroom'",
    ]
