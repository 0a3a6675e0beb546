"""Options and fixtures of the console's tests: how many random keys, from which seed, on which database."""

from __future__ import annotations

import pytest

from support.databases import Server, _drop_templates, dsn
from watchfloor.store.embedded import Embedded

__all__ = ["_drop_templates", "dsn"]

LONG = 1_000_000


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known when the tests are run as ``pytest tests/console``; a run of the whole suite takes the defaults."""
    group = parser.getgroup("console")
    group.addoption("--fuzz-long", action="store_true", help=f"press {LONG:,} random keys")
    group.addoption("--fuzz-keys", type=int, default=0, help="press so many random keys")
    group.addoption("--fuzz-seed", type=int, default=20, help="the seed of the hands (default: 20)")


@pytest.fixture
def fuzz_keys(request: pytest.FixtureRequest) -> int:
    """So many random keys were asked for; 0: none in particular."""
    asked = request.config.getoption("--fuzz-keys", default=0)
    return int(asked) or (LONG if request.config.getoption("--fuzz-long", default=False) else 0)


@pytest.fixture
def fuzz_seed(request: pytest.FixtureRequest) -> int:
    """The seed from which every key follows."""
    return int(request.config.getoption("--fuzz-seed", default=20))


@pytest.fixture
def server(embedded: Embedded) -> Server:
    """The console needs any database, not every one."""
    return Server("embedded", embedded.dsn)
