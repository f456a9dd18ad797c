from __future__ import annotations

from typing import TYPE_CHECKING

from swak.view.cells import Pen, length
from swak.view.columns import card, cells, head, layout, rows_of
from swak.view.model import Figures, Spool
from tests.view.scenes import frame, stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swak.stats import StageView
    from swak.view.columns import Row

PEN = Pen()


def rows(*views: StageView, figures: Mapping[str, Figures] | None = None) -> list[Row]:
    made = frame(*views, figures=figures)
    return rows_of(made, made.views, set(), PEN, indent=True, with_flow=False)


def heads(width: int, *views: StageView, figures: Mapping[str, Figures] | None = None) -> list[str]:
    return [column.head for column in layout(rows(*views, figures=figures), width)[1]]


def test_columns_without_anything_to_tell_are_left_out() -> None:
    assert "restarts" not in heads(200, stage("Regex"))
    assert {"restarts", "errors"} <= set(heads(200, stage("Regex", restarts=1, errors=2)))
    assert "lag" in heads(80, stage("Tail", "input"), figures={"Tail": Figures(lags={"/a": 0})})


def test_the_rate_is_the_last_column_to_go() -> None:
    assert heads(24, stage("Regex")) == ["rate"]
    assert heads(34, stage("Regex")) == ["state", "rate"]
    assert heads(8, stage("Regex")) == []


def test_every_row_is_as_wide_as_the_heads() -> None:
    made = rows(stage("Regex", total=5, errors=1), stage("Tail", "input", oldest_s=3.0))
    for width in (20, 40, 80, 120, 200):
        names, columns = layout(made, width)
        widths = {length(cells(row, names, columns, PEN, selected=False)) for row in made}
        assert widths == {length(head(names, columns, "flow", PEN))}


def test_the_column_that_rows_are_sorted_by_is_marked() -> None:
    names, columns = layout(rows(stage("Regex")), 80)
    assert "rate▾" in "".join(text for text, _ in head(names, columns, "rate", PEN))
    assert "stage▾" in "".join(text for text, _ in head(names + 9, columns, "name", PEN))


def test_what_a_failover_chooses_among_stands_below_it() -> None:
    views = (stage("Failover", "failover", live_child="A"), stage("A", "output"), stage("B", "output"))
    figures = {"A": Figures(router="Failover"), "B": Figures(router="Failover")}
    made = rows(*views, figures={**figures, "Failover": Figures(children=("A", "B"))})
    assert [row.name for row in made] == ["Failover", "└ A", "└ B"]
    assert [row.note[0] for row in made] == ["uses A", "in use", "stands by"]


def test_a_note_tells_what_a_spool_holds() -> None:
    made = rows(stage("Buffer", "input"), figures={"Buffer": Figures(spool=Spool(1_105, 5_000, 9_000, 211.0))})
    assert made[0].note[0] == "1.10k batches, oldest 3m31s"


def test_a_card_fills_its_line() -> None:
    for row in rows(stage("Regex", state="blocked"), stage("Tail", "input"), figures={"Tail": Figures(lags={"/a": 5})}):
        assert length(card(row, 23, PEN)) == 23
