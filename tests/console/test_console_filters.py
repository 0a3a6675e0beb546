"""The language of the filter line, against the plain idea of what each term means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.console.filters import APART, Term, parse, searchable

NAMES = ("kind", "name", "state")
KNOWN = frozenset(NAMES)

words = st.text("aAbBß\x1f:~!é", min_size=1, max_size=6)
values = st.text("aAbBß \x1f:~!é", max_size=12)
rows_of = st.lists(st.fixed_dictionaries(dict.fromkeys(NAMES, values)), max_size=8)
terms_of = st.lists(
    st.builds(Term, words.map(str.casefold), st.sampled_from(("", *NAMES)), st.booleans(), st.booleans()),
    max_size=4,
)


def naive(term: Term, row: dict[str, str]) -> bool:
    """What a term says of a row, in the plainest words."""
    values = [row[term.field]] if term.field else list(row.values())
    folded = [value.casefold().replace(APART, " ") for value in values]
    found = any(in_order(term.text, each) if term.fuzzy else term.text in each for each in folded)
    return found != term.without


def in_order(letters: str, text: str) -> bool:
    rest = iter(text)
    return all(letter in rest for letter in letters)


def written(term: Term) -> str:
    return f'{"!" * term.without}{"~" * term.fuzzy}{term.field + ":" * bool(term.field)}"{term.text}"'


@given(rows_of, terms_of)
def test_a_filter_keeps_exactly_the_rows_for_which_every_term_holds(
    rows: list[dict[str, str]], terms: list[Term]
) -> None:
    query = parse("  ".join(map(written, terms)), KNOWN)
    plain = [Term(each.text.replace(APART, " "), each.field, each.without, each.fuzzy) for each in terms]
    assert query.mistake == ""
    assert list(query.terms) == plain
    texts = [searchable(row, NAMES) for row in rows]
    kept = [place for place, row in enumerate(rows) if all(naive(term, row) for term in plain)]
    assert query.sift(texts, NAMES) == kept


@given(st.text('ab:!~" \t/kind', max_size=30))
def test_whatever_is_typed_is_understood_or_its_mistake_is_said(text: str) -> None:
    query = parse(text, KNOWN)
    assert query.terms or query.mistake or not text.strip()
    assert all(term.text for term in query.terms)


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("web", Term("web")),
        ("!web", Term("web", without=True)),
        ("~wb", Term("wb", fuzzy=True)),
        ("!~wb", Term("wb", without=True, fuzzy=True)),
        ("Kind:HTTP", Term("http", "kind")),
        ("kind:~htp", Term("htp", "kind", fuzzy=True)),
        ('name:"disk full"', Term("disk full", "name")),
        ('"stat:ok"', Term("stat:ok")),
        ("https://example.org", Term("https://example.org")),
        ("12:30", Term("12:30")),
    ],
)
def test_what_is_typed_means(text: str, term: Term) -> None:
    assert parse(text, KNOWN).terms == (term,)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("stat:ok web", "no field stat here, but kind, name, state;"),
        ('web "disk', "a quote is not closed"),
        ("web state:", "state: needs a word"),
        ("web !", "! needs a word"),
        ("web ~", "~ needs a word"),
    ],
)
def test_a_mistake_is_said_and_leaves_the_other_terms_in_force(text: str, mistake: str) -> None:
    query = parse(text, KNOWN)
    assert query.mistake.startswith(mistake)
    assert query.terms == (Term("web"),)


def test_letters_far_apart_are_looked_for_without_trying_twice() -> None:
    pattern = Term("a" * 20 + "b", fuzzy=True).pattern
    assert pattern.search("a" * 3_000) is None
