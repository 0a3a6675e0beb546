"""What this node knows to be stored of the latest facts, so that what did not change is not stored again.

Facts of a service without figures of its own change seldom, and are found every few seconds. This module must never
take for stored what another node may have overwritten: whoever shares services out anew has it `forget`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from watchfloor.store.jsonb import dumps
from watchfloor.store.results import FactRow


class KnownFacts:
    """The latest facts of every service that this node stored, as one number each."""

    def __init__(self) -> None:
        self._stored: dict[int, int] = {}

    def news(self, rows: Sequence[FactRow]) -> dict[int, int]:
        """The services whose rows must be stored, to be handed to `keep` once they are; figures always must."""
        found = {row[0]: hash((dumps(row[2]), bool(row[3]))) for row in rows}
        return {row[0]: found[row[0]] for row in rows if row[3] or self._stored.get(row[0]) != found[row[0]]}

    def keep(self, news: Mapping[int, int]) -> None:
        """These are stored."""
        self._stored.update(news)

    def forget(self) -> None:
        """Nothing is certain any more."""
        self._stored.clear()
