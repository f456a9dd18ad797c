"""What `swak check` says to expect of a flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swak import failover, in_, main, out, task
from swak.outlook import outlook
from swak.recipe import as_recipe
from swak.topology.compile import compile_recipe

if TYPE_CHECKING:
    from swak.recipe import Flow


def told(*parts: Any) -> list[str]:
    """Return what is said of all flows, one after the other."""
    return told_of(task(*parts))


def told_of(flow: Flow) -> list[str]:
    return [line for part in compile_recipe(as_recipe(flow)).flows for line in outlook(part)]


def tail() -> Any:
    return in_.FileTailing("app.log")


def spool(**options: Any) -> Any:
    return out.DiskBuffer("/var/lib/swak/app", **options)


def fluentd(**options: Any) -> Any:
    return out.Fluentd("192.168.0.1", **options)


def test_of_the_simplest_flow_little_is_said() -> None:
    waiting, killed = told(tail(), out.Stdout())
    assert waiting == "While Stdout is down or slow, FileTailing waits."
    assert killed == (
        "After a kill FileTailing goes on from its checkpoint, up to 1s old: Stdout may get again what it took in that"
        " time and what it had in hand."
    )


def test_outputs_side_by_side_wait_for_one_another_and_share_a_position() -> None:
    waiting, killed, shared = told(tail(), [out.Stdout(), fluentd(), out.Http("http://127.0.0.1/")])
    assert waiting == (
        "Stdout, Fluentd and Http wait for one another: while one of them is down or slow, the others get nothing new,"
        " and FileTailing waits, as soon as 16 batches or 4MiB lie in front of it."
    )
    assert "each of Stdout, Fluentd and Http may get again" in killed
    assert shared == (
        "Stdout, Fluentd and Http share one position, that of the oldest event that one of them has not delivered:"
        " while one is behind, a kill makes the others get again all that they took since then."
    )


def test_outputs_by_tag_wait_for_one_another_too() -> None:
    assert told(tail(), {"a": out.Stdout(), "**": fluentd()})[0].startswith("Stdout and Fluentd wait for one another")


def test_a_branch_behind_a_disk_buffer_holds_up_nobody_until_that_is_full() -> None:
    waiting, full, *_ = told(tail(), [out.Stdout(), spool() | fluentd()])
    assert waiting == "While Stdout is down or slow, DiskBuffer and FileTailing wait."
    assert full == (
        "What is behind DiskBuffer holds up nothing in front of it until 1GiB lie on its disk; then Stdout and"
        ' FileTailing wait until there is room (when_full="block").'
    )


def test_a_disk_buffer_that_drops_or_gives_away_holds_up_nobody() -> None:
    assert told(tail(), spool(when_full="drop_oldest", max_size="64m", max_age="2d"), out.Stdout())[0] == (
        "What is behind DiskBuffer holds up nothing in front of it until 64MiB lie on its disk (what is older than 2d"
        " is dropped and counted); then the oldest events are dropped and counted, and nobody waits"
        ' (when_full="drop_oldest").'
    )
    assert (
        "what does not fit goes to the dead letters, and nobody waits"
        in (told(tail(), spool(when_full="overflow"), out.Stdout())[0])
    )


def test_behind_a_disk_buffer_events_stay_on_disk_and_are_sent_again_from_there() -> None:
    lines = told(tail(), spool(), fluentd())
    assert "While Fluentd is down or slow, events stay on the disk of DiskBuffer." in lines
    assert (
        "After a kill DiskBuffer goes on from the place that it has noted, up to 1s old: Fluentd may get again what it"
        " took in that time and what it had in hand."
    ) in lines


def test_what_goes_into_a_spool_twice_comes_out_of_it_twice() -> None:
    killed = told(tail(), spool(), fluentd())[1]
    assert killed.endswith(
        "DiskBuffer (and so what is behind it) may get again what it took in that time, what it had in hand and what is"
        " not synced by DiskBuffer (fsync=50ms)."
    )


def test_what_an_output_has_not_synced_comes_again() -> None:
    assert told(tail(), out.File("/srv/app.log"))[-1].endswith("and what is not synced by File (fsync=1s).")
    assert "synced" not in told(tail(), out.File("/srv/app.log", fsync=None))[-1]


def test_a_failover_counts_as_one_and_is_down_when_all_are() -> None:
    lines = told(tail(), [out.Stdout(), failover(fluentd(), fluentd(), last=out.File("/srv/failed"))])
    assert lines[0].startswith("Stdout and Failover wait for one another")
    assert lines[1] == "Failover stands for Fluentd, Fluentd-2 and File: it is down only while all are."


def test_an_output_with_a_limit_gives_up() -> None:
    assert told(tail(), fluentd(retry_for="5m"))[1] == (
        "Fluentd gives up a batch that could not be delivered for 5m (retry_for): it goes to the dead letters, and the"
        " next one is tried."
    )


def test_a_failover_gives_up_when_the_most_patient_does() -> None:
    limited = told(tail(), failover(fluentd(retry_for="5m"), fluentd(retry_for="1h")))
    assert any(line.startswith("Failover gives up a batch that could not be delivered for 1h") for line in limited)
    assert not any("gives up" in line for line in told(tail(), failover(fluentd(retry_for="5m"), fluentd())))


def test_what_an_input_cannot_read_again_is_lost() -> None:
    assert told(in_.Udp(5140), out.Stdout())[-1] == (
        "Udp cannot read again: what it has read and Stdout has not delivered is lost when swak is killed;"
        " out.DiskBuffer(...) right behind it leaves only what is not yet synced there."
    )
    assert told(in_.Udp(5140), spool(), out.Stdout())[1] == (
        "Udp cannot read again: what it has read and DiskBuffer has not delivered is lost when swak is killed."
    )


def test_senders_who_wait_for_acks_send_again() -> None:
    acked, lost = told(in_.Forward(), [out.Stdout(), fluentd()])[1:]
    assert acked == (
        "Forward acks an event when all of Stdout and Fluentd have it. After a kill its senders send again what was not"
        " acked: each of Stdout and Fluentd may get again what it took of that."
    )
    assert lost == (
        "What comes to Forward without a wish for an ack, and is not delivered when swak is killed, is lost."
    )


def test_senders_who_want_no_acks_send_nothing_again() -> None:
    assert "Forward cannot read again" in told(in_.Forward(ack_timeout=None), out.Stdout())[-1]


def test_what_memory_buffers_hold_is_named() -> None:
    assert told(tail(), out.TimedBuffer("5m"), out.Stdout())[-1] == (
        "What TimedBuffer holds in memory, for up to 5m, is read again after a kill."
    )
    assert told(in_.Stdin(), out.SizedBuffer(100), out.Stdout())[-1] == (
        "What SizedBuffer holds in memory, until it is full, is lost, too."
    )


def test_in_main_a_slow_write_holds_up_everything() -> None:
    flow = main(tail(), [out.Stdout(), spool() | fluentd()])
    assert any(line.startswith("main(...) has one thread for all stages") for line in told_of(flow))
    assert not any("one thread" in line for line in told_of(main(tail(), out.Stdout())))
