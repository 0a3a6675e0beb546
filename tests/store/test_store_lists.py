"""Lists written in one go: the server reads of them what it reads of the driver's own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum

import psycopg
import pytest
from psycopg.adapt import PyFormat, Transformer
from psycopg.types.array import ListDumper

from watchfloor.store.database import Database
from watchfloor.store.lists import PlainLists

WEST = timezone(timedelta(hours=-9, minutes=-30))
LISTS: dict[str, tuple[str, list[object]]] = {
    "small numbers": ("smallint", [0, -1, None, 32_767]),
    "large numbers": ("bigint", [2**62, -(2**62), None]),
    "yes and no": ("boolean", [True, None, False]),
    "moments": (
        "timestamptz",
        [datetime(2026, 11, 28, 3, 4, 5, 6, UTC), None, datetime(1, 1, 2, tzinfo=WEST)],
    ),
    "moments of no zone": ("timestamp", [datetime(2026, 3, 29, 2, 30), None]),
    "bytes": ("bytea", [b"", b"\x00\xff", None, b'"\\']),
    "words": ("text", ["200 in 0.4 ms", "", None, "NULL", "{a,b}", " x ", "\n", "%s"]),
    "words with quotes": ("text", ['say "no"', "back\\slash", "plain", None]),
    "words of the world": ("text", ["München", "雪", None]),
    "nothing": ("int", [None, None]),
    "empty": ("int", []),
    "fractions": ("float8", [0.5, None, float("inf")]),
    "lists of lists": ("int", [[1, 2], [3, None]]),
}


@pytest.mark.parametrize("kind", LISTS)
async def test_a_list_arrives_as_it_was(database: Database, kind: str) -> None:
    wanted, items = LISTS[kind]
    async with database.connection() as connection:
        cursor = await connection.execute(f"SELECT %(items)s::{wanted}[]", {"items": items})
        row = await cursor.fetchone()
    assert row is not None
    assert row[0] == items


@pytest.mark.parametrize("kind", LISTS)
def test_the_type_is_the_one_that_the_driver_gives(kind: str) -> None:
    _, items = LISTS[kind]
    ours, theirs = (_dumper(each, items) for each in (PlainLists, ListDumper))
    assert type(ours) is PlainLists
    assert ours.oid == theirs.oid


class Level(IntEnum):
    """A number with a name, which the driver writes as a number."""

    HIGH = 3


@pytest.mark.parametrize("items", [[Level.HIGH], [0.25], [["a"], ["b"]], ['"'], ["é"], ["\\"]])
def test_what_is_not_plain_is_left_to_the_driver(items: list[object]) -> None:
    assert _dumper(PlainLists, items).dump(items) == _dumper(ListDumper, items).dump(items)


def test_a_text_that_no_column_can_hold_is_refused() -> None:
    with pytest.raises(psycopg.DataError, match="NUL"):
        _dumper(PlainLists, ["a\0b"]).dump(["a\0b"])


def _dumper(kind: type[ListDumper], items: Sequence[object]) -> ListDumper:
    transformer = Transformer()
    transformer.adapters.register_dumper(list, kind)
    found = transformer.get_dumper(items, PyFormat.AUTO)
    assert isinstance(found, ListDumper)
    return found
