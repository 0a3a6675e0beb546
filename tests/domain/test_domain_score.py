"""Groups of services and their health score: the formula is what it says, whatever is in the group."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.boards import HealthRow
from watchfloor.domain.grouping import By, groups
from watchfloor.domain.outcome import Status
from watchfloor.domain.score import COSTS, LEFT_OUT, score, standing

OK = HealthRow(
    id=1, name="a", kind="http", group="shop", tags=(), hard=Status.OK, status=Status.OK, soft=False, attempt=0,
    max_attempts=3, latency=None, recent=b"", uptime_24h=None, since=None, checked_at=None, every=30.0, paused=False,
    summary="", alert_id=None, acknowledged=False,
)  # fmt: skip


def row(status: Status | None = Status.OK, **values: object) -> HealthRow:
    return replace(OK, hard=status, status=status, **values)  # type: ignore[arg-type]


def test_each_service_stands_one_way_and_the_gravest_counts() -> None:
    assert [
        standing(each)
        for each in (
            row(),
            row(Status.DEGRADED),
            row(Status.FAILING),
            row(Status.FAILING, root="router"),
            row(Status.OK, flapping=True),
            row(Status.FAILING, flapping=True),
            row(Status.FAILING, planned=True),
            row(Status.FAILING, paused=True),
            row(None),
            row(Status.UNKNOWN),
        )
    ] == [
        "ok", "degraded", "failing", "out of reach", "flapping", "failing", "planned", "paused", "pending", "unknown",
    ]  # fmt: skip


def test_the_formula_says_what_was_added_up() -> None:
    found = score([row(), row(), row(Status.FAILING), row(Status.DEGRADED), row(Status.OK, planned=True)])
    assert found.value == 62
    assert found.formula == "100 × (1 - (1 failing × 1 + 1 degraded × 0.5) / 4) = 62"
    assert found.left_out == "1 planned"
    assert score([row()]).formula == "100 × (1 - 0 / 1) = 100"


def test_where_nothing_counts_there_is_no_score() -> None:
    for rows in ([], [row(None)], [row(Status.FAILING, paused=True), row(Status.UNKNOWN)]):
        assert score(rows).value is None
        assert score(rows).formula == "no score: nothing in it counts"


@given(st.lists(st.sampled_from([*COSTS, *LEFT_OUT]), max_size=300))
def test_a_score_is_100_only_without_any_fault_and_never_beyond_its_ends(standings: list[str]) -> None:
    make = {
        "failing": row(Status.FAILING), "out of reach": row(Status.FAILING, root="x"), "flapping": row(flapping=True),
        "degraded": row(Status.DEGRADED), "ok": row(), "planned": row(planned=True), "paused": row(paused=True),
        "pending": row(None), "unknown": row(Status.UNKNOWN),
    }  # fmt: skip
    found = score([make[each] for each in standings])
    counted = [COSTS[each] for each in standings if each in COSTS]
    if not counted:
        assert found.value is None
        return
    assert found.value is not None
    assert 0 <= found.value <= 100
    assert (found.value == 100) is (sum(counted) == 0)
    assert (found.value == 0) is (100 * (1 - sum(counted) / len(counted)) < 1)
    assert sum(found.standings.values()) == len(standings)


def test_groups_stand_in_the_order_of_their_first_service_and_tags_put_one_into_several() -> None:
    rows = [
        row(Status.FAILING, id=1, group="b", tags=("x", "y")),
        row(id=2, group="a", tags=("y",)),
        row(id=3, group="b", environment="staging"),
    ]
    assert [(each.title, len(each.rows)) for each in groups(rows, By.GROUP)] == [("b", 2), ("a", 1)]
    assert [(each.title, len(each.rows)) for each in groups(rows, By.TAG)] == [
        ("x", 1),
        ("y", 2),
        ("no tag", 1),
    ]
    assert [each.title for each in groups(rows, By.STATE)] == ["failing", "ok"]
    assert [each.title for each in groups(rows, By.ENVIRONMENT)] == ["no environment", "staging"]
    assert [each.title for each in groups(rows, By.KIND)] == ["http"]
