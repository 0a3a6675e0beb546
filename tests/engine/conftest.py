"""Fixtures of the tests of the engine: a fresh database per test on the embedded server, everything brisk."""

import pytest

from support.databases import Server, _drop_templates, database, dsn
from support.engines import Stage, brisk
from watchfloor.store.embedded import Embedded

__all__ = ["_drop_templates", "brisk", "database", "dsn"]


@pytest.fixture
def server(embedded: Embedded) -> Server:
    """The server of the engines; the store is held to other versions by its own suite."""
    return Server("embedded", embedded.dsn)


@pytest.fixture
def stage() -> Stage:
    """What fake checks find and fake channels do."""
    return Stage()
