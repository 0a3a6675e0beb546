"""Reads conditions on the answer to an HTTP request.

::

    condition  = comparison { "or" comparison }
    comparison = subject ["not"] operator [operand]
    subject    = "status" | "latency" | "size" | "redirects" | "body" | "certificate.days"
               | "header." name | "phase." name | "json" { "." key | "[" index "]" | '["' key '"]' }
    operator   = "==" | "!=" | "<" | "<=" | ">" | ">=" | "contains" | "in" | "matches" | "exists"
    operand    = number [unit] | text in quotes | "true" | "false" | "null" | list | pattern

``json….length`` is the length of a list, an object or a text. A pattern after ``matches`` may go without
quotes; it then reaches to the end. One that takes too much work on an answer leaves the check unknown.
Everything that can be wrong with a condition is found when it is read, also that it could never hold.
This module must never evaluate anything as code, nor leave a mistake to be found when a check runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NamedTuple, NoReturn

from watchfloor.domain.durations import parse_duration
from watchfloor.domain.outcome import PHASES
from watchfloor.probes.conditions import ORDER, Comparison, Condition, Sort, Subject
from watchfloor.probes.pattern import Pattern
from watchfloor.probes.possible import never

CONDITION_LIMIT = 1000
"""The longest condition, in characters."""

_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<text>"(?:[^"\\\n]|\\.)*"|'[^'\n]*')|(?P<number>-?\d{1,18}(?:\.\d{1,18})?(?P<unit>[A-Za-z]*))
    |(?P<word>[A-Za-z_][\w-]*)|(?P<sign>[=!<>]=|[<>]|[\[\],.])""",
    re.VERBOSE,
)
_OPERATORS = (*ORDER, "==", "!=", "contains", "in", "matches", "exists")
_NEGATABLE = ("contains", "in", "matches", "exists")
_SIZES = {"": 1, "B": 1, "kB": 1000, "MB": 10**6, "KiB": 1024, "MiB": 1024**2}
_WORDS: Mapping[str, object] = {"true": True, "false": False, "null": None}
_SORTS = {
    "status": Sort.NUMBER, "latency": Sort.DURATION, "size": Sort.SIZE, "redirects": Sort.NUMBER,
    "body": Sort.TEXT, "certificate": Sort.NUMBER, "header": Sort.TEXT, "phase": Sort.DURATION, "json": Sort.ANY,
}  # fmt: skip
_ALLOWED = {
    Sort.NUMBER: (*ORDER, "==", "!=", "in", "exists"),
    Sort.SIZE: (*ORDER, "==", "!="),
    Sort.DURATION: (*ORDER,),
    Sort.TEXT: _OPERATORS,
    Sort.ANY: _OPERATORS,
}


def parse(source: str) -> Condition:
    """Read a condition. Raises `ValueError`, with the column counted from 1, when it cannot be understood."""
    if len(source) > CONDITION_LIMIT:
        raise ValueError(f"a condition has at most {CONDITION_LIMIT} characters")
    if "\n" in source.strip():
        raise ValueError("a condition is a single line; write several as a list")
    return _Parser(source).condition()


class _Token(NamedTuple):
    kind: str
    text: str
    at: int
    unit: str = ""


class _Parser:
    """Reads one condition from left to right."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._next = self._token(0)

    def condition(self) -> Condition:
        comparisons = [self._comparison()]
        while self._next.text == "or" and self._next.kind == "word":
            self._take()
            comparisons.append(self._comparison())
        if self._next.kind != "end":
            self._complain('expected "or" or the end')
        return Condition(" ".join(self._source.split()), tuple(comparisons))

    def _comparison(self) -> Comparison:
        subject = self._subject()
        negated = self._next.text == "not" and self._next.kind == "word"
        if negated:
            self._take()
        sign = self._next
        allowed = [each for each in _ALLOWED[subject.sort] if each in _NEGATABLE or not negated]
        if sign.text not in allowed:
            self._complain(f"expected one of {' '.join(allowed)}")
        operand: object = None
        place = sign
        if sign.text == "matches":
            operand = self._pattern(sign.at + len(sign.text))
        else:
            self._take()
            if sign.text != "exists":
                place = self._next
                operand = self._list(subject) if sign.text == "in" else self._operand(subject, sign)
        comparison = Comparison(subject, sign.text, negated, operand)
        if why := never(comparison):
            self._complain(f"this never holds: {why}", place)
        return comparison

    def _subject(self) -> Subject:
        first = self._take()
        if first.text not in _SORTS or first.kind != "word":
            self._complain(f"expected one of {', '.join(_SORTS)}", first)
        name, sort = first.text, _SORTS[first.text]
        path: tuple[str | int, ...] = ()
        if name in ("header", "phase", "certificate"):
            path = (self._name(name),)
        elif name == "json":
            path = tuple(self._steps())
        return Subject(name, path, sort, self._source[first.at : self._end])

    def _name(self, of: str) -> str:
        self._expect(".", f"expected a name after {of}, as in {of}.{'days' if of == 'certificate' else 'x'}")
        token = self._take()
        known = {"phase": PHASES, "certificate": ("days",)}.get(of)
        if token.kind != "word" or (known and token.text not in known):
            self._complain(f"expected one of {', '.join(known)}" if known else "expected a name", token)
        return token.text

    def _steps(self) -> list[str | int]:
        steps: list[str | int] = []
        while self._next.text in (".", "["):
            opened, step = self._take(), self._take()
            if opened.text == "." and step.kind == "word":
                steps.append(step.text)
            elif opened.text == "[" and step.kind == "number" and re.fullmatch(r"-?\d{1,9}", step.text):
                steps.append(int(step.text))
                self._expect("]", "expected ]")
            elif opened.text == "[" and step.kind == "text":
                steps.append(self._string(step))
                self._expect("]", "expected ]")
            else:
                self._complain('expected a key as in .name, ["a name"] or [0]', step)
        return steps

    def _operand(self, subject: Subject, sign: _Token) -> object:
        token = self._take()
        value = self._literal(subject, token)
        if sign.text in ORDER and (isinstance(value, bool) or not isinstance(value, float)):
            self._complain("expected a number", token)
        if sign.text == "contains" and subject.sort is Sort.TEXT and not isinstance(value, str):
            self._complain("expected text in quotes", token)
        return value

    def _literal(self, subject: Subject, token: _Token) -> object:
        """The value of one literal; which there are depends on the subject."""
        sort = subject.sort
        if token.kind == "number":
            if sort is Sort.DURATION and token.unit:
                try:
                    return parse_duration(token.text)
                except ValueError:
                    self._complain(f"expected {sort.value}", token)
            number = float(token.text[: len(token.text) - len(token.unit)])
            if sort is Sort.SIZE and token.unit in _SIZES:
                return number * _SIZES[token.unit]
            if sort is not Sort.DURATION and not token.unit:
                return number
        if token.kind == "text" and sort in (Sort.TEXT, Sort.ANY):
            return self._string(token)
        if token.kind == "word" and token.text in _WORDS and sort is Sort.ANY:
            return _WORDS[token.text]
        return self._complain(f"expected {sort.value}", token)

    def _list(self, subject: Subject) -> tuple[object, ...]:
        self._expect("[", "expected a list, as in [200, 204]")
        values = [self._literal(subject, self._take())]
        while self._next.text == ",":
            self._take()
            values.append(self._literal(subject, self._take()))
        self._expect("]", "expected , or ]")
        return tuple(values)

    def _pattern(self, at: int) -> Pattern:
        """The pattern after ``matches``, in quotes or up to the end of the condition."""
        begin = at + len(self._source[at:]) - len(self._source[at:].lstrip())
        if self._source[begin : begin + 1] in ("'", '"'):
            self._take()
            token = self._take()
            if token.kind != "text":
                self._complain("the pattern has no closing quote", token)
            # Only a quote needs a backslash here, so that \d stays what it is.
            text = token.text[1:-1].replace('\\"', '"')
        else:
            text = self._source[begin:].rstrip()
            self._next = _Token("end", "", len(self._source))
        if not text:
            self._complain("expected a pattern", _Token("end", "", begin))
        try:
            return Pattern(text)
        except ValueError as error:
            self._complain(str(error), _Token("text", text, begin))

    def _string(self, token: _Token) -> str:
        if token.text[0] == "'":
            return token.text[1:-1]
        try:
            return str(json.loads(token.text))
        except ValueError:
            self._complain("the text holds a backslash that means nothing; write \\\\", token)

    # Tokens.

    def _take(self) -> _Token:
        taken = self._next
        self._end = taken.at + len(taken.text)
        self._next = self._token(self._end)
        return taken

    def _expect(self, sign: str, words: str) -> None:
        token = self._take()
        if token.kind != "sign" or token.text != sign:
            self._complain(words, token)

    def _token(self, at: int) -> _Token:
        match = _TOKEN.match(self._source, at)
        if match is not None and match["space"]:
            at = match.end()
            match = _TOKEN.match(self._source, at)
        if at >= len(self._source):
            return _Token("end", "", at)
        if match is None:
            return _Token("unknown", self._source[at], at)
        kind = next(name for name in ("text", "number", "word", "sign") if match[name] is not None)
        return _Token(kind, match[0], at, match["unit"] or "")

    def _complain(self, words: str, token: _Token | None = None) -> NoReturn:
        token = token or self._next
        found = "the end" if token.kind == "end" else json.dumps(token.text[:40], ensure_ascii=False)
        raise ValueError(f"column {token.at + 1} of the condition: {words}, found {found}")
