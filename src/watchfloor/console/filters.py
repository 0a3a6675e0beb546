"""The little language of the filter line. Pure.

Words must all be there, in any order and any case. ``!word`` must not be there. ``key:value`` looks into one
field alone, ``!key:value`` must not be in it. A colon after something that is no field is part of a word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Fields = Mapping[str, str]
"""What can be searched in a row, by the name used before the colon."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition: `text` in `field` (empty: anywhere), or not."""

    text: str
    field: str = ""
    without: bool = False

    def accepts(self, fields: Fields) -> bool:
        """Whether a row with these fields meets the condition."""
        where = [fields.get(self.field, "")] if self.field else fields.values()
        return any(self.text in value.casefold() for value in where) != self.without


def parse(text: str, known: frozenset[str] = frozenset()) -> list[Term]:
    """The conditions in `text`; `known` are the names of fields.

    >>> parse("api !state:ok", frozenset({"state"}))
    [Term(text='api', field='', without=False), Term(text='ok', field='state', without=True)]
    """
    terms = []
    for word in text.split():
        without = word.startswith("!") and len(word) > 1
        body = word[1:] if without else word
        field, colon, value = body.partition(":")
        if colon and field.casefold() in known:
            if value:
                terms.append(Term(value.casefold(), field.casefold(), without))
        else:
            terms.append(Term(body.casefold(), "", without))
    return terms


def matcher(text: str, known: frozenset[str] = frozenset()) -> Callable[[Fields], bool] | None:
    """A test for rows; None where `text` accepts everything."""
    terms = parse(text, known)
    if not terms:
        return None
    return lambda fields: all(term.accepts(fields) for term in terms)
