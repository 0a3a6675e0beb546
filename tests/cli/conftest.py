"""Fixtures of the tests of the command line: a database per test, on every server that is there."""

from support.databases import _drop_templates, database, dsn, empty_dsn, server

__all__ = ["_drop_templates", "database", "dsn", "empty_dsn", "server"]
