"""What rules can ask: values of every kind against plain counting, what no data is, and words people read."""

from __future__ import annotations

import json
import re
from math import isfinite, sin
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.conditions import Condition, condition_from
from watchfloor.domain.durations import parse_duration
from watchfloor.domain.forecast import time_to_threshold
from watchfloor.domain.judging import NoData, Operator, Threshold
from watchfloor.domain.objectives import BURN_WINDOWS, DAY_S, Burn, Objective, burning_policies
from watchfloor.domain.questions import KINDS
from watchfloor.domain.questions.absence import Absence
from watchfloor.domain.questions.anomaly import Anomaly
from watchfloor.domain.questions.burn import BurnRate
from watchfloor.domain.questions.certificate import Certificate
from watchfloor.domain.questions.forecast import Forecast
from watchfloor.domain.questions.jobs import JobRun, Jobs, Measure
from watchfloor.domain.questions.logs import Logs
from watchfloor.domain.questions.metric import Metric
from watchfloor.domain.questions.question import Question
from watchfloor.domain.questions.rate import PERS, Rate
from watchfloor.domain.questions.unknown import Unknown
from watchfloor.domain.severity import Severity

QUESTIONS: tuple[Question, ...] = (
    Metric("load"),
    Rate("sent", 300.0, "minute", counter=True),
    Absence("cpu"),
    Logs(60.0, 17, "refused", "code=5..", ("web*",), ("a",)),
    Jobs(Measure.SHARE, ("back*",), 3_600.0, 5),
    Certificate(),
    BurnRate(("1h", "6h"), ("web",)),
    Forecast("disk", 5.0, rising=False),
    Anomaly("latency", 900.0, 4.0),
    Unknown(),
)


def test_every_kind_is_among_them() -> None:
    assert sorted(KINDS) == sorted(each.kind for each in QUESTIONS)


@pytest.mark.parametrize("asks", QUESTIONS, ids=lambda each: each.kind)
def test_a_condition_survives_the_database(asks: Question) -> None:
    threshold = Threshold(Operator.GT, (5.0,), (4.0,), (9.0,), 60.0, 10.0, NoData.FIRE)
    condition = Condition(asks, threshold, 30.0, 20, "thresholds.cpu")
    assert condition_from(asks.kind, json.loads(json.dumps(condition.spec())), 60.0) == condition


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="no kind of rule 'guess'"):
        condition_from("guess", Condition(Metric("x"), Threshold(Operator.GT, (1.0,), (1.0,))).spec(), 0.0)


def test_a_threshold_of_the_settings_is_the_one_in_force() -> None:
    written = Condition(Metric("cpu"), Threshold(Operator.GTE, (0.0,), (0.0,)), settings="thresholds.cpu")
    settings = {"thresholds.cpu.warning": 70.0, "thresholds.cpu.critical": 90.0, "alerts.rule_limit": 7}
    assert written.in_force(settings).limit == 7
    found = written.in_force(settings).threshold
    assert (found.fire, found.clear, found.critical) == ((70.0,), (70.0,), (90.0,))


@pytest.mark.parametrize("asks", QUESTIONS, ids=lambda each: each.kind)
def test_every_kind_has_words_for_its_title_for_a_value_and_for_none(asks: Question) -> None:
    threshold = Threshold(Operator.GT, (60.0,), (60.0,))
    said = [asks.words(threshold), asks.says(12.0), asks.says(None)]
    assert all(said)
    assert all(text.isprintable() for text in said)
    assert said[1] != said[2]


@given(st.floats(-1e6, 1e6), st.integers(1, 50), st.sampled_from(list(PERS)))
def test_the_rate_of_a_line_is_its_slope(slope: float, step: int, per: str) -> None:
    points = [(float(t), slope * t / PERS[per]) for t in range(0, 301, step)]
    found = Rate("x", 300.0, per).value(points, 300.0)
    if points[-1][0] < 150 or len(points) < 2:
        assert found is None
    else:
        assert found == pytest.approx(slope, rel=1e-6, abs=1e-6)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 1000)), min_size=2, max_size=40))
def test_a_counter_that_began_anew_grew_by_what_it_shows(steps: list[tuple[bool, int]]) -> None:
    level, grown, points = 0, 0, []
    for n, (anew, by) in enumerate(steps):
        before = level
        level = by if anew and by < level else level + by
        if n:
            grown += by if level < before or level == before + by else level
        points.append((float(n), float(level)))
    span = points[-1][0]
    found = Rate("x", span, "second", counter=True).value(points, span)
    assert found == pytest.approx(grown / span)


def test_readings_that_cover_too_little_say_nothing_about_a_rate() -> None:
    rate = Rate("x", 60.0)
    assert rate.value([(40.0, 1.0), (60.0, 2.0)], 60.0) is None
    assert rate.value([(30.0, 1.0), (60.0, 31.0)], 60.0) == 1.0
    assert rate.value([(-30.0, 1.0), (60.0, 31.0)], 60.0) is None  # one of them is too old


RUNS = st.lists(
    st.builds(
        lambda start, took, good: JobRun(float(start), None if took is None else float(start + took), good),
        st.integers(0, 500),
        st.none() | st.integers(0, 100),
        st.booleans(),
    ),
    max_size=20,
    unique_by=(
        lambda run: run.started,
        lambda run: run.finished if run.finished is not None else -run.started,
    ),
)


@given(RUNS, st.integers(0, 700))
def test_measures_of_jobs_agree_with_plain_counting(runs: list[JobRun], now: int) -> None:
    ended = [r for r in runs if r.finished is not None and r.finished <= now]
    last_good = max((r.finished or 0 for r in ended if r.succeeded), default=None)
    failures = sum(not r.succeeded and (last_good is None or (r.finished or 0) > last_good) for r in ended)
    assert Jobs(Measure.FAILURES).value(runs, now, 0.0) == failures
    assert Jobs(Measure.UNSUCCESSFUL).value(runs, now, 0.0) == now - (last_good or 0)
    recent = [r.succeeded for r in ended if (r.finished or 0) > now - 100]
    share = Jobs(Measure.SHARE, (), 100.0, 2).value(runs, now, 0.0)
    assert share == (100 * recent.count(False) / len(recent) if len(recent) >= 2 else None)
    latest = max((r for r in runs if r.started <= now), key=lambda r: r.started, default=None)
    took = Jobs(Measure.DURATION).value(runs, now, 0.0)
    if latest is None:
        assert took is None
    elif latest.finished is None or latest.finished > now:
        assert took == now - latest.started
    else:
        assert took == latest.finished - latest.started


BURNS = st.builds(Burn, st.none() | st.floats(0, 100), st.integers(0, 20), st.integers(0, 20))


@given(st.fixed_dictionaries(dict.fromkeys(BURN_WINDOWS, BURNS)))
def test_a_burn_rate_is_above_one_exactly_where_a_policy_is_exceeded(burns: dict[float, Burn]) -> None:
    promise = Objective(1, "web", 0.99, 30 * DAY_S)
    exceeded = burning_policies(promise, burns)
    value, severity = BurnRate().value(promise, burns)
    assert (value is not None and value > 1) == bool(exceeded)
    if exceeded:
        urgent = any(policy.urgent for policy in exceeded)
        assert severity is (Severity.CRITICAL if urgent else Severity.WARNING)
    only, _ = BurnRate(("3d",)).value(promise, burns)
    assert (only is not None and only > 1) == ("3d" in [policy.name for policy in exceeded])


@given(st.floats(10, 95), st.floats(0.1, 20))
def test_a_forecast_of_a_line_is_when_it_arrives(level: float, per_hour: float) -> None:
    points = [(60.0 * n, level + per_hour * n / 60) for n in range(-60, 1)]
    found = Forecast("disk", 100.0).value(points, 0.0)
    away = (100 - level) / per_hour * 3_600
    assert found is None or found == pytest.approx(away, rel=0.01)
    assert found is not None or away > 3.9 * 3_600  # too far ahead for an hour of readings
    assert Forecast("disk", 100.0, rising=False).value(points, 0.0) == 0.0
    assert Forecast("disk", 0.0, rising=False).value(points, 0.0) is None


def test_a_forecast_says_between_when_and_when_it_holds_four_times_in_five() -> None:
    chance = Random(3)
    points = [(60.0 * n, 80 + n / 20 + chance.gauss(0, 0.5)) for n in range(-120, 1)]
    value, interval = Forecast("disk", 100.0).foretold(points, 0.0)
    crossing = time_to_threshold(points, 100.0)
    assert value is not None
    assert crossing is not None
    found = re.fullmatch(r"four times in five between (\S+) and (\S+)", interval)
    assert found is not None, interval
    earliest, latest = (parse_duration(each) for each in found.groups())
    assert earliest < value < latest
    assert earliest == pytest.approx(crossing.earliest, abs=30)
    assert latest == pytest.approx(crossing.latest, abs=30)
    assert Forecast("disk", 100.0).foretold([(0.0, 100.0)], 0.0) == (0.0, "")
    assert Forecast("disk", 100.0).foretold([], 0.0) == (None, "")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(14.0, "10s"), (3_594.0, "59m50s"), (18_042.0, "5h1m"), (100_000.0, "1d4h"), (0.0, "0s")],
)
def test_a_forecast_is_told_no_more_exactly_than_it_is_known(seconds: float, words: str) -> None:
    said = Forecast("disk", 100.0).says(seconds)
    assert said == ("disk has reached 100" if seconds <= 0 else f"disk reaches 100 in about {words}")


def test_a_forecast_abstains_where_nothing_leads_there() -> None:
    chance = Random(7)
    noise = [(60.0 * n, 50 + chance.gauss(0, 5)) for n in range(-120, 1)]
    assert Forecast("disk", 100.0).value(noise, 0.0) is None
    assert Forecast("disk", 100.0).value([], 0.0) is None
    assert Forecast("disk", 100.0).value([(0.0, 100.0)], 0.0) == 0.0


@given(st.lists(st.floats(0, 1e3), min_size=3, max_size=30), st.floats(1, 100), st.integers(3, 12))
def test_the_share_of_unusual_values_is_a_share_and_knows_no_units(
    values: list[float], scale: float, days: int
) -> None:
    now = 100 * DAY_S
    recent = [(now - n, v) for n, v in enumerate(values)]
    past = [(now - DAY_S * (n + 1), 100 + 10 * sin(n)) for n in range(days)]
    found = Anomaly("x", 900.0).value(recent, past, now)
    assert found is not None
    assert 0 <= found <= 100
    assert isfinite(found)
    scaled = Anomaly("x", 900.0).value(
        [(t, v * scale) for t, v in recent], [(t, v * scale) for t, v in past], now
    )
    assert scaled == pytest.approx(found, abs=100 / len(values))


def test_what_never_moved_may_move_a_little_and_too_little_history_says_nothing() -> None:
    now = 100 * DAY_S
    past = [(now - DAY_S * (n + 1), 100.0) for n in range(4)]
    asks = Anomaly("x", 900.0)
    assert asks.value([(now - n, 101.0) for n in range(5)], past, now) == 0.0
    assert asks.value([(now - n, 110.0) for n in range(5)], past, now) == 100.0
    assert asks.value([(now - n, 110.0) for n in range(5)], past[:2], now) is None
    assert asks.value([(now, 110.0), (now - 1, 110.0)], past, now) is None


def test_absence_counts_from_when_something_is_known_at_the_earliest() -> None:
    assert Absence().value([], 100.0, 40.0) == 60.0
    assert Absence().value([10.0], 100.0, 40.0) == 60.0
    assert Absence().value([50.0], 100.0, 40.0) == 50.0
    assert Absence().value([], 10.0, 40.0) == 0.0


def test_a_rule_that_is_not_about_services_says_what_it_is_about() -> None:
    assert Jobs(Measure.FAILURES).scope == "every job"
    assert Jobs(Measure.FAILURES, ("backup-*", "report")).scope == "job backup-* or report"
    assert Logs(60.0).scope == "records of the log"
    assert Logs(60.0, sources=("web*",), nodes=("a", "b")).scope == "records of web*, node a or b"
    assert Metric("load").scope == ""


def test_great_values_are_told_in_full() -> None:
    free = Threshold(Operator.LT, (10_737_418_240.0,), (10_737_418_240.0,))
    assert Metric("free").words(free).split("below ")[1].split() == ["10", "737", "418", "240"]
    assert "e+" not in Metric("free").says(1_795_833_092.4)
    assert Metric("load").says(0.25) == "load is 0.25"
