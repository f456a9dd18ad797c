"""Recipe text to syntax tree: `in.X` is understood, and what Python cannot read is explained."""

from __future__ import annotations

import ast
import io
import keyword
import tokenize
from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING

from swak.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_MENDS = (
    ("was never closed", "add the closing bracket"),
    ("unmatched", "remove it, or add the opening bracket"),
    ("unterminated", "add the closing quote"),
    ("unexpected indent", "begin the line where the line above begins"),
    ("unindent", "begin the line where a line above begins"),
    ("invalid character", 'type it as plain ASCII, e.g. " instead of a typographic quote'),
    ("invalid non-printable character", "remove it: it often comes along when text is copied from a web page"),
    ("null bytes", "save the recipe as plain UTF-8 text"),
    ("too many nested", "name the inner parts and put the names in their place"),
)
_OPEN, _CLOSE = ("(", "[", "{"), (")", "]", "}")


class Respelled:
    """A recipe's text with `in_.` for every `in.`, which is never valid Python; columns can be led back."""

    def __init__(self, text: str) -> None:
        lines = text.split("\n")
        self._inserted: dict[int, list[int]] = {}
        found = [*_keyword_inputs(text)]
        for row, column in reversed(found):
            line = lines[row - 1]
            lines[row - 1] = f"{line[:column]}_{line[column:]}"
        for row, column in found:
            before = self._inserted.setdefault(row, [])
            before.append(column + len(before))
        self.text = "\n".join(lines)
        self._lines = lines

    def column(self, row: int, column: int) -> int:
        """Return the 0-based column of the original text for a column of `text`."""
        return column - bisect_left(self._inserted.get(row, []), column)

    def restore_columns(self, tree: ast.Module) -> None:
        """Let the tree's columns be those of the original text, so that a traceback's carets are right."""
        in_bytes = {
            row: [len(self._lines[row - 1][:column].encode()) for column in columns]
            for row, columns in self._inserted.items()
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.expr | ast.stmt | ast.keyword):
                if inserted := in_bytes.get(node.lineno):
                    node.col_offset -= bisect_left(inserted, node.col_offset)
                if node.end_lineno and node.end_col_offset and (inserted := in_bytes.get(node.end_lineno)):
                    node.end_col_offset -= bisect_left(inserted, node.end_col_offset)


def parse(text: str, file: str) -> ast.Module:
    """Return the tree of a recipe, with the lines and columns of `text`; ConfigError says what Python cannot read."""
    respelled = Respelled(text)
    try:
        tree = ast.parse(respelled.text, file)
    except SyntaxError as error:
        raise ConfigError([explain(error, respelled, text, file)]) from error
    except (ValueError, MemoryError, RecursionError, OverflowError) as error:
        what = str(error) or type(error).__name__
        raise ConfigError([Problem(f"Python cannot read the recipe: {what}", _mend(what), file)]) from error
    respelled.restore_columns(tree)
    if problems := [*_repeated_keys(tree, file)]:
        raise ConfigError(problems)
    return tree


def explain(error: SyntaxError, respelled: Respelled, text: str, file: str) -> Problem:
    """Tell a syntax error by its line in the original text, with a mend."""
    what, row = error.msg or "invalid syntax", error.lineno or 0
    if "forgot a comma" in what and (gap := _gap(respelled.text, row, (error.offset or 1) - 1)):
        begins, ends, follows = gap
        where = f"at the end of line {ends[0]}"
        if ends[0] == follows[0]:
            where = f"in line {ends[0]} after column {respelled.column(*ends)}"
        mend = f"add a comma {where}: the expression that began in line {begins[0]} ends there, the next one follows"
        return Problem("a comma is missing", mend, file, ends[0])
    lines = text.split("\n")
    near = lines[row - 1].strip() if 0 < row <= len(lines) else ""
    column = respelled.column(row, max(0, (error.offset or 1) - 1)) + 1
    if near:
        what += f" at column {column}: {near if len(near) <= 60 else near[:57] + '...'}"
    return Problem(what, _mend(what), file, row)


def _mend(what: str) -> str:
    return next((mend for part, mend in _MENDS if part in what), "")


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    """Yield tokens up to where the text stops being Python: the parser stops there, or before, as well."""
    try:
        yield from tokenize.generate_tokens(io.StringIO(text).readline)
    except (tokenize.TokenError, SyntaxError, ValueError):
        return


def _keyword_inputs(text: str) -> Iterator[tuple[int, int]]:
    """Yield row and column right after each `in` of an `in.NAME`, never one in a string or comment."""
    window: list[tokenize.TokenInfo] = []
    strings = 0
    for token in _tokens(text):
        kind = tokenize.tok_name[token.type]
        strings += kind.endswith("STRING_START") - kind.endswith("STRING_END")  # f-strings are tokenized from 3.12 on
        window = [*window[-2:], token]
        if not strings and [one.string for one in window[:2]] == ["in", "."] and token.type == tokenize.NAME:
            yield window[0].end


def _gap(text: str, row: int, column: int) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]] | None:
    """Return where the expression at `row`, `column` begins and ends, and where the one after it begins."""
    skipped = (tokenize.NL, tokenize.COMMENT, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    tokens = [token for token in _tokens(text) if token.start >= (row, column) and token.type not in skipped]
    depth = 0
    for token, following in pairwise(tokens):
        kind = tokenize.tok_name[token.type]
        depth += token.string in _OPEN or kind.endswith("STRING_START")
        depth -= token.string in _CLOSE or kind.endswith("STRING_END")
        joined = _is_text(token) and _is_text(following)
        if depth == 0 and _ends_operand(token) and _starts_operand(following) and not joined:
            return tokens[0].start, token.end, following.start
    return None


def _is_text(token: tokenize.TokenInfo) -> bool:
    return "STRING" in tokenize.tok_name[token.type]


def _is_name(token: tokenize.TokenInfo) -> bool:
    plain = not keyword.iskeyword(token.string) or token.string in ("None", "True", "False")
    return token.type == tokenize.NAME and plain


def _ends_operand(token: tokenize.TokenInfo) -> bool:
    return token.string in _CLOSE or token.type == tokenize.NUMBER or _is_text(token) or _is_name(token)


def _starts_operand(token: tokenize.TokenInfo) -> bool:
    return token.string in ("{", "lambda") or token.type == tokenize.NUMBER or _is_text(token) or _is_name(token)


def _repeated_keys(tree: ast.Module, file: str) -> Iterator[Problem]:
    """Yield the keys that stand twice in one dict: Python would drop the first branch without a word."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            keys = [key for key in node.keys if isinstance(key, ast.Constant)]
            for key in (key for at, key in enumerate(keys) if any(key.value == one.value for one in keys[:at])):
                yield Problem(f"the key {key.value!r} stands twice in one dict", "join the two", file, key.lineno)
