"""Facts that did not change are not stored again; what may have been overwritten is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from watchfloor.engine.facts import KnownFacts
from watchfloor.store.results import FactRow

AT = datetime(2026, 11, 28, tzinfo=UTC)


def row(service_id: int, metrics: dict[str, float] | None = None, **facts: Any) -> FactRow:
    return (service_id, AT, facts, metrics or {})


def test_what_is_stored_is_no_news_until_it_changes() -> None:
    known = KnownFacts()
    first = known.news([row(1, size=3), row(2, size=3)])
    assert first.keys() == {1, 2}
    known.keep(first)
    assert known.news([row(1, size=3), row(2, size=4)]).keys() == {2}


def test_what_was_not_stored_after_all_is_news_again() -> None:
    known = KnownFacts()
    known.news([row(1, size=3)])  # and its transaction failed
    assert known.news([row(1, size=3)]).keys() == {1}


def test_figures_are_always_news() -> None:
    known = KnownFacts()
    known.keep(known.news([row(1, {"cpu": 1.0}, cores=2)]))
    assert known.news([row(1, {"cpu": 1.0}, cores=2)]).keys() == {1}


def test_facts_whose_figures_ended_are_news() -> None:
    known = KnownFacts()
    known.keep(known.news([row(1, {"cpu": 1.0}, cores=2)]))
    assert known.news([row(1, cores=2)]).keys() == {1}


def test_after_forgetting_everything_is_news() -> None:
    known = KnownFacts()
    known.keep(known.news([row(1, size=3)]))
    known.forget()
    assert known.news([row(1, size=3)]).keys() == {1}
