"""Settings that every kind shares which sends SQL somewhere, and their mistakes, found when they are written."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from watchfloor.config.fields import InWords
from watchfloor.payloads.sql_makes import make_of
from watchfloor.payloads.sql_text import Unreadable, parameters, statements


def _address(dsn: SecretStr) -> SecretStr:
    make_of(dsn.get_secret_value())
    return dsn


Dsn = Annotated[
    SecretStr,
    AfterValidator(_address),
    InWords("an address such as postgresql://jobs@db.example.com/shop; also mysql, sqlserver, oracle"),
]
Statement = Annotated[str, Field(min_length=1, max_length=100_000)]
Value = str | int | float | bool | None
Params = Annotated[
    dict[str, Value],
    Field(max_length=200),
    InWords("a mapping of names to texts, numbers, true, false or null"),
]


def one_statement(sql: str, dsn: SecretStr, what: str) -> str:
    """The statement without the ``;`` at its end. Raises `ValueError` where it is none or several."""
    make = make_of(dsn.get_secret_value())
    try:
        found = statements(sql, make.name)
    except Unreadable as error:
        raise ValueError(f"{what} cannot be read: {error}") from None
    if len(found) > 1:
        raise ValueError(f"{what} holds {len(found)} statements; write each as an item of statements")
    if not found:
        raise ValueError(f"{what} holds no statement")
    return found[0]


def check_params(
    sqls: list[str], dsn: SecretStr, params: dict[str, Value], given: tuple[str, ...] = ()
) -> None:
    """Every ``:name`` needs a value and every value a ``:name``; ``given`` are names that are filled in later.

    Raises `ValueError`.
    """
    make = make_of(dsn.get_secret_value())
    used = {name for sql in sqls for name in parameters(sql, make.name)}
    if missing := sorted(used - params.keys() - set(given)):
        raise ValueError(
            f"params has no value for :{missing[0]}; write \\:{missing[0]} if it is no parameter"
        )
    if unused := sorted(params.keys() - used):
        raise ValueError(f"params has {unused[0]!r}, which no statement uses")
