from __future__ import annotations

import math

import pytest

from swak.metrics.exposition import LABEL_CHARS, Samples, escaped, number


def test_a_value_stands_below_its_help_and_type() -> None:
    samples = Samples()
    samples.add("swak_draining", 1)
    lines = samples.text().splitlines()
    assert lines[0].startswith("# HELP swak_draining ")
    assert lines[1:] == ["# TYPE swak_draining gauge", "swak_draining 1"]


def test_labels_are_quoted_and_escaped() -> None:
    samples = Samples()
    samples.add("swak_tail_lag_bytes", 5, path='C:\\logs\\"a".log')
    assert samples.text().splitlines()[-1] == r'swak_tail_lag_bytes{path="C:\\logs\\\"a\".log"} 5'


@pytest.mark.parametrize("hostile", ["a\nswak_draining 7", "\x00", "\udc80", "\x1b[2J", "\u2028", "\r"])
def test_no_label_begins_a_line_or_holds_what_is_no_text(hostile: str) -> None:
    shown = escaped(hostile)
    assert shown.isprintable()
    assert shown.encode("utf-8")


def test_every_backslash_between_quotes_is_one_that_prometheus_knows() -> None:
    shown = escaped('\udc80\\n\n"')
    assert shown.replace("\\\\", "").replace('\\"', "").replace("\\n", "").count("\\") == 0


def test_a_label_has_an_end() -> None:
    assert len(escaped("x" * 10**6)) == LABEL_CHARS


def test_the_same_labels_twice_are_one_series() -> None:
    samples = Samples()
    samples.add("swak_tail_lag_bytes", 5, path="a")
    samples.add("swak_tail_lag_bytes", 7, path="a")
    assert samples.text().splitlines()[2:] == ['swak_tail_lag_bytes{path="a"} 12']


def test_classes_of_a_histogram_are_cumulative() -> None:
    samples = Samples()
    samples.add_spread("swak_delivery_latency_seconds", (1, 0, 2), (0.5, 1.0), 9.5, flow="w")
    assert samples.text().splitlines()[2:] == [
        'swak_delivery_latency_seconds_bucket{flow="w",le="0.5"} 1',
        'swak_delivery_latency_seconds_bucket{flow="w",le="1"} 1',
        'swak_delivery_latency_seconds_bucket{flow="w",le="+Inf"} 3',
        'swak_delivery_latency_seconds_sum{flow="w"} 9.5',
        'swak_delivery_latency_seconds_count{flow="w"} 3',
    ]


def test_numbers_are_what_prometheus_reads() -> None:
    assert [number(one) for one in (0, 2**63, 0.25, math.inf, -math.inf)] == [
        "0",
        "9223372036854775808",
        "0.25",
        "+Inf",
        "-Inf",
    ]


def test_a_metric_that_is_not_in_the_catalogue_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="catalogue"):
        Samples().add("swak_other", 1)
