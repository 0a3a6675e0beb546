"""Fixtures of the tests that need a database: a fresh, migrated one per test, on the servers that are there.

A database is a copy of a template that is migrated once per session and server, so it costs a few hundredths of a
second. Tests import the fixtures into the ``conftest.py`` of their room.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from support.waiting import until_now
from watchfloor.store.database import Database
from watchfloor.store.embedded import Embedded
from watchfloor.store.schema import ensure_schema

VARIABLE = "WATCHFLOOR_TEST_POSTGRES"
SYSTEM = os.environ.get(VARIABLE, "host=127.0.0.1 user=postgres")

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL server that tests may make databases in; ``dsn`` leads to one that is left alone."""

    name: str
    dsn: str

    def at(self, database: str) -> str:
        """The address of another database of this server."""
        return make_conninfo(self.dsn, dbname=database)

    def run(self, statement: str, database: str) -> None:
        """Carry out a statement that names a database, outside of any transaction."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(database)))  # type: ignore[arg-type]

    def create(self, template: str = "template1") -> str:
        """A new database; returns its address."""
        name = f"wf_test_{uuid4().hex[:16]}"
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        return self.at(name)

    def drop(self, dsn: str) -> None:
        """Remove a database and whoever is connected to it."""
        gc.collect()  # of a connection attempt that was cancelled: the server would wait a minute for its end
        until_now(lambda: self._dropped(name_of(dsn)))

    def _dropped(self, name: str) -> bool:
        """Try to remove a database; not while the server itself is in it to clean up, which nobody else may end."""
        try:
            self.run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        except psycopg.errors.InsufficientPrivilege as error:
            if "terminate process" not in str(error):
                raise
            return False
        return True


def name_of(dsn: str) -> str:
    """The name of the database that an address leads to."""
    return str(conninfo_to_dict(dsn)["dbname"])


def in_loop(work: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
    """Run a coroutine on a loop of its own, for fixtures and tests that are not asynchronous."""
    return asyncio.run(work())


@cache
def _system() -> str:
    """Why the system's server cannot be used; empty when it can."""
    try:
        with psycopg.connect(SYSTEM, connect_timeout=3):
            return ""
    except psycopg.OperationalError as error:
        return f"no PostgreSQL at {VARIABLE} ({SYSTEM}): {str(error).splitlines()[0]}"


def system_server() -> Server:
    """The system's own server; skips the test where there is none, fails it in CI."""
    if trouble := _system():
        if os.environ.get("CI"):
            pytest.fail(trouble)
        pytest.skip(trouble)
    return Server("system", SYSTEM)


_templates: dict[str, str] = {}


@pytest.fixture(params=["embedded", "system"])
def server(request: pytest.FixtureRequest) -> Server:
    """Every server that the suite runs on, one after the other."""
    if request.param == "system":
        return system_server()
    embedded: Embedded = request.getfixturevalue("embedded")
    return Server("embedded", embedded.dsn)


@pytest.fixture(scope="session")
def _drop_templates() -> Iterator[None]:
    yield
    for dsn, name in _templates.items():
        try:
            Server("", dsn).run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        except psycopg.OperationalError:
            continue  # an embedded server that was stopped took its databases with it
    _templates.clear()


def _template(server: Server) -> str:
    if server.dsn not in _templates:
        dsn = server.create()

        async def migrate() -> None:
            database = Database(dsn, name="template")
            await ensure_schema(database)
            await database.close()

        in_loop(migrate)
        _templates[server.dsn] = name_of(dsn)
    return _templates[server.dsn]


@pytest.fixture
def empty_dsn(server: Server) -> Iterator[str]:
    """The address of a fresh database that holds nothing at all."""
    dsn = server.create()
    yield dsn
    server.drop(dsn)


@pytest.fixture
def dsn(server: Server, _drop_templates: None) -> Iterator[str]:
    """The address of a fresh database with the tables of this program."""
    made = server.create(_template(server))
    yield made
    server.drop(made)


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """A fresh database with the tables of this program, on the loop of the test."""
    opened = Database(dsn, name="test")
    yield opened
    await opened.close()
