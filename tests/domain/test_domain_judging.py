"""Rules on measured values: when they are true, since when they fire, and what lack of data does to their clocks."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.make import EPOCH, at
from watchfloor.domain.judging import NEVER, NoData, Operator, Standing, Threshold, holds, judge, misplaced

STEP = 10


def threshold(**values: object) -> Threshold:
    """Above 90 fires, at most 80 clears."""
    wanted: dict[str, object] = {
        "operator": Operator.GT,
        "fire": (90.0,),
        "clear": (80.0,),
        **values,
    }
    return Threshold(**wanted)  # type: ignore[arg-type]


def run(asked: Threshold, *values: float | None) -> list[Standing]:
    """The standings of values that are found every ten seconds."""
    found, standing = [], NEVER
    for tick, value in enumerate(values):
        standing = judge(asked, standing, value, at(tick * STEP))
        found.append(standing)
    return found


def firing(asked: Threshold, *values: float | None) -> str:
    """One letter per value: F where the rule fires, p where it waits, a dot where it does neither."""
    return "".join("F" if s.firing else "p" if s.since else "." for s in run(asked, *values))


@pytest.mark.parametrize(
    ("operator", "bounds", "true", "false"),
    [
        (Operator.GT, (5.0,), 5.1, 5.0),
        (Operator.GTE, (5.0,), 5.0, 4.9),
        (Operator.LT, (5.0,), 4.9, 5.0),
        (Operator.LTE, (5.0,), 5.0, 5.1),
        (Operator.EQ, (5.0,), 5.0, 5.1),
        (Operator.NE, (5.0,), 5.1, 5.0),
        (Operator.BETWEEN, (5.0, 6.0), 6.0, 6.1),
    ],
)
def test_operators(operator: Operator, bounds: tuple[float, ...], true: float, false: float) -> None:
    assert holds(operator, true, bounds)
    assert not holds(operator, false, bounds)


def test_what_began_goes_on_until_the_clear_value() -> None:
    assert firing(threshold(), 85, 91, 85, 81, 80, 85, 91) == ".FFF..F"


def test_it_waits_as_long_as_it_must_and_a_good_value_starts_it_anew() -> None:
    assert firing(threshold(for_s=20), 91, 91, 70, 91, 91, 91) == "pp.ppF"


def test_the_clear_value_does_not_keep_a_wait_going() -> None:
    assert firing(threshold(for_s=20), 91, 85, 91, 91, 91) == "p.ppF"


def test_it_goes_on_for_a_while_after_it_was_last_true() -> None:
    assert firing(threshold(keep_firing_s=20), 91, 70, 91, 70, 70, 70) == "FFFF.."


@pytest.mark.parametrize(
    ("no_data", "wait", "expected"),
    [(NoData.KEEP, 20, "pppFFF."), (NoData.OK, 0, "F.FF.F."), (NoData.FIRE, 20, "ppFFFF.")],
)
def test_what_lack_of_data_means(no_data: NoData, wait: int, expected: str) -> None:
    values = (91, None, 91, 91, None, 91, 70)
    assert firing(threshold(for_s=wait, no_data=no_data), *values) == expected


def test_a_value_that_is_no_number_is_no_data() -> None:
    assert firing(threshold(no_data=NoData.FIRE), float("nan"), 70, float("inf")) == "F.F"


def test_after_an_outage_a_wait_goes_on_with_the_grace_of_a_restart() -> None:
    asked = threshold(for_s=1800)
    before = judge(asked, NEVER, 91, at(0))
    before = Standing(at(600), before.since, at(600))
    back = judge(asked, before, 91, at(900))
    assert back.since == at(300)  # five minutes nobody knew: they do not count
    nearly = judge(asked, Standing(at(1300), at(0), at(1300)), 91, at(1500))
    assert (nearly.since, nearly.firing) == (at(1500 + 600 - 1800), False)  # ten minutes of grace
    assert judge(asked, Standing(at(1700), at(0), at(1700)), 91, at(1900)).firing  # it had waited long enough
    assert judge(asked, before, 91, at(600 + 3601)).since == at(600 + 3601)  # so long ago says nothing


def test_a_clock_that_goes_back_changes_nothing() -> None:
    standing = judge(threshold(), NEVER, 91, at(100))
    assert judge(threshold(), standing, 0, at(50)) == standing


@pytest.mark.parametrize(
    ("operator", "fire", "clear", "wrong"),
    [
        (Operator.GT, (90.0,), (91.0,), True),
        (Operator.GTE, (90.0,), (90.0,), False),
        (Operator.LT, (10.0,), (9.0,), True),
        (Operator.LTE, (10.0,), (12.0,), False),
        (Operator.EQ, (10.0,), (12.0,), True),
        (Operator.NE, (10.0,), (10.0,), False),
        (Operator.BETWEEN, (10.0, 20.0), (11.0, 25.0), True),
        (Operator.BETWEEN, (10.0, 20.0), (5.0, 25.0), False),
    ],
)
def test_a_clear_value_lies_on_its_own_side(
    operator: Operator, fire: tuple[float, ...], clear: tuple[float, ...], wrong: bool
) -> None:
    assert bool(misplaced(operator, fire, clear)) is wrong


def test_an_outage_is_longer_where_a_rule_looks_less_often() -> None:
    asked = threshold(for_s=1800)
    before = judge(asked, NEVER, 91, at(0))
    assert judge(asked, before, 91, at(900)).since == at(900)
    assert judge(asked, before, 91, at(900), timedelta(minutes=30)).since == at(0)


def test_critical_is_a_value_beyond_the_one_that_fires() -> None:
    asked = threshold(critical=(95.0,))
    assert [asked.is_critical(value) for value in (95.0, 95.1, None)] == [False, True, False]
    assert not threshold().is_critical(1e9)


def test_what_was_critical_stays_so_by_the_distance_between_fire_and_clear() -> None:
    falls = threshold(fire=(90.0,), clear=(85.0,), critical=(95.0,))
    assert [falls.is_critical(value, was=True) for value in (90.1, 90.0, None)] == [True, False, False]
    rises = threshold(operator=Operator.LTE, fire=(20.0,), clear=(25.0,), critical=(10.0,))
    assert [rises.is_critical(value, was=True) for value in (15.0, 15.1)] == [True, False]
    inside = threshold(operator=Operator.BETWEEN, fire=(4.0, 6.0), clear=(3.0, 6.5), critical=(4.75, 5.25))
    assert [inside.is_critical(value, was=True) for value in (3.75, 3.5, 5.75, 6.0)] == [
        True,
        False,
        True,
        False,
    ]
    plain = threshold(clear=(90.0,), critical=(95.0,))
    assert not plain.is_critical(95.0, was=True)


def naive(values: list[float | None], wait: int, keep: int, no_data: NoData) -> list[bool]:
    """The same, counted in steps: how many known steps in a row it was true, how long ago it was last true."""
    fires, row, quiet, found = False, 0, 0, []
    for value in values:
        if value is None and no_data is NoData.KEEP:
            quiet += 1
            found.append(fires)
            continue
        high = no_data is NoData.FIRE if value is None else value > (80 if fires else 90)
        if high:
            row, quiet = row + 1, 0
            fires = fires or row > wait
        else:
            quiet += 1
            if not (fires and quiet < keep):
                fires, row = False, 0
        found.append(fires)
    return found


VALUES = st.lists(st.sampled_from([70.0, 80.0, 85.0, 90.0, 95.0, None]), min_size=1, max_size=60)


@given(VALUES, st.integers(0, 5), st.integers(0, 5), st.sampled_from(NoData))
def test_it_agrees_with_one_that_counts(
    values: list[float | None], wait: int, keep: int, no_data: NoData
) -> None:
    asked = threshold(for_s=wait * STEP, keep_firing_s=keep * STEP, no_data=no_data)
    standings = run(asked, *values)
    assert [standing.firing for standing in standings] == naive(values, wait, keep, no_data)
    for before, after in pairwise(standings):
        assert after.at is not None
        assert before.at is not None
        assert after.at - before.at == timedelta(seconds=STEP)
        if before.firing and after.firing:
            assert after.since == before.since
    assert all(_in_order(standing) for standing in standings)


def _in_order(standing: Standing) -> bool:
    moments: list[datetime] = [m for m in (standing.since, standing.at) if m is not None]
    return moments == sorted(moments) and moments[-1] >= EPOCH
