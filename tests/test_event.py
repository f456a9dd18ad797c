from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from swak.ack import Ack, Source
from swak.event import BLOCK_BYTES, EVENTS_MAX, Batch, Block, Dicts, Event, Rows, from_events, gather, merge
from swak.formats.json_text import JsonText
from swak.testing import batch_of, block_of, event, promise


class Row(msgspec.Struct, gc=False):
    a: str
    b: int = 0


class Other(msgspec.Struct, gc=False):
    a: str


LINES = some.lists(some.binary(max_size=10).map(lambda raw: raw.replace(b"\n", b"")), min_size=1, max_size=30)


def test_replacing_a_part_leaves_the_rest() -> None:
    given_event = event({"a": 1}, tag="t", at_s=1)
    assert given_event.replace(tag="u") == event({"a": 1}, tag="u", at_s=1)
    assert given_event.replace(time_ns=0) == event({"a": 1}, tag="t")
    assert given_event.replace(record={}) == event({}, tag="t", at_s=1)


def test_a_block_is_lines() -> None:
    block = Block(b"one\r\ntwo\n\n", 5)
    assert (block.count, block.size_bytes) == (3, 10)
    assert block.lines() == ["one", "two", ""]
    assert block.records() == [{"message": "one"}, {"message": "two"}, {"message": ""}]
    assert list(block.times()) == [5, 5, 5]


def test_undecodable_bytes_show_as_replacement_characters() -> None:
    assert Block(b"a\xffb\n", 0).lines() == ["a\ufffdb"]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "cp949", "euc_jp", "euc_jis_2004", "gb18030", "big5", "shift_jis", "utf-7"]
)
@given(lines=LINES)
def test_a_block_has_as_many_lines_as_it_counts_in_any_encoding(encoding: str, lines: list[bytes]) -> None:
    block = Block(b"\n".join(lines) + b"\n", 0, encoding)
    assert len(block.lines()) == block.count == len(lines)
    assert not any("\n" in line for line in block.lines())


@given(LINES, some.data())
def test_a_cut_block_is_its_lines_from_start_to_stop(lines: list[bytes], data: some.DataObject) -> None:
    block = Block(b"".join(line + b"\n" for line in lines), 7, times=list(range(len(lines))))
    start = data.draw(some.integers(0, len(lines)))
    stop = data.draw(some.integers(start, len(lines) + 3))
    part = block.cut(start, stop)
    assert part.data == b"".join(line + b"\n" for line in lines[start:stop])
    assert (part.count, list(part.times())) == (len(lines[start:stop]), list(range(len(lines)))[start:stop])


def test_rows_become_fresh_dicts_at_each_call() -> None:
    rows = Rows([Row("x", 1), Row("y", 2)], [1, 2])
    assert rows.records() == [{"a": "x", "b": 1}, {"a": "y", "b": 2}]
    assert rows.records()[0] is not rows.records()[0]


def test_dicts_hand_out_copies() -> None:
    record = {"a": 1}
    dicts = Dicts([record], [0])
    dicts.records()[0]["a"] = 2
    assert (record, dicts.shared[0]) == ({"a": 1}, record)


@pytest.mark.parametrize(
    "body",
    [
        Rows([Row(str(n)) for n in range(4)], [0, 1, 2, 3], 400),
        Dicts([{"a": str(n), "b": 0} for n in range(4)], [0, 1, 2, 3], 400),
    ],
)
def test_a_cut_body_has_its_share_of_the_size(body: Rows | Dicts) -> None:
    part = body.cut(1, 3)
    assert (part.count, list(part.times()), part.size_bytes) == (2, [1, 2], 200)
    assert part.records() == [{"a": "1", "b": 0}, {"a": "2", "b": 0}]


def test_size_grows_with_text() -> None:
    assert Dicts([{"a": "x" * 10_000}], [0]).size_bytes >= 10_000


def test_a_batch_makes_events_of_its_own() -> None:
    made = batch_of([event({"a": 1}, tag="t", at_s=1), event({"a": 2}, tag="u", at_s=2)])
    first, second = made.events(), made.events()
    assert first == second == [event({"a": 1}, tag="t", at_s=1), event({"a": 2}, tag="u", at_s=2)]
    assert first[0].record is not second[0].record


def test_tags_that_are_alike_become_one() -> None:
    assert batch_of([event({}), event({})]).tags == "test"
    assert batch_of([event({}), event({}, tag="u")]).tags == ["test", "u"]


def test_a_batch_of_no_event() -> None:
    empty = from_events([], promise())
    assert (empty.count, empty.events(), empty.tag_list()) == (0, [], [])


def test_gathering_keeps_the_size_that_is_known() -> None:
    assert gather([event({})], 77)[0].size_bytes == 77


def test_cutting_a_batch_cuts_its_tags() -> None:
    batch = batch_of([event({"n": n}, tag="ab"[n % 2]) for n in range(4)])
    ack = promise()
    part = batch.cut(1, 3, ack)
    assert (part.tags, part.ack) == (["b", "a"], ack)
    assert [one.record["n"] for one in part.events()] == [1, 2]


def test_picked_events_keep_their_tags_and_times() -> None:
    batch = batch_of([event({"n": n}, tag="ab"[n % 2], at_s=n) for n in range(4)])
    picked = batch.pick([1, 3])
    assert (picked.tags, list(picked.body.times())) == ("b", [10**9, 3 * 10**9])


def test_another_ack_changes_nothing_else() -> None:
    batch = block_of("a")
    other = batch.with_ack(promise())
    assert (other.body, other.tags) == (batch.body, batch.tags)
    assert other.ack is not batch.ack


def merged_events(batches: list[Batch]) -> list[Event]:
    return [one for batch in merge(batches) for one in batch.events()]


def rows_of(row: type[msgspec.Struct], *texts: str) -> Batch:
    return Batch(Rows([row(text) for text in texts], [0] * len(texts)), "test", promise())


def test_nothing_merges_to_nothing() -> None:
    assert merge([]) == []


def test_one_batch_merges_to_itself() -> None:
    batch = block_of("a")
    assert merge([batch]) == [batch]


def test_lines_of_several_reads_become_one_block_with_a_time_for_each() -> None:
    (one,) = merge([block_of("a", at_s=1), block_of("b", "c", at_s=2)])
    assert isinstance(one.body, Block)
    assert (one.body.data, one.tags, one.body.time_ns) == (b"a\nb\nc\n", "test", 10**9)
    assert list(one.body.times()) == [10**9, 2 * 10**9, 2 * 10**9]


def test_lines_of_another_tag_or_encoding_stay_apart() -> None:
    batches = [block_of("a"), block_of("b", tag="u"), block_of("c", tag="u", encoding="cp949")]
    assert merge(batches) == batches


def test_blocks_merge_up_to_their_limit_in_bytes() -> None:
    batches = [block_of("x" * (BLOCK_BYTES // 3)) for _ in range(4)]
    assert [batch.count for batch in merge(batches)] == [2, 2]


def test_records_merge_up_to_their_limit_in_events() -> None:
    batches = [batch_of([event({"n": n})] * 400) for n in range(4)]
    assert [batch.count for batch in merge(batches)] == [800, 800]
    assert EVENTS_MAX == 1_000


def test_rows_of_one_schema_stay_rows() -> None:
    (one,) = merge([rows_of(Row, "a"), rows_of(Row, "b", "c")])
    assert isinstance(one.body, Rows)
    assert [row.a for row in one.body.rows] == ["a", "b", "c"]


@pytest.mark.parametrize("order", [0, 1])
def test_rows_and_records_become_records(order: int) -> None:
    pair = [rows_of(Row, "a"), batch_of([event({"c": 1})])]
    batches = pair[::-1] if order else pair
    (one,) = merge(batches)
    assert isinstance(one.body, Dicts)
    assert one.events() == [single for batch in batches for single in batch.events()]


def test_rows_of_two_schemas_become_records() -> None:
    (one,) = merge([rows_of(Row, "a"), rows_of(Other, "b")])
    assert one.body.records() == [{"a": "a", "b": 0}, {"a": "b"}]


def test_lines_and_records_stay_apart() -> None:
    batches = [block_of("a"), batch_of([event({})]), block_of("b")]
    assert merge(batches) == batches


def test_a_merged_batch_settles_all_that_it_was_made_of() -> None:
    source = Source("s")
    acks: list[Ack] = [source.register(n, n, 1) for n in (1, 2, 3)]
    (one,) = merge([block_of("a").with_ack(ack) for ack in acks])
    one.ack.settle()
    assert source.settled_to == 3


def batch_like(number: int, kind: str, tag: str, count: int) -> Batch:
    texts = [f"{number}.{index}" for index in range(count)]
    if kind == "block":
        made = block_of(*texts, at_s=number)
    elif kind == "dicts":
        made = batch_of([event({"d": text}, at_s=number) for text in texts])
    else:
        made = rows_of(Row if kind == "rows" else Other, *texts)
    return Batch(made.body, tag, made.ack)


KINDS = some.sampled_from(["a", "b"])


@given(some.lists(some.tuples(some.sampled_from(["block", "rows", "other", "dicts"]), KINDS, some.integers(1, 5))))
def test_merging_changes_no_event(kinds: list[tuple[str, str, int]]) -> None:
    batches = [batch_like(number, *kind) for number, kind in enumerate(kinds)]
    assert merged_events(batches) == [one for batch in batches for one in batch.events()]


def test_json_texts_merge_to_a_json_text() -> None:
    batches = [Batch(JsonText(b'{"n": %d}\n' % number, [number]), f"t{number}", promise()) for number in (1, 2)]
    (one,) = merge(batches)
    assert isinstance(one.body, JsonText)
    assert (one.body.data, list(one.body.times()), one.tags) == (b'{"n": 1}\n{"n": 2}\n', [1, 2], ["t1", "t2"])
    one.ack.settle()
