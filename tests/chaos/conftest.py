"""Options of the chaos tests: how long, and from which seed."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known when the tests are run as ``pytest tests/chaos``; a run of the whole suite takes the defaults."""
    group = parser.getgroup("chaos")
    group.addoption("--chaos-long", action="store_true", help="kill for as long as it takes to be sure")
    group.addoption("--chaos-seed", type=int, default=1, help="the seed of the plan (default: 1)")


@pytest.fixture
def chaos_long(request: pytest.FixtureRequest) -> bool:
    """Whether the long version was asked for."""
    return bool(request.config.getoption("--chaos-long", default=False))


@pytest.fixture
def chaos_seed(request: pytest.FixtureRequest) -> int:
    """The seed from which everything planned follows."""
    return int(request.config.getoption("--chaos-seed", default=1))
