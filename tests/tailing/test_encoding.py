from __future__ import annotations

import codecs
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swak.tailing.encoding import Codec, check_encoding, codec_for

ENCODINGS = [
    *("utf-8", "ascii", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "utf-7"),
    *("cp949", "euc-kr", "johab", "shift_jis", "cp932", "euc_jp", "gbk", "gb18030", "big5", "big5hkscs"),
    *("latin-1", "cp1252", "koi8-r", "cp037", "cp500", "iso2022_jp", "iso2022_jp_2", "iso2022_kr", "hz"),
]
GURMUKHI = "".join(map(chr, range(0x0A00, 0x0B00)))
SAMPLES = [
    *"aZ0 ,~%+\\\r\t\x1c\x85\xa0\xe9\u2028\u2029\u20ac\ufffd\U0001f600\U0001f468\u4e0a\u0100\u0a0a\u0a00",
    *"가각똠힣亜哺表ソ十一丁ਅੴ",
    *(chr(code) for code in [*range(0x80, 0x3000, 37), *range(0x4E00, 0xA000, 97), *range(0xAC00, 0xD7A4, 101)]),
]


def codec(encoding: str, head: bytes = b"text") -> Codec:
    return codec_for(encoding, head)


def encode(one: Codec, *lines: str) -> bytes:
    return b"".join(line.encode(one.name) + one.line_end for line in lines)


def round_trips(char: str, name: str) -> bool:
    try:
        return char.encode(name).decode(name) == char
    except UnicodeError:
        return False


def alphabet(name: str) -> st.SearchStrategy[str]:
    return st.sampled_from([char for char in SAMPLES if round_trips(char, name)])


LETTERS = {encoding: alphabet(codec(encoding).name) for encoding in ENCODINGS}
CODEC_NAMES = st.sampled_from(ENCODINGS)


def read_in_blocks(one: Codec, content: bytes, cuts: list[int]) -> tuple[bytes, int]:
    """Read as a tailer does: what has no line end yet is read again with what follows it."""
    half, text, bad = b"", b"", 0
    edges = sorted({0, len(content), *(cut % (len(content) + 1) for cut in cuts)})
    for begin, end in pairwise(edges):
        half += content[begin:end]
        whole = one.last_end(half)
        utf8, found = one.to_utf8(half[:whole])
        text, bad, half = text + utf8, bad + found, half[whole:]
    assert half == b""
    return text, bad


@given(st.data(), CODEC_NAMES, st.lists(st.integers(0, 2**16), max_size=8))
def test_lines_are_the_same_wherever_blocks_are_cut(data: st.DataObject, encoding: str, cuts: list[int]) -> None:
    lines = data.draw(st.lists(st.text(LETTERS[encoding], max_size=12), min_size=1, max_size=6))
    one = codec(encoding)
    text = "".join(f"{line}\n" for line in lines)
    assert read_in_blocks(one, text.encode(one.name), cuts) == (text.encode(), 0)


@given(st.data(), CODEC_NAMES, st.lists(st.integers(0, 2**16), max_size=8))
def test_bad_bytes_never_swallow_or_make_a_line(data: st.DataObject, encoding: str, cuts: list[int]) -> None:
    one = codec(encoding)
    characters = st.text(LETTERS[encoding], max_size=3).map(lambda text: text.encode(one.name))
    units = st.lists(st.sampled_from([0, 0x0A, 0x1B, 0x24, 0x25, 0x42, 0x7E, 0x81, 0xD8, 0xFF]), max_size=4)
    bad_units = units.map(lambda some: bytes(some * one.width))
    parts = data.draw(st.lists(st.one_of(characters, bad_units, st.just(one.line_end)), max_size=12))
    content = b"".join(parts) + one.line_end
    lines = one.split(content)
    text, bad = read_in_blocks(one, content, cuts)
    assert one.line_end.join([*lines, b""]) == content
    assert text.count(b"\n") == len(lines)
    assert (bad > 0) == any(map(one.is_bad, lines))
    assert one.to_utf8(content) == (text, bad)


@given(st.data(), CODEC_NAMES, st.integers(0, 40))
def test_a_line_is_cut_where_a_character_ends(data: st.DataObject, encoding: str, limit: int) -> None:
    one = codec(encoding)
    line = data.draw(st.text(LETTERS[encoding], max_size=12))
    encoded = line.encode(one.name)
    kept = one.shorten(encoded, limit)
    assert len(kept) <= limit
    assert encoded.startswith(kept)
    if encoding != "utf-7":  # a cut inside a shift is one there
        text, bad = one.to_utf8(kept + one.line_end)
        assert (line.startswith(text.decode()[:-1]), bad) == (True, 0)


@given(CODEC_NAMES, st.binary(max_size=40), st.integers(0, 40))
def test_bad_bytes_can_be_cut(encoding: str, line: bytes, limit: int) -> None:
    kept = codec(encoding).shorten(line, limit)
    assert line.startswith(kept)
    assert min(len(line), limit) - 8 <= len(kept) <= limit


@pytest.mark.parametrize(
    ("encoding", "line", "limit", "kept"),
    [
        ("utf-8", "가나".encode(), 5, "가".encode()),
        ("utf-8", "가나".encode(), 6, "가나".encode()),
        ("utf-8", "😀".encode(), 3, b""),
        ("utf-8", b"\x80\x80\x80\x80\x80", 4, b"\x80\x80\x80\x80"),
        ("cp949", "a가".encode("cp949"), 2, b"a"),
        ("shift_jis", "表表".encode("shift_jis"), 3, "表".encode("shift_jis")),
        ("gb18030", "a😀".encode("gb18030"), 4, b"a"),
        ("utf-16-le", "a😀".encode("utf-16-le"), 4, b"a\x00"),
        ("utf-16-le", "ab".encode("utf-16-le"), 3, b"a\x00"),
        ("latin-1", b"\xe9\xe9\xe9", 2, b"\xe9\xe9"),
        ("iso2022_kr", b"\x0e0!3*", 4, b"\x0e0!"),
        ("iso2022_jp", b"\x1b(\n\n\n\x0e\x0e\x1b\x1b", 9, b"\x1b(\n\n\n\x0e\x0e\x1b\x1b"),
        ("utf-7", b"+rACw0VOs-", 9, b"+rACw0VOs"),
    ],
)
def test_the_longest_beginning_that_fits_is_kept(encoding: str, line: bytes, limit: int, kept: bytes) -> None:
    assert codec(encoding).shorten(line, limit) == kept


def test_the_beginning_of_a_line_that_was_cut_already_loses_its_torn_character() -> None:
    torn = "가나".encode()[:4]
    assert codec("utf-8").shorten(torn, len(torn)) == "가".encode()


@pytest.mark.parametrize(
    ("encoding", "bom", "name"),
    [
        ("utf-8", codecs.BOM_UTF8, "utf-8"),
        ("utf-8-sig", codecs.BOM_UTF8, "utf-8"),
        ("utf-8", codecs.BOM_UTF16_LE, "utf-16-le"),
        ("utf-8", codecs.BOM_UTF16_BE, "utf-16-be"),
        ("utf-8", codecs.BOM_UTF32_LE, "utf-32-le"),
        ("utf-8", codecs.BOM_UTF32_BE, "utf-32-be"),
        ("utf-16", codecs.BOM_UTF16_LE, "utf-16-le"),
        ("utf-16", codecs.BOM_UTF16_BE, "utf-16-be"),
        ("utf-16-le", codecs.BOM_UTF16_BE, "utf-16-be"),
        ("utf-32", codecs.BOM_UTF32_BE, "utf-32-be"),
        ("cp949", codecs.BOM_UTF8, "utf-8"),
        ("gb18030", "\ufeff".encode("gb18030"), "gb18030"),
    ],
)
def test_a_byte_order_mark_wins_and_is_skipped(encoding: str, bom: bytes, name: str) -> None:
    content = bom + "가\n".encode(name)
    one = codec_for(encoding, content[:4])
    assert (one.name, one.bom_bytes, one.certain) == (name, len(bom), True)
    assert one.to_utf8(content[one.bom_bytes :]) == ("가\n".encode(), 0)


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("UTF8", "utf-8"),
        ("ascii", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16-le"),
        ("utf-32", "utf-32-le"),
        ("latin-1", "iso8859-1"),
        ("EUC-KR", "euc_kr"),
    ],
)
def test_without_a_byte_order_mark_the_named_encoding_holds(encoding: str, name: str) -> None:
    one = codec_for(encoding, b"\n")
    assert (one.name, one.bom_bytes, one.certain) == (name, 0, True)


@pytest.mark.parametrize("head", [b"", b"\xff", b"\xff\xfe", b"\xff\xfe\x00", b"\xef\xbb", b"\xfe", b"\x00\x00"])
def test_a_head_that_may_become_a_byte_order_mark_is_uncertain_and_holds_no_line(head: bytes) -> None:
    one = codec_for("utf-8", head)
    assert not one.certain
    assert one.last_end(head) == 0


def test_after_utf_16_was_named_its_mark_is_certain_at_once() -> None:
    assert codec_for("utf-16", codecs.BOM_UTF16_LE).certain
    assert codec_for("utf-16", codecs.BOM_UTF32_LE).name == "utf-16-le"


@pytest.mark.parametrize(
    ("encoding", "line_end", "crlf"),
    [
        ("utf-8", b"\n", b"\r\n"),
        ("utf-16", b"\n\x00", b"\r\x00\n\x00"),
        ("utf-32-be", b"\x00\x00\x00\n", b"\x00\x00\x00\r\x00\x00\x00\n"),
        ("cp037", b"\x25", b"\x0d\x25"),
    ],
)
def test_a_late_line_end_is_found(encoding: str, line_end: bytes, crlf: bytes) -> None:
    one = codec(encoding)
    assert (one.line_end, one.width) == (line_end, len(line_end))
    starts = (line_end + b"a", crlf + b"a", crlf[: one.width], b"a", b"")
    assert [one.late_end(fresh) for fresh in starts] == [len(line_end), len(crlf), 0, 0, 0]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_line_end_across_two_characters_is_none(encoding: str) -> None:
    one = codec(encoding)
    lines = [GURMUKHI, "\u0a0a\u0100\u0a00\u000b", "\u010a\u0a0a", "\u000b\u0a00\u0a0a\u0001"]
    content = encode(one, *lines)
    first = len(encode(one, lines[0]))
    assert [line.decode(one.name) for line in one.split(content)] == lines
    assert one.first_end(content) == first
    assert one.first_end(content, first) == len(encode(one, *lines[:2]))
    assert one.last_end(content[: -one.width]) == len(encode(one, *lines[:3]))
    assert one.to_utf8(content) == ("".join(f"{line}\n" for line in lines).encode(), 0)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp037"])
def test_without_a_line_end_none_is_found(encoding: str) -> None:
    one = codec(encoding)
    assert (one.last_end(b""), one.first_end(b""), one.split(b"")) == (0, 0, [])
    text = "no end".encode(one.name)
    assert (one.last_end(text), one.first_end(text), one.split(text)) == (0, 0, [text])
    assert one.first_end(one.line_end, one.width) == 0


def test_only_lf_ends_a_line() -> None:
    line = "a\x0b\x0c\x1c\x85\u2028\u2029\rb"
    for encoding in ("utf-8", "utf-16", "gb18030"):
        one = codec(encoding)
        assert one.to_utf8(encode(one, line)) == (f"{line}\n".encode(), 0)
        assert len(one.split(encode(one, line))) == 1


@pytest.mark.parametrize(
    ("encoding", "lines", "text", "bad"),
    [
        ("utf-8", b"a\xff\n\xef\xbf\xbd\xe0\xa0\n", b"a\xff\n\xef\xbf\xbd\xe0\xa0\n", 2),
        ("ascii", "é\n".encode(), "é\n".encode(), 0),
        ("cp949", b"\xb0\n\xb0\xa1\n", "\ufffd\n가\n".encode(), 1),
        ("shift_jis", b"\x81\n\x81\na\n", "\ufffd\n\ufffd\na\n".encode(), 2),
        ("cp1252", b"\x81\x82\n", "\ufffd\u201a\n".encode(), 1),
        ("utf-16-le", b"\x00\xd8\n\x00\x00\xdca\x00\n\x00", "\ufffd\n\ufffda\n".encode(), 2),
        ("utf-16-le", b"\xfd\xff\n\x00", "\ufffd\n".encode(), 0),
        ("iso2022_jp", b"\x1b$B0\n0!\n", "\ufffd\n0!\n".encode(), 1),
        ("iso2022_kr", b"\x0e0!\x0f\n", "가\n".encode(), 0),
        ("hz", b"~\na\n", "\ufffd\na\n".encode(), 1),
        ("utf-7", b"+AAo-a\n+2AA-\n", "\ufffda\n\ufffd\n".encode(), 2),
        ("raw_unicode_escape", rb"\u000aa" + b"\n", "\ufffda\n".encode(), 1),
    ],
)
def test_bad_sequences_are_counted_and_shown(encoding: str, lines: bytes, text: bytes, bad: int) -> None:
    assert codec(encoding).to_utf8(lines) == (text, bad)


def test_utf_8_passes_untouched() -> None:
    lines = "가\r\n".encode() + b"\xff\n"
    assert codec("utf-8").passes
    assert codec("utf-8").to_utf8(lines)[0] is lines
    assert not codec("cp949").passes


@pytest.mark.parametrize("encoding", ["utf-8", "cp949", "utf-16"])
def test_only_lines_with_bad_bytes_are_bad(encoding: str) -> None:
    one = codec(encoding)
    torn = "가".encode(one.name)[:-1]
    assert [one.is_bad(line) for line in ("가".encode(one.name), torn, b"")] == [False, True, False]


@pytest.mark.parametrize(
    ("encoding", "line", "text", "bad"),
    [
        ("utf-8", b"half", b"half\n", 0),
        ("utf-16-le", b"a\x00", b"a\n", 0),
        ("utf-16-be", b"\x00a\x00", "a\ufffd\n".encode(), 1),
        ("utf-32", b"a\x00\x00\x00b\x00\x00", "a\ufffd\n".encode(), 1),
    ],
)
def test_a_line_without_an_end_gets_one_where_it_counts(encoding: str, line: bytes, text: bytes, bad: int) -> None:
    one = codec(encoding)
    ended = one.ended(line)
    assert one.last_end(ended) == len(ended)
    assert one.to_utf8(ended) == (text, bad)


@pytest.mark.parametrize("encoding", [*ENCODINGS, "UTF_16", "utf8", "raw_unicode_escape", "mac-roman"])
def test_encodings_of_text_are_taken(encoding: str) -> None:
    check_encoding(encoding)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("cp994", r"there is no encoding 'cp994'; did you mean \"cp949\"\?"),
        ("koi8", 'did you mean "koi8-r"?'),
        ("gibberish!!", "there is, for example, utf-8"),
        ("", "there is no encoding ''"),
        ("a\0b", "there is no encoding"),
        *((name, "no encoding of text") for name in ("base64", "rot13", "zlib", "hex", "quopri")),
        *((name, "line by line") for name in ("idna", "punycode", "unicode_escape", "undefined")),
    ],
)
def test_what_is_no_encoding_of_lines_is_refused_with_a_hint(name: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        check_encoding(name)
