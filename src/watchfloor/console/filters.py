"""The little language of the filter line. Pure: knows rows only as texts by the name of a field.

Terms are separated by blanks and must all hold, in any order and any case:

    word        it is somewhere in the row           "two words"  the same, blanks and colons included
    ~wrd        its letters are there in this order  key:value    it is in this field; key:~vl, key:"a b"
    !term       the term does not hold

A mistake never empties a list: the term that has it is left out and the mistake is said in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

Fields = Mapping[str, str]
"""What can be searched in a row, by the name used before the colon."""

APART = "\x1f"
"""Stands between the fields of a searchable text, so that no term matches across two of them."""

_FIELD = re.compile(r"([A-Za-z_]+):(?!//)")
_NEXT = re.compile(r"\s*(?P<signs>[!~]*)(?P<rest>\S?)")


@dataclass(frozen=True)
class Term:
    """One condition: `text` in `field` (empty: anywhere), letter by letter (`fuzzy`), or not there (`without`)."""

    text: str
    field: str = ""
    without: bool = False
    fuzzy: bool = False

    def sift(self, texts: Sequence[str], places: Iterable[int], names: Sequence[str]) -> list[int]:
        """Those of `places` whose text, made by `searchable` from `names`, meets the condition."""
        wanted, found = not self.without, self.pattern.search
        if self.field:
            if self.field not in names:
                return [place for place in places if not wanted]
            at = names.index(self.field)
            parts = ((place, texts[place].split(APART, at + 1)[at]) for place in places)
            if self.fuzzy:
                return [place for place, part in parts if (found(part) is not None) is wanted]
            return [place for place, part in parts if (self.text in part) is wanted]
        if self.fuzzy:
            return [place for place in places if (found(texts[place]) is not None) is wanted]
        needle = self.text
        return [place for place in places if (needle in texts[place]) is wanted]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Finds the letters in this order within one field.

        What lies between two letters never holds the second one, so that nothing is tried twice.
        """
        gaps = (f"[^{re.escape(letter)}{APART}]*{re.escape(letter)}" for letter in self.text[1:])
        return re.compile(re.escape(self.text[:1]) + "".join(gaps))


@dataclass(frozen=True, slots=True)
class Query:
    """What a filter asks for, and what is wrong with it, in words (empty: nothing)."""

    terms: tuple[Term, ...] = ()
    mistake: str = ""

    def sift(self, texts: Sequence[str], names: Sequence[str]) -> list[int]:
        """The places of the texts that meet every condition."""
        places: Iterable[int] = range(len(texts))
        for term in self.terms:
            places = term.sift(texts, places, names)
        return list(places)


NOTHING = Query()


def searchable(fields: Fields, names: Sequence[str]) -> str:
    """The fields in the order of `names` as one text that terms look through."""
    text = APART.join([fields.get(name, "") for name in names])
    if text.count(APART) != len(names) - 1:  # a hostile value holds the mark itself
        text = APART.join([fields.get(name, "").replace(APART, " ") for name in names])
    return text.casefold()


def parse(text: str, known: frozenset[str] = frozenset()) -> Query:
    """What `text` asks for; `known` are the names of fields.

    >>> parse("api !state:ok", frozenset({"state"})).terms[1]
    Term(text='ok', field='state', without=True, fuzzy=False)
    >>> parse('stat:ok', frozenset({"state"})).mistake
    'no field stat here, but state; "stat:ok" in quotes is looked for as it stands'
    """
    terms: list[Term] = []
    mistakes: list[str] = []
    at = 0
    while (found := _NEXT.match(text, at)) and found.end() > at:
        term, mistake, at = _term(text, found.start("signs"), found.start("rest"), known)
        terms += [term] if term else []
        mistakes += [mistake] if mistake else []
    return Query(tuple(terms), mistakes[0] if mistakes else "")


def _term(text: str, start: int, body: int, known: frozenset[str]) -> tuple[Term | None, str, int]:
    """The term that begins at `start` with signs, its mistake, and where the next one begins."""
    signs, field, at = text[start:body], "", body
    named = _FIELD.match(text, body)
    if named is not None:
        field, at = named[1].casefold(), named.end()
        while at < len(text) and text[at] == "~":
            signs, at = signs + "~", at + 1
    value, closed, end = _value(text, at)
    if not closed:
        return None, "a quote is not closed", end
    if field and field not in known:
        return None, _unknown(text[body:end], field, known), end
    if not value:
        return (None, f"{text[start:end]} needs a word", end) if end > start else (None, "", end)
    folded = value.casefold().replace(APART, " ")
    return Term(folded, field, signs.count("!") % 2 == 1, "~" in signs), "", end


def _value(text: str, at: int) -> tuple[str, bool, int]:
    """The word or quoted words at `at`, whether a quote is closed, and where they end."""
    if text.startswith('"', at):
        end = text.find('"', at + 1)
        return (text[at + 1 : end], True, end + 1) if end >= 0 else ("", False, len(text))
    end = at
    while end < len(text) and not text[end].isspace():
        end += 1
    return text[at:end], True, end


def _unknown(word: str, field: str, known: frozenset[str]) -> str:
    fields = ", ".join(sorted(known))
    plain = word.replace('"', "")
    return f'no field {field} here, but {fields}; "{plain}" in quotes is looked for as it stands'
