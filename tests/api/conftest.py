"""Fixtures of the tests of the HTTP listener: a database per test on the embedded server."""

import pytest

from support.databases import Server, _drop_templates, database, dsn
from watchfloor.store.embedded import Embedded

__all__ = ["_drop_templates", "database", "dsn"]


@pytest.fixture
def server(embedded: Embedded) -> Server:
    """The server of these tests; the store is held to other versions by its own suite."""
    return Server("embedded", embedded.dsn)
