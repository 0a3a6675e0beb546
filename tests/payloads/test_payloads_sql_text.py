"""SQL taken apart: statements end where the database thinks they end, parameters are those outside of texts."""

from __future__ import annotations

import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.payloads.sql_text import (
    Unreadable,
    controls_transaction,
    for_binding,
    parameters,
    pieces,
    statements,
)

MAKES = ("postgresql", "mysql", "sqlserver", "oracle")


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize(
    ("sql", "number"),
    [
        ("SELECT 1", 1), ("SELECT 1;", 1), ("SELECT 1; ; -- x\n;", 1), ("SELECT ';'; SELECT '''; '", 2),
        ('SELECT ";"', 1), ("SELECT 1 -- ; SELECT 2", 1), ("/* ; */ SELECT 1", 1), ("", 0), ("/* x */", 0),
    ],
)  # fmt: skip
def test_statements_that_every_database_counts_alike(sql: str, number: int, make: str) -> None:
    assert len(statements(sql, make)) == number


@pytest.mark.parametrize(
    ("make", "sql", "number"),
    [
        ("postgresql", "SELECT $$a;b$$; SELECT $x$ $$ ; $x$", 2),
        ("postgresql", "SELECT E'\\';'; SELECT '\\'; SELECT 3", 3),
        ("postgresql", "/* /* ; */ ; */ SELECT 1", 1),
        ("postgresql", "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END", 1),
        ("postgresql", "BEGIN; SELECT 1", 2),
        ("mysql", "SELECT '\\';'; SELECT `;`", 2),
        ("mysql", "SELECT 1 # ; x\n; SELECT 5--2", 2),
        ("mysql", "CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END", 1),
        ("sqlserver", "SELECT [a;]]b]; SELECT 2", 2),
        ("sqlserver", "DECLARE @x int; SET @x = 1; SELECT @x", 1),
        ("oracle", "BEGIN x; y; END;", 1),
        ("oracle", "SELECT q'[it's; ]' FROM dual", 1),
        ("oracle", "SELECT q'!it's; !' FROM dual; SELECT 2 FROM dual", 2),
    ],
)
def test_statements_by_the_rules_of_each(make: str, sql: str, number: int) -> None:
    assert len(statements(sql, make)) == number


def test_parameters_stand_outside_of_texts_names_and_comments() -> None:
    assert parameters("SELECT :since::timestamptz, :b:c", "postgresql") == ["since"]
    sql = "SELECT :a, ':b', \":c\", x::int, a[1:2], '10:30' -- :d\n WHERE y = :e AND z = :a /* :f */ AND \\:g"
    assert parameters(sql, "postgresql") == ["a", "e"]


@pytest.mark.parametrize("sql", ["'", '"', "/*", "SELECT 'it''", "/* /* */"])
def test_what_does_not_end_is_unreadable(sql: str) -> None:
    with pytest.raises(Unreadable):
        statements(sql, "postgresql")


@pytest.mark.parametrize(
    "sql", ["COMMIT", "/* x */ rollback", "START TRANSACTION", "set session transaction read write"]
)
def test_statements_that_touch_the_transaction_are_known(sql: str) -> None:
    assert controls_transaction(sql, "mysql")
    assert not controls_transaction("SELECT 'COMMIT'", "mysql")


@given(
    st.lists(
        st.sampled_from(
            [
                "'a:b'",
                "':x'",
                "'\\'",
                '":y"',
                " -- :z\n",
                "/* :w */",
                " ",
                "x",
                "::int",
                " :p ",
                ";",
                "$$:q$$",
            ]
        )
    )
)
def test_pieces_lose_nothing_and_only_parameters_are_bound(parts: list[str]) -> None:
    sql = "".join(parts)
    assert "".join(text for _, text in pieces(sql, "postgresql")) == sql
    compiled = sqlalchemy.text(for_binding(sql, "postgresql")).compile()
    assert set(compiled.params) == set(parameters(sql, "postgresql"))
    assert str(compiled) == sql
