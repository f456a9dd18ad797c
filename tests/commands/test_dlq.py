from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from swak.ack import Origin
from swak.cli import swak
from swak.datadir import DataDir
from swak.deadletters import DeadLetter, DeadLetters, Limit, Shelf
from swak.testing import event

if TYPE_CHECKING:
    from pathlib import Path

DAY_NS = 86_400_000_000_000


def letter(n: int, stage: str = "Regex", reason: str = "no match", **parts: Any) -> DeadLetter:
    fields: dict[str, Any] = {"flow": "web", "trace": "", "died_at_ns": (20_000 + n) * DAY_NS, **parts}
    return DeadLetter(event({"n": n}, tag="t"), Origin("a.log", n), stage=stage, reason=reason, **fields)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWAK_DATA_DIR", str(tmp_path))
    return tmp_path / "dead-letters.jsonl"


@pytest.fixture
def five(path: Path) -> Path:
    """Letters 1 and 2 of Regex, 3 and 4 of Fluentd, 5 of another flow."""
    letters = [letter(1), letter(2), letter(3, "Fluentd", "413 too large"), letter(4, "Fluentd", "400 \x1b[2J")]
    DeadLetters(path).append([*letters, letter(5, flow="app")])
    return path


def run(*arguments: str, given: str = "") -> Result:
    return CliRunner().invoke(swak, ["dlq", *arguments], input=given, prog_name="swak")


def numbers(path: Path) -> list[int]:
    return [kept.number for kept in Shelf(path).letters()]


def test_ls_counts_by_flow_stage_and_reason(five: Path) -> None:
    lines = run("ls").stdout.splitlines()
    assert lines[:-1] == [
        "letters  first                 last                  stage        reason",
        "      2  2024-10-05T00:00:00Z  2024-10-06T00:00:00Z  web/Regex    no match",
        "      1  2024-10-07T00:00:00Z  2024-10-07T00:00:00Z  web/Fluentd  413 too large",
        "      1  2024-10-08T00:00:00Z  2024-10-08T00:00:00Z  web/Fluentd  400 \\x1b[2J",
        "      1  2024-10-09T00:00:00Z  2024-10-09T00:00:00Z  app/Regex    no match",
    ]
    assert lines[-1] == f"5 dead letters, {five.stat().st_size:,} bytes in 1 file in {five.parent}"


def test_ls_tells_machines_the_same(five: Path) -> None:
    told = json.loads(run("ls", "--json", "--stage", "Fluentd").stdout)
    assert {name: told[name] for name in ("letters", "files", "damaged", "dropped")} == {
        "letters": 2,
        "files": 1,
        "damaged": 0,
        "dropped": 0,
    }
    assert told["bytes"] == five.stat().st_size
    assert told["groups"][0] == {
        "flow": "web",
        "stage": "Fluentd",
        "reason": "413 too large",
        "letters": 1,
        "first": "2024-10-07T00:00:00.000000000Z",
        "last": "2024-10-07T00:00:00.000000000Z",
    }


def test_ls_tells_what_is_damaged_and_what_was_dropped(path: Path) -> None:
    letters = DeadLetters(path, limit=Limit(4_000, "drop_oldest"))
    while not letters.dropped:
        letters.append([letter(1)])
    path.write_bytes(b"damaged\n" + path.read_bytes())
    last = run("ls").stdout.splitlines()[-1]
    assert last.endswith(f"; 1 damaged pieces are passed over; {letters.dropped} were dropped for room")


@pytest.mark.parametrize("command", [["ls"], ["show"], ["export"], ["drop", "--all"], ["replay", "--into", "x.py"]])
def test_a_directory_that_is_not_there_is_told(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("task(in_.Counter(1), out.Null())")
    command = [one.replace("x.py", str(tmp_path / "x.py")) for one in command]
    result = run(*command, "--data-dir", str(tmp_path / "missing"))
    assert result.exit_code == 74
    assert "missing (from --data-dir): there is no such directory" in result.stderr


@pytest.mark.parametrize("command", [["ls"], ["show"], ["export"], ["drop", "--all", "--yes"]])
def test_what_the_disk_refuses_is_told(path: Path, command: list[str]) -> None:
    path.mkdir()
    result = run(*command)
    assert result.exit_code == 74
    assert f"{path}: Is a directory; run this as" in result.stderr


def test_show_tells_all_there_is_to_a_letter(path: Path) -> None:
    trace = 'Traceback:\n  File "x.py"\nValueError: \x1b[2J'
    DeadLetters(path).append([letter(1, trace=trace, reason="bad\nline")])
    assert run("show").stdout == (
        "1  2024-10-05T00:00:00.000000000Z  web/Regex: bad\\nline\n"
        "  from   'a.log', at the end of its batch 1\n"
        "  event  tag 't', time 1970-01-01T00:00:00.000000000Z\n"
        '  {\n    "n": 1\n  }\n'
        '  | Traceback:\n  |   File "x.py"\n  | ValueError: \\x1b[2J\n'
    )


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ([], [1, 2, 3, 4, 5]),
        (["2"], [2]),
        (["4-9", "1"], [1, 4, 5]),
        (["--stage", "Fluentd"], [3, 4]),
        (["--reason", "large"], [3]),
        (["--flow", "app"], [5]),
        (["--flow", "web", "--stage", "Regex", "2-5"], [2]),
        (["--limit", "2"], [1, 2]),
        (["--stage", "Nobody"], []),
    ],
)
@pytest.mark.usefixtures("five")
def test_show_can_be_asked_for_some(arguments: list[str], shown: list[int]) -> None:
    result = run("show", *arguments)
    heads = [line for line in result.stdout.splitlines() if line[:1].isdigit()]
    assert [int(line.split()[0]) for line in heads] == shown
    assert ("there are no such" in result.stderr) == (not shown)


@pytest.mark.parametrize("wrong", ["x", "1-", "-", "1-x", "1.5", "²"])
def test_what_is_no_id_is_refused(five: Path, wrong: str) -> None:
    result = run("show", "--data-dir", str(five.parent), "--", wrong)
    assert (result.exit_code, f'"{wrong}" is no id' in result.stderr) == (2, True)


def test_export_writes_the_lines_as_they_are(five: Path, tmp_path: Path) -> None:
    whole = five.read_bytes()
    assert run("export").stdout_bytes == whole
    target = tmp_path / "out.jsonl"
    result = run("export", str(target), "--stage", "Fluentd", "--id", "4")
    assert target.read_bytes() == whole.splitlines(keepends=True)[3]
    assert f"1 dead letter written to {target}" in result.stderr
    assert five.read_bytes() == whole


def test_export_overwrites_nothing(five: Path, tmp_path: Path) -> None:
    for target in (five, tmp_path):
        assert run("export", str(target)).exit_code != 0
    assert numbers(five) == [1, 2, 3, 4, 5]


def test_an_export_is_a_store_of_its_own(five: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    run("export", str(tmp_path / "other" / "dead-letters.jsonl"))
    assert numbers(tmp_path / "other" / "dead-letters.jsonl") == numbers(five)


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (["--all"], []),
        (["1", "3-4"], [2, 5]),
        (["--stage", "Regex"], [3, 4]),
        (["--flow", "app"], [1, 2, 3, 4]),
        (["--reason", "4"], [1, 2, 5]),
    ],
)
def test_drop_takes_off_what_was_chosen(five: Path, arguments: list[str], left: list[int]) -> None:
    result = run("drop", "--yes", *arguments)
    assert numbers(five) == left
    gone = 5 - len(left)
    assert result.stdout == f"{gone} dead letter{'' if gone == 1 else 's'} dropped\n"


def test_drop_gives_the_room_back(five: Path) -> None:
    run("drop", "--yes", "--all")
    assert sum(one.stat().st_size for one in five.parent.glob("*.jsonl")) == 0


def test_drop_gives_the_room_of_finished_segments_back_while_a_swak_runs(path: Path) -> None:
    letters = DeadLetters(path, limit=Limit(4_000))
    for number in range(6):
        letters.append([letter(number)])
    agent = DataDir.resolve(str(path.parent))
    agent.lock()
    assert run("drop", "--yes", "--all").exit_code == 0
    agent.close()
    assert [one.name for one in path.parent.glob("*.jsonl")] == [path.name]
    assert numbers(path) == []


@pytest.mark.parametrize("arguments", [["--all"], ["1"]])
def test_drop_asks_a_terminal_only(five: Path, arguments: list[str]) -> None:
    result = run("drop", *arguments)
    assert (result.exit_code, "say so with --yes" in result.stderr) == (2, True)
    assert len(numbers(five)) == 5


def test_drop_does_nothing_without_a_yes(five: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _self: True, raising=False)
    assert run("drop", "--all", given="n\n").exit_code == 1
    assert len(numbers(five)) == 5
    assert run("drop", "--all", given="y\n").exit_code == 0
    assert numbers(five) == []


@pytest.mark.parametrize("arguments", [["--yes"], ["--yes", "--all", "3"], ["--yes", "--all", "--stage", "Regex"]])
def test_drop_wants_to_know_which(five: Path, arguments: list[str]) -> None:
    result = run("drop", *arguments)
    assert (result.exit_code, "say which" in result.stderr) == (2, True)
    assert len(numbers(five)) == 5
