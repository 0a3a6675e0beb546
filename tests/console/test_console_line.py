"""Lines: measured in cells, clipped and aligned without ever breaking a character."""

from __future__ import annotations

import doctest
import importlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from watchfloor.console.line import (
    Line,
    Piece,
    bar,
    beside,
    clean,
    clip,
    clip_line,
    fit,
    fit_line,
    plain,
    says,
    width,
    wrap,
)

texts = st.text(max_size=30).map(clean)
spans = st.tuples(texts, st.sampled_from(["text", "muted", "ok"]))
lines = st.lists(spans, max_size=5).map(tuple)
cells = st.integers(0, 60)


@pytest.mark.parametrize("module", ["format", "filters", "keys", "draw.chart", "screens.dialogs"])
def test_the_examples_in_the_documentation_are_true(module: str) -> None:
    result = doctest.testmod(importlib.import_module(f"watchfloor.console.{module}"))
    assert result.attempted > 0
    assert result.failed == 0


@given(st.text(max_size=200))
def test_cleaned_text_is_one_printable_line(text: str) -> None:
    assert clean(text).isprintable()


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\x1b]0;title\x07b", "ab"),
        ("right\u202eto left", "rightto left"),
        ("zero\u200bwidth", "zerowidth"),
        ("line\nbreak\ttab", "line break tab"),
        ("\U0001f469\u200d\U0001f467", "\U0001f469\U0001f467"),
        ("heart \u2764\ufe0f", "heart \u2764"),
        ("thumb \U0001f44d\U0001f3fd", "thumb \U0001f44d"),
        ("bell\x07 null\x00", "bell null"),
    ],
)
def test_hostile_text_loses_what_could_harm(hostile: str, shown: str) -> None:
    assert clean(hostile) == shown


@given(texts, cells)
def test_clipped_text_fits(text: str, size: int) -> None:
    assert cell_len(clip(text, size)) <= size


@given(texts, cells, st.sampled_from(["left", "right"]))
def test_fitted_text_has_exactly_its_size(text: str, size: int, align: str) -> None:
    assert cell_len(fit(text, size, align)) == size


@given(lines, cells)
def test_clipped_lines_fit(line: Line, size: int) -> None:
    assert width(clip_line(line, size)) <= size


@given(lines, cells, st.sampled_from(["left", "right"]))
def test_fitted_lines_have_exactly_their_size(line: Line, size: int, align: str) -> None:
    assert width(fit_line(line, size, align)) == size


@given(texts, texts, st.integers(1, 40))
def test_what_follows_what_has_no_room_changes_nothing(text: str, more: str, size: int) -> None:
    if cell_len(text) > size:
        assert clip(text + 20 * more, size) == clip(text, size)
        assert clip_line(((text + 20 * more, "ok"),), size) == clip_line(((text, "ok"),), size)


def test_a_cut_is_marked() -> None:
    assert plain(clip_line((("shop checkout", "text"), (" is failing", "ok")), 16)) == "shop checkout i…"
    assert clip("日本語", 4) == "日…"


pieces = st.lists(
    st.builds(Piece, st.lists(lines, max_size=3).map(tuple), st.integers(0, 9), st.booleans()), max_size=5
)


@given(pieces, pieces, st.integers(1, 90))
def test_a_bar_has_exactly_its_size(left: list[Piece], right: list[Piece], size: int) -> None:
    assert width(bar(left, right, size)) == size


def test_a_bar_drops_what_matters_least_and_keeps_long_forms_where_they_fit() -> None:
    left = [
        Piece((says("alpha long"), says("alpha")), rank=5),
        Piece((says("beta long"), says("beta")), rank=1),
    ]
    right = [Piece((says("gamma"),), rank=3)]
    assert plain(bar(left, right, 40)).split("  ")[0:2] == ["alpha long", "beta long"]
    assert plain(bar(left, right, 23)).split() == ["alpha", "long", "beta", "gamma"]
    assert plain(bar(left, right, 13)).split() == ["alpha", "gamma"]
    assert plain(bar(left, right, 6)).split() == ["alpha"]


@given(st.text(max_size=300), st.integers(8, 60), st.integers(1, 6))
def test_wrapped_text_fits_in_width_and_lines(text: str, size: int, limit: int) -> None:
    folded = wrap(text, size, limit=limit)
    assert len(folded) <= limit
    assert all(width(line) <= size for line in folded)


def test_two_columns_beside_one_another() -> None:
    left, right = [says("one"), says("two")], [says("eins"), says("zwei"), says("drei")]
    assert [plain(line) for line in beside(left, right, 5, 1)] == ["one   eins", "two   zwei", "      drei"]
