"""Who only looks changes nothing: every operation of a person refuses before it touches the database."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from watchfloor import operations
from watchfloor.operations.actor import Actor, Refused

LOOKS_ONLY = {"look", "save_preference"}
"""Remembers how somebody likes to look, and at what somebody has looked."""


def of_people() -> list[Callable[..., Any]]:
    """Every operation that names an actor."""
    modules = [
        import_module(f"{operations.__name__}.{each.name}")
        for each in pkgutil.iter_modules(operations.__path__)
    ]
    return [
        function
        for module in modules
        for name, function in inspect.getmembers(module, inspect.iscoroutinefunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and {"database", "actor"} <= set(inspect.signature(function).parameters)
        and name not in LOOKS_ONLY
    ]


def test_there_are_operations_to_try() -> None:
    names = {function.__name__ for function in of_people()}
    assert names >= {"acknowledge", "unacknowledge", "resolve", "set_paused", "check_now", "change", "reset"}


class Untouchable:
    """A database that fails whoever uses it."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the database was asked for {name}")


@pytest.mark.parametrize("operation", of_people(), ids=lambda each: f"{each.__module__}.{each.__name__}")
async def test_it_refuses_somebody_who_only_looks(operation: Callable[..., Any]) -> None:
    needed = [
        name
        for name, parameter in inspect.signature(operation).parameters.items()
        if parameter.default is inspect.Parameter.empty
    ]
    given: dict[str, object] = dict.fromkeys(needed, "") | {
        "database": Untouchable(),
        "actor": Actor("guest", read_only=True),
    }
    with pytest.raises(Refused, match="read-only"):
        await operation(**given)
