"""Work of children in the process of the test, where it is quick and can be looked at; the contract runs real ones."""

from __future__ import annotations

from typing import Any

from watchfloor.payloads.child_side import Out


class Heard(Out):
    """Keeps what a child would tell its parent."""

    def __init__(self) -> None:
        super().__init__(-1)
        self.told: list[dict[str, Any]] = []

    def _tell(self, told: dict[str, Any]) -> None:
        self.told.append(told)

    @property
    def said(self) -> list[str]:
        """The lines for the log."""
        return [each["say"] for each in self.told if "say" in each]

    @property
    def given(self) -> list[Any]:
        """The values."""
        return [each["give"] for each in self.told if "give" in each]
