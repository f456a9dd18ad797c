from __future__ import annotations

from swak.view.model import Figures, Look, Spool, bottlenecks, totals, troubles
from tests.view.scenes import frame, stage


def test_the_output_that_is_down_is_the_bottleneck() -> None:
    views = [
        stage("Tail", "input", "blocked"),
        stage("Regex", fill=1.0, mailbox_batches=16, state="blocked"),
        stage("Fluentd", "output", "retrying", mailbox_batches=3, fill=0.2),
    ]
    assert bottlenecks(views) == {("web", "Fluentd")}


def test_the_last_full_stage_is_the_bottleneck() -> None:
    views = [
        stage("Tail", "input"),
        stage("Json", fill=1.0),
        stage("Regex", fill=0.95),
        stage("Null", "output", fill=0.1),
    ]
    assert bottlenecks(views) == {("web", "Regex")}


def test_a_child_that_is_down_while_nothing_waits_for_it_holds_nothing_up() -> None:
    assert bottlenecks([stage("Tail", "input"), stage("Fluentd", "output", "retrying")]) == set()


def test_each_flow_has_a_bottleneck_of_its_own() -> None:
    other = stage("Null", "output", fill=1.0, flow="other")
    assert bottlenecks([stage("Regex", fill=1.0), other]) == {("web", "Regex"), ("other", "Null")}


def test_a_run_without_trouble_has_no_bottleneck() -> None:
    views = [stage("Tail", "input"), stage("Null", "output", fill=0.5)]
    assert bottlenecks(views) == set()
    assert troubles(frame(*views)) == []


def test_what_passes_through_a_spool_is_counted_once() -> None:
    views = [stage("Tail", "input"), stage("In", "output"), stage("Out", "input", flow="b"), stage("Null", "output")]
    inner = {"In": Figures(inner=True), "Out": Figures(inner=True)}
    rates = {"Tail": 10.0, "In": 9.0, "Out": 8.0, "Null": 7.0}
    found = totals(frame(*views, rates=rates, figures=inner))
    assert (found.into, found.out) == (10, 7)


def test_lags_of_all_inputs_are_summed_up() -> None:
    views = [stage("A", "input", oldest_s=1.0), stage("B", "input", oldest_s=3.0), stage("C", "input")]
    found = totals(frame(*views, figures={"A": Figures(lags={"/a": 7, "/b": 1}), "B": Figures(lags={"/c": 2})}))
    assert (found.lag_bytes, found.has_lag, found.oldest_s) == (10, True, 3.0)
    assert not totals(frame(stage("C", "input"))).has_lag


def test_an_output_that_is_down_is_bad_unless_another_one_has_its_place() -> None:
    down = stage("Fluentd", "output", "retrying", down_s=133.0, last_error="refused")
    assert troubles(frame(down))[0][:2] == ("bad", "Fluentd is down for 2m13s: refused")
    waiting = down._replace(mailbox_batches=1)
    assert troubles(frame(waiting))[0].text == "Fluentd is down for 2m13s, the bottleneck: refused"
    router = stage("Failover", "failover", live_child="Fluentd-2")
    found = troubles(frame(router, down, figures={"Failover": Figures(children=("Fluentd", "Fluentd-2"))}))
    assert found[0][:2] == ("warn", "Fluentd is down for 2m13s, Failover uses Fluentd-2: refused")


def test_the_worst_is_named_first_and_what_is_past_last() -> None:
    dead = stage("Regex")
    dead.tally.dead["no match"] = 14
    views = [dead, stage("Drop", state="paused"), stage("Full", fill=1.0), stage("Null", "output", "failed")]
    found = troubles(frame(*views, warnings=("a warning of check",), dead_dropped=2))
    assert [one.short for one in found] == [
        "letters lost",
        "Null failed",
        "Drop paused",
        "Full full",
        "14 dead",
        "warning",
    ]
    assert "dead letters, e.g. no match" in found[-2].text


def test_the_stages_of_several_flows_are_told_apart() -> None:
    found = troubles(frame(stage("Null", "output", "hung"), stage("Null", "output", flow="other")))
    assert found[0].text == "web/Null hangs"


def test_a_spool_that_is_nearly_full_is_told_before_it_is_full() -> None:
    figures = {"Buffer": Figures(spool=Spool(10, 95_000_000, 100_000_000, 60.0))}
    found = troubles(frame(stage("Buffer", "input"), figures=figures))
    assert found[0].text == "Buffer: the spool is nearly full, 95 MB of 100 MB"


def test_a_plugin_that_cannot_tell_its_figures_is_named() -> None:
    found = troubles(frame(stage("Tail", "input"), figures={"Tail": Figures(trouble="cannot tell its figures: x")}))
    assert found[0][:2] == ("note", "Tail: cannot tell its figures: x")


def test_an_agent_that_tells_nothing_new_is_named_first() -> None:
    found = troubles(frame(stage("Null", "output", "failed"), silent_s=4.2))
    assert found[0].text == "the agent has told nothing for 4.2s"


def test_an_input_that_waits_for_memory_says_so() -> None:
    found = troubles(frame(stage("Counter", "input", "blocked", memory="waits for room below the memory limit")))
    assert found[0].text == "Counter waits for room below the memory limit"


def test_stages_that_are_restarted_and_failovers_without_an_output_are_told() -> None:
    found = troubles(frame(stage("Regex", state="waiting"), stage("Failover", "failover", "retrying")))
    assert [one.text for one in found] == ["Failover: every output is down", "Regex is being started again"]


def test_a_look_at_nothing_is_all_zero() -> None:
    found = totals(frame())
    assert (found.into, found.out, found.oldest_s, found.trend) == (0, 0, None, ())
    assert Look(()).figures == {}
