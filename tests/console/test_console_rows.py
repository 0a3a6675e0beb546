"""Rows: the cursor stays on its key, whatever happens around it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from watchfloor.console.filters import parse
from watchfloor.console.format import Moment
from watchfloor.console.line import Line
from watchfloor.console.rows import Rows
from watchfloor.console.widgets.table import GAP, Column, arrange

Row = tuple[int, int]


def key(row: Row) -> int:
    return row[0]


rows_of = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 99)), max_size=12, unique_by=key)


class RowsMachine(RuleBasedStateMachine):
    """Any sequence of changes, against the plain idea of what must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: Rows[Row] = Rows(key)
        self.chosen: int | None = None

    @rule(new=rows_of)
    def take(self, new: list[Row]) -> None:
        self.rows.set(new)

    @rule(least=st.integers(0, 99))
    def narrow(self, least: int) -> None:
        self.rows.set_filter(keep=lambda row: row[1] >= least)

    @rule()
    def widen(self) -> None:
        self.rows.set_filter()

    @rule(reverse=st.booleans())
    def sort(self, reverse: bool) -> None:
        self.rows.set_order(lambda row: row[1], reverse=reverse)

    @rule(place=st.integers(-3, 15))
    def move(self, place: int) -> None:
        self.rows.move_to(place)

    @invariant()
    def the_cursor_stands_on_a_row_if_there_is_one(self) -> None:
        shown = self.rows.shown
        if shown:
            assert 0 <= self.rows.place < len(shown)
            assert self.rows.selected == shown[self.rows.place]
            assert self.rows.selected_key == key(shown[self.rows.place])
        else:
            assert self.rows.selected is None


TestRows = RowsMachine.TestCase


@given(rows_of, rows_of, st.integers(0, 11))
def test_the_cursor_follows_its_key(before: list[Row], after: list[Row], place: int) -> None:
    rows: Rows[Row] = Rows(key)
    rows.set(before)
    rows.move_to(place)
    chosen = rows.selected
    rows.set(after)
    if chosen is not None and key(chosen) in [key(row) for row in after]:
        assert rows.selected is not None
        assert key(rows.selected) == key(chosen)


@given(
    rows_of,
    st.lists(st.tuples(st.integers(20, 30), st.integers(0, 9)), min_size=1, max_size=3, unique_by=key),
)
def test_a_list_that_follows_stays_at_its_top_until_the_cursor_leaves(
    before: list[Row], newer: list[Row]
) -> None:
    rows: Rows[Row] = Rows(key, follows=True)
    rows.set(before)
    rows.set([*newer, *before])
    assert rows.selected == newer[0]
    if before:
        rows.move_to(len(newer))
        rows.set([(99, 0), *newer, *before])
        assert rows.selected == before[0]


def _cell(row: Row, moment: Moment, cells: int) -> Line:
    return ()


columns_of = st.lists(
    st.builds(
        lambda width, grow, more, rank: Column("X", _cell, width, grow, width + more if more else 0, rank),
        st.integers(1, 20),
        st.integers(0, 5),
        st.integers(0, 30),
        st.integers(0, 6),
    ),
    min_size=1,
    max_size=9,
)


@given(columns_of, st.integers(1, 240))
def test_columns_fit_the_screen_unless_the_essential_ones_alone_do_not(
    columns: list[Column[Row]], cells: int
) -> None:
    arranged = arrange(columns, cells)
    used = sum(width for _, width in arranged) + GAP * (len(arranged) - 1)
    essential = [column for column in columns if column.rank == 0]
    least = sum(column.width for column in essential) + GAP * (len(essential) - 1)
    if essential and least <= cells:
        assert used <= cells
        assert [column for column, _ in arranged if column.rank == 0] == essential
    for column, width in arranged:
        assert width >= 1
        assert not column.limit or width <= max(column.limit, column.width)


@given(columns_of, st.integers(1, 240))
def test_less_important_columns_give_way_first(columns: list[Column[Row]], cells: int) -> None:
    kept = [id(column) for column, _ in arrange(columns, cells)]
    dropped = [column for column in columns if id(column) not in kept]
    remaining = [column for column in columns if id(column) in kept]
    if dropped and remaining:
        assert min(column.rank for column in dropped) >= max(column.rank for column in remaining)


def test_what_a_filter_looks_through_is_made_in_slices_and_once_for_each_row() -> None:
    asked: list[Row] = []

    def fields(row: Row) -> dict[str, str]:
        asked.append(row)
        return {"text": f"row {row[1]}"}

    rows: Rows[Row] = Rows(key)
    rows.set_fields(fields, {"text"})
    first = [(number, number) for number in range(10)]
    rows.set(first)
    assert asked == []
    assert [rows.prepare(4), rows.prepare(4), rows.prepare(4)] == [False, False, True]
    rows.set_filter(parse("row !7"))
    assert [row[0] for row in rows.shown] == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    assert asked == first
    rows.set([*first[:5], (5, 77), *first[6:]])
    assert asked == [*first, (5, 77)]
    assert [row[0] for row in rows.shown] == [0, 1, 2, 3, 4, 6, 8, 9]
    rows.set_order(lambda row: row[1], reverse=True)
    assert [row[0] for row in rows.shown] == [9, 8, 6, 4, 3, 2, 1, 0]
    assert asked == [*first, (5, 77)]
