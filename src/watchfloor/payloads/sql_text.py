"""Takes SQL apart as far as it must be: where one statement ends, and which parameters stand outside of texts.

It knows how each database writes texts, names and comments, and nothing else of its language. This module must never
put a value into a statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

_LITERAL = r"'(?:[^']|'')*'"
_ESCAPED = r"'(?:[^'\\]|''|\\.)*'"
_QUOTED = r'"(?:[^"]|"")*"'
_LINE = r"--[^\n]*"

_OPAQUE = {
    "postgresql": [
        r"(?<![\w$])[eE]" + _ESCAPED,
        r"(?<![\w$])\$(?P<tag>\w*)\$.*?\$(?P=tag)\$",
        _LITERAL,
        _QUOTED,
        _LINE,
    ],
    "mysql": [_ESCAPED, r'"(?:[^"\\]|""|\\.)*"', r"`(?:[^`]|``)*`", r"--(?=\s|\Z)[^\n]*", r"#[^\n]*"],
    "sqlserver": [_LITERAL, _QUOTED, r"\[(?:[^\]]|\]\])*\]", _LINE],
    "oracle": [
        r"(?<!\w)[nN]?[qQ]'(?:\[.*?\]|\(.*?\)|\{.*?\}|<.*?>|(?P<mark>[^\s\[({<]).*?(?P=mark))'",
        _LITERAL,
        _QUOTED,
        _LINE,
    ],
}  # fmt: skip
"""What is passed over as a whole, by make of database, apart from comments in ``/* */``."""

_OPENS = {"postgresql": "'\"", "mysql": "'\"`", "sqlserver": "'\"[", "oracle": "'\""}
_NESTED = frozenset({"postgresql", "sqlserver"})
_PARAMETER = re.compile(r"(?<![:\w\\]):([A-Za-z_]\w*)(?!\w|:(?!:))")
_CAST = re.compile(_PARAMETER.pattern + "::")
"""A parameter and a cast of it, which the library would not tell apart without a space between them."""

_BLOCK = re.compile(
    r"\s*(?:(?:BEGIN(?!\s*(?:;|TRAN|WORK|\Z))|DECLARE)\b|CREATE\s.{0,200}?\b(?:PROCEDURE|FUNCTION|TRIGGER|PACKAGE|EVENT|TYPE)\b)",
    re.IGNORECASE | re.DOTALL,
)
"""Statements that may hold others: they are one, to their end."""

_CONTROL = re.compile(
    r"\s*(BEGIN|COMMIT|ROLLBACK|ABORT|END|START\s+TRANSACTION|SAVEPOINT|SET\s+(?:SESSION\s+|GLOBAL\s+|LOCAL\s+)?"
    r"(?:TRANSACTION|AUTOCOMMIT|SESSION\s+CHARACTERISTICS)|RELEASE)\b",
    re.IGNORECASE,
)

Piece = tuple[str, str]
"""``code``, ``opaque`` or ``end``, and the text."""


class Unreadable(ValueError):
    """A text, name or comment of the statement does not end."""


@lru_cache(maxsize=8)
def _pattern(make: str) -> re.Pattern[str]:
    return re.compile("|".join(_OPAQUE[make]), re.DOTALL)


def pieces(sql: str, make: str) -> Iterator[Piece]:
    """Take a text apart. Raises `Unreadable`."""
    pattern, opens = _pattern(make), _OPENS[make]
    at = begun = 0
    while at < len(sql):
        match = pattern.match(sql, at)
        end = match.end() if match else _comment_end(sql, at, make in _NESTED)
        if end:
            if begun < at:
                yield "code", sql[begun:at]
            yield "opaque", sql[at:end]
            at = begun = end
        elif sql[at] == ";":
            if begun < at:
                yield "code", sql[begun:at]
            yield "end", ";"
            at = begun = at + 1
        elif sql[at] in opens:
            raise Unreadable(f"what begins with {sql[at : at + 20]!r} does not end")
        else:
            at += 1
    if begun < len(sql):
        yield "code", sql[begun:]


def _comment_end(sql: str, at: int, nested: bool) -> int:
    """Where the comment that begins here ends; 0 where none begins."""
    if not sql.startswith("/*", at):
        return 0
    depth, found = 0, at
    for match in re.compile(r"/\*|\*/").finditer(sql, at):
        depth += 1 if match[0] == "/*" and (nested or depth == 0) else -1 if match[0] == "*/" else 0
        found = match.end()
        if depth == 0:
            return found
    raise Unreadable("a comment that begins with /* does not end")


def statements(sql: str, make: str) -> list[str]:
    """The statements of a text, without the ``;`` between them and without empty ones. Raises `Unreadable`."""
    bare = "".join(
        " " if kind == "opaque" and _is_comment(text) else text for kind, text in pieces(sql, make)
    )
    if _BLOCK.match(bare):
        return [sql.strip()]
    found, now, has_code = [], "", False
    for kind, text in (*pieces(sql, make), ("end", "")):
        if kind != "end":
            now += text
            has_code = has_code or (bool(text.strip()) and not (kind == "opaque" and _is_comment(text)))
            continue
        if has_code:
            found.append(now.strip())
        now, has_code = "", False
    return found


def _is_comment(text: str) -> bool:
    return text.startswith(("--", "#", "/*")) and not text.startswith("/*!")


def parameters(sql: str, make: str) -> list[str]:
    """The names written as ``:name`` outside of texts, names and comments, each once. Raises `Unreadable`."""
    names = [name for kind, text in pieces(sql, make) if kind == "code" for name in _PARAMETER.findall(text)]
    return list(dict.fromkeys(names))


def controls_transaction(sql: str, make: str) -> bool:
    """Whether a statement begins, ends or changes a transaction, which is not its own to do."""
    bare = "".join(
        " " if kind == "opaque" and _is_comment(text) else text for kind, text in pieces(sql, make)
    )
    return not _BLOCK.match(bare) and _CONTROL.match(bare) is not None


def for_binding(sql: str, make: str) -> str:
    """The statement as ``sqlalchemy.text`` takes it: colons in texts and comments escaped, parameters left alone."""
    return "".join(
        text.replace(":", r"\:") if kind == "opaque" else _CAST.sub(r":\1 ::", text)
        for kind, text in pieces(sql, make)
    )
