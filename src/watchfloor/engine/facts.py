"""What this node knows to be stored of the latest facts, so that what did not change is not stored again.

Facts of a service without figures of its own change seldom, and are found every few seconds. This module must never
take for stored what another node may have overwritten: whoever shares services out anew has it `forget`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from watchfloor.store.jsonb import dumps
from watchfloor.store.results import FactRow


class KnownFacts:
    """The latest facts of every service that this node stored, as one number each; None where figures are with them."""

    def __init__(self) -> None:
        self._stored: dict[int, int | None] = {}

    def news(self, rows: Sequence[FactRow]) -> dict[int, int | None]:
        """The services whose rows must be stored, to be handed to `keep` once they are; figures always must."""
        found = {row[0]: None if row[3] else hash(dumps(row[2])) for row in rows}
        return {each: seen for each, seen in found.items() if seen is None or self._stored.get(each) != seen}

    def keep(self, news: Mapping[int, int | None]) -> None:
        """These are stored."""
        self._stored.update(news)

    def forget(self) -> None:
        """Nothing is certain any more."""
        self._stored.clear()
