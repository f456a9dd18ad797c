from __future__ import annotations

from swak.metrics.families import PATHS_MAX, lags, samples_of
from swak.metrics.observed import OTHERS, Observed
from swak.plugin import Extent
from swak.stats import InputReceipt, Reasons, Tally
from tests.metrics.looks import stage

WEB = ("web", "Tail")


def tally(into: int = 0, out: int = 0, held: int = 0, **reasons: Reasons) -> Tally:
    made = Tally()
    made.into, made.out, made.held = into, out, held
    made.filtered, made.dead = reasons.get("filtered", Reasons()), reasons.get("dead", Reasons())
    return made


def test_events_in_do_not_go_back_when_what_is_held_is_put_back() -> None:
    before = samples_of(Observed((stage("File", "output", tally=tally(into=9, out=5, held=4)),)), {})
    after = samples_of(Observed((stage("File", "output", tally=tally(into=5, out=5)),)), {})
    where = {"flow": "web", "actor": "File", "kind": "output"}
    assert (
        before.value("swak_actor_events_in_total", **where) == after.value("swak_actor_events_in_total", **where) == 5
    )
    assert before.value("swak_actor_events_held", **where) == 4


def test_what_is_filtered_was_dropped_on_purpose_and_what_is_dead_was_not_dropped() -> None:
    own = tally(into=5, out=2, filtered=Reasons(Grep=2), dead=Reasons({"no match": 1}))
    samples = samples_of(Observed((stage("Grep", tally=own),)), {})
    where = {"flow": "web", "actor": "Grep"}
    assert samples.value("swak_events_dropped_total", **where, reason="Grep", intentional="true") == 2
    assert samples.value("swak_dead_letters_total", **where, reason="no match") == 1
    assert samples.text().count("swak_events_dropped_total{") == 1


def test_reasons_that_look_the_same_when_cut_are_one_series() -> None:
    dead = Reasons({"x" * 200 + "1": 1, "x" * 200 + "2": 2})
    samples = samples_of(Observed((stage("Grep", tally=tally(into=3, dead=dead)),)), {})
    assert samples.text().count("swak_dead_letters_total{") == 1


def test_an_event_that_nobody_accounts_for_is_shown_where_it_is_missing() -> None:
    samples = samples_of(Observed((stage("Grep", tally=tally(into=3, out=2)), stage("Null", "output"))), {})
    assert samples.value("swak_unaccounted_events", flow="web", actor="Grep") == 1
    assert samples.value("swak_unaccounted_events", flow="web", actor="Null") == 0


def test_what_an_input_lost_is_counted_by_its_unit() -> None:
    losses = {"truncated, bytes": 10, "dropped, events": 3, "cut, lines": 2}
    one = InputReceipt("web", "Tail", 7, 0, 5, losses=losses, replays=False)
    samples = samples_of(Observed((), (one,), lost={WEB: 1}), {})
    where = {"flow": "web", "actor": "Tail"}
    assert samples.value("swak_tail_lost_bytes_total", **where, reason="truncated") == 10
    assert samples.value("swak_events_dropped_total", **where, reason="dropped", intentional="false") == 3
    assert samples.value("swak_input_lost_total", **where, reason="cut", unit="lines") == 2
    assert samples.value("swak_input_events_delivered_total", **where) == 7
    assert samples.value("swak_input_events_in_flight", **where) == 4


def test_lag_is_what_was_seen_of_a_file_and_not_read() -> None:
    extents = {"s": [Extent(0, "/a", 0, 0, 4, 10), Extent(1, "/a", 0, 0, 1, 2)], "t": [Extent(0, "/b", 0, 0, 5, 3)]}
    assert lags(Observed((), extents={WEB: extents}), WEB) == {"/a": 7, "/b": 0}


def test_of_many_files_those_that_lag_most_have_a_series_and_nothing_is_left_out() -> None:
    extents = {str(number): [Extent(0, f"/{number}", 0, 0, 0, number)] for number in range(PATHS_MAX * 3)}
    found = lags(Observed((), extents={WEB: extents}), WEB)
    assert len(found) == PATHS_MAX + 1
    assert sum(found.values()) == sum(range(PATHS_MAX * 3))
    assert found[f"/{PATHS_MAX * 3 - 1}"] == PATHS_MAX * 3 - 1
    assert OTHERS in found


def test_what_is_counted_in_batches_is_no_lag_of_a_file() -> None:
    extents = {"spool": [Extent(0, "/spool", 0, 0, 1, 5, "batches")]}
    assert lags(Observed((), extents={WEB: extents}), WEB) == {}


def test_an_output_that_is_down_is_not_up() -> None:
    views = (stage("A", "output", "retrying", down_s=4.5, retries=3), stage("B", "output", "blocked"))
    samples = samples_of(Observed(views), {})
    assert samples.value("swak_sink_up", flow="web", actor="A") == 0
    assert samples.value("swak_sink_up", flow="web", actor="B") == 1
    assert samples.value("swak_sink_down_seconds", flow="web", actor="A") == 4.5
    assert samples.value("swak_retries_total", flow="web", actor="A") == 3


def test_what_a_plugin_measures_besides_has_a_metric_for_all() -> None:
    observed = Observed((), measures={WEB: {"spool_bytes": 5, "queue_depth": 7}})
    samples = samples_of(observed, {"process_threads": 3})
    assert samples.value("swak_spool_bytes", flow="web", actor="Tail") == 5
    assert samples.value("swak_plugin_measure", flow="web", actor="Tail", measure="queue_depth") == 7
    assert samples.value("process_threads") == 3


def test_a_limit_of_memory_is_shown_where_there_is_one() -> None:
    assert "swak_memory_limit_bytes" not in samples_of(Observed(()), {}).text()
    assert samples_of(Observed((), memory_limit_bytes=9), {}).value("swak_memory_limit_bytes") == 9
