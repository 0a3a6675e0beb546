"""What tests of payloads begin with: an attempt whose output is kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from watchfloor.payloads.contract import Attempt


class Stage:
    """An attempt, what it printed, the checkpoint that it saved."""

    def __init__(self) -> None:
        self.printed: dict[str, bytes] = defaultdict(bytes)
        self.saved: list[Mapping[str, Any]] = []

    def attempt(self, **values: Any) -> Attempt:
        facts: dict[str, Any] = {
            "run_id": 42, "uuid": UUID(int=7), "attempt": 1, "job": "nightly",
            "scheduled_for": datetime(2026, 1, 1, tzinfo=UTC), "output": self.output, **values,
        }  # fmt: skip
        return Attempt(**facts)

    async def load(self) -> Mapping[str, Any] | None:
        return self.saved[-1] if self.saved else None

    async def save(self, value: Mapping[str, Any]) -> None:
        self.saved.append(value)

    async def output(self, stream: str, chunk: bytes) -> None:
        self.printed[stream] += chunk


@pytest.fixture
def stage() -> Stage:
    return Stage()
