"""Rules on metrics in the file: what is made of them, and every mistake with its place and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from watchfloor.config.describe import describe
from watchfloor.config.loader import load
from watchfloor.config.model import Loaded
from watchfloor.config.problems import render
from watchfloor.config.rule_kinds import MODELS
from watchfloor.config.rules_page import page
from watchfloor.domain.conditions import Condition
from watchfloor.domain.judging import NoData, Operator, Threshold
from watchfloor.domain.questions.absence import Absence
from watchfloor.domain.questions.anomaly import Anomaly
from watchfloor.domain.questions.burn import BurnRate
from watchfloor.domain.questions.certificate import Certificate
from watchfloor.domain.questions.forecast import Forecast
from watchfloor.domain.questions.jobs import Jobs, Measure
from watchfloor.domain.questions.logs import Logs
from watchfloor.domain.questions.metric import Metric
from watchfloor.domain.questions.rate import Rate
from watchfloor.domain.questions.unknown import Unknown
from watchfloor.domain.rules import BUILT_IN, OWN_RULES

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


def read(tmp_path: Path, keys: str, kind: str = "metric") -> Loaded:
    path = tmp_path / "config.yaml"
    path.write_text(f"rules:\n  - {{name: busy, kind: {kind}, {keys}}}\n")
    return load(path, {}, {}, {})


def test_a_rule_says_all_that_its_condition_needs(tmp_path: Path) -> None:
    keys = "metric: load, operator: gte, fire: 4, clear: 3, for: 5m, keep_firing_for: 1m, no_data: fire"
    keys += ", critical: 9, every: 1m, limit: 20"
    (rule,) = read(tmp_path, keys).required().rules
    threshold = Threshold(Operator.GTE, (4.0,), (3.0,), (9.0,), 300.0, 60.0, NoData.FIRE)
    assert rule.condition == Condition(Metric("load"), threshold, 60.0, 20)
    assert rule.statuses == frozenset()


def test_what_is_left_out_fires_above_and_clears_at_the_same_value(tmp_path: Path) -> None:
    (rule,) = read(tmp_path, "metric: latency, fire: 500").required().rules
    assert rule.condition == Condition(Metric("latency"), Threshold(Operator.GT, (500.0,), (500.0,)))


def test_a_range_is_left_at_wider_ends(tmp_path: Path) -> None:
    (rule,) = (
        read(tmp_path, "metric: load, operator: between, fire: [1, 2], clear: [0.5, 3]").required().rules
    )
    assert rule.condition is not None
    assert (rule.condition.threshold.fire, rule.condition.threshold.clear) == ((1.0, 2.0), (0.5, 3.0))


@pytest.mark.parametrize(
    ("keys", "place", "words"),
    [
        ("metric: load", "rules[0].fire", "this key is required"),
        ("fire: 4", "rules[0].metric", "this key is required"),
        ("metric: load, fire: 4, clear: 5", "rules[0].clear", "must not be above fire (4)"),
        ("metric: load, operator: lt, fire: 4, clear: 3", "rules[0].clear", "must not be below fire (4)"),
        ("metric: load, operator: eq, fire: 4, clear: 3", "rules[0].clear", "means nothing with eq"),
        ("metric: load, operator: between, fire: 4", "rules[0].fire", "takes two values"),
        ("metric: load, operator: between, fire: [5, 4]", "rules[0].fire", "the ends are crossed"),
        ("metric: load, fire: [4, 5]", "rules[0].fire", "takes one value"),
        ("metric: load, fire: much", "rules[0].fire", "a number, or two"),
        ("metric: load, fire: 4, critical: 3", "rules[0].critical", "as bad as fire or worse"),
        ("metric: load, fire: 4, limit: 0", "rules[0].limit", "from 1 to 10000"),
        ("metric: load, fire: 4, every: 1s", "rules[0].every", "from 10s"),
        ("metric: load, fire: 4, no_data: guess", "rules[0].no_data", "ok"),
        ("metric: load, fire: 4, operator: above", "rules[0].operator", "gt"),
        ("metric: load, fire: 4, when: {status: [failing]}", "rules[0].when.status", "unknown key"),
        ("metric: load, fire: 4, when: {services: [nobody]}", "rules[0].when.services[0]", "nobody"),
    ],
)
def test_a_mistake_has_its_place_and_says_what_would_be_right(
    tmp_path: Path, keys: str, place: str, words: str
) -> None:
    (text,) = render(read(tmp_path, keys).problems)
    assert place in text
    assert words in text


KINDS = {
    "rate": (
        "metric: sent, window: 10m, per: minute, counter: true, fire: 100",
        Rate("sent", 600.0, "minute", counter=True),
        "gt",
        100.0,
        30.0,
    ),
    "absence": ("metric: cpu, longer_than: 10m", Absence("cpu"), "gt", 600.0, 30.0),
    "logs": (
        "level: error, text: refused, pattern: 'code=5\\d\\d', sources: [web*], nodes: [a], window: 1m, at_least: 3",
        Logs(60.0, 17, "refused", r"code=5\d\d", ("web*",), ("a",)),
        "gte",
        3.0,
        30.0,
    ),
    "jobs": (
        "jobs: ['back*'], failures: 3",
        Jobs(Measure.FAILURES, ("back*",), 86_400.0, 3),
        "gte",
        3.0,
        30.0,
    ),
    "certificate": ("severity: warning", Certificate(), "lte", 21.0, 600.0),
    "burn": ("policies: [1h]", BurnRate(("1h",)), "gt", 1.0, 60.0),
    "forecast": ("metric: disk, reaches: 100", Forecast("disk", 100.0), "lte", 86_400.0, 600.0),
    "anomaly": ("metric: latency", Anomaly("latency", 900.0), "gt", 50.0, 60.0),
    "unknown": ("severity: warning", Unknown(), "gt", 0.0, 30.0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_what_it_asks_and_how_often(tmp_path: Path, kind: str) -> None:
    keys, asks, operator, fire, every = KINDS[kind]
    (rule,) = read(tmp_path, keys, kind).required().rules
    assert rule.condition is not None
    threshold = rule.condition.threshold
    assert (rule.condition.asks, threshold.operator, threshold.fire) == (asks, operator, (fire,))
    assert rule.condition.every_s == every


@pytest.mark.parametrize(
    ("keys", "measure", "fire"),
    [
        ("failed_percent: 50", Measure.SHARE, 50.0),
        ("not_succeeded_for: 2d", Measure.UNSUCCESSFUL, 172_800.0),
        ("longer_than: 1h", Measure.DURATION, 3_600.0),
    ],
)
def test_a_rule_on_jobs_has_one_measure(tmp_path: Path, keys: str, measure: Measure, fire: float) -> None:
    (rule,) = read(tmp_path, keys, "jobs").required().rules
    assert rule.condition is not None
    assert isinstance(rule.condition.asks, Jobs)
    assert (rule.condition.asks.measure, rule.condition.threshold.fire) == (measure, (fire,))


@pytest.mark.parametrize(
    ("kind", "keys", "place", "words"),
    [
        ("guess", "", "rules[0].kind", "state, metric, rate"),
        ("rate", "metric: sent, fire: 1, window: 0s", "rules[0].window", "from 10s"),
        ("rate", "metric: sent, fire: 1, window: 2d", "rules[0].window", "to 1d"),
        ("rate", "metric: sent, fire: 1, per: year", "rules[0].per", "day"),
        ("absence", "longer_than: 0s", "rules[0].longer_than", "from 10s"),
        ("absence", "metric: 'disk*', longer_than: 1h", "rules[0].metric", "a pattern"),
        ("absence", "", "rules[0].longer_than", "required"),
        ("logs", "pattern: '(a'", "rules[0].pattern", "pattern"),
        ("logs", "pattern: '(a)\\1'", "rules[0].pattern", "pattern"),
        ("logs", "pattern: '(a{1,999}){1,999}'", "rules[0].pattern", "pattern"),
        ("logs", "at_least: 0", "rules[0].at_least", "from 1"),
        ("logs", "when: {services: []}", "rules[0].when", "unknown key"),
        ("jobs", "failures: 3, longer_than: 1h", "rules[0]", "exactly one of failures"),
        ("jobs", "jobs: ['a*']", "rules[0]", "exactly one of failures"),
        ("jobs", "jobs: [nobody], failures: 3", "rules[0].jobs[0]", "there is no job in this file"),
        ("jobs", "not_succeeded_for: 0s", "rules[0].not_succeeded_for", "from 1m"),
        ("certificate", "operator: gt", "rules[0].operator", "lte"),
        ("certificate", "fire: 7, critical: 21", "rules[0].critical", "as bad as fire or worse"),
        ("burn", "objectives: [nobody]", "rules[0].objectives[0]", "there is no objective"),
        ("burn", "policies: [2h]", "rules[0].policies[0]", "1h"),
        ("forecast", "metric: disk", "rules[0].reaches", "required"),
        ("forecast", "metric: disk, reaches: 100, within: 0s", "rules[0].within", "from 10m"),
        ("anomaly", "metric: cpu, z: 0", "rules[0].z", "from 2"),
        ("anomaly", "metric: cpu, window: 0s", "rules[0].window", "from 1m"),
    ],
)
def test_every_kind_refuses_what_means_nothing(
    tmp_path: Path, kind: str, keys: str, place: str, words: str
) -> None:
    text = "\n".join(render(read(tmp_path, keys, kind).problems))
    assert place in text
    assert words in text


def test_a_rule_on_blind_checks_waits_a_quarter_of_an_hour_unless_it_says_otherwise(tmp_path: Path) -> None:
    waits = [read(tmp_path, keys, "unknown").required().rules[0] for keys in ("severity: info", "for: 2m")]
    assert [(each.for_s, each.condition and each.condition.threshold.for_s) for each in waits] == [
        (900.0, 900.0),
        (120.0, 120.0),
    ]


def test_a_default_gives_way_to_what_is_written(tmp_path: Path) -> None:
    """A certificate that fires at five days cannot be critical at seven."""
    (rule,) = read(tmp_path, "fire: 5", "certificate").required().rules
    assert rule.condition is not None
    assert rule.condition.threshold.critical == ()
    (rule,) = read(tmp_path, "metric: cpu, fire: 5", "anomaly").required().rules
    assert rule.condition is not None
    assert rule.condition.threshold.clear == (5.0,)


def test_a_pattern_that_would_take_for_ever_elsewhere_is_fine_here(tmp_path: Path) -> None:
    (rule,) = read(tmp_path, "pattern: '(a+)+$'", "logs").required().rules
    assert rule.condition is not None


def test_the_page_about_rules_is_up_to_date_and_tells_every_key() -> None:
    text = PAGE.read_text()
    assert text == page(), "run: python -m watchfloor.config.rules_page > docs/rules.md"
    for kind, model in MODELS.items():
        rows = describe(model)
        assert f"\n## {kind}\n" in text
        assert all(row.description for row in rows)
        assert all(f"| `{row.name}` |" in text for row in rows)


@pytest.mark.parametrize(
    ("written", "on"),
    [
        (
            "",
            {
                "cache hit rate",
                "slow queries",
                "slow queries in PostgreSQL",
                "dead runs",
                "checks that find nothing out",
            },
        ),
        ("default_rules: []", set()),
        ("default_rules: [slow queries]", {"slow queries"}),
    ],
)
def test_rules_of_the_product_are_on_unless_the_file_says_otherwise(
    tmp_path: Path, written: str, on: set[str]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"services: []\n{written}\n")
    assert load(path, {}, {}, {}).required().default_rules == on


@pytest.mark.parametrize(
    ("written", "place", "words"),
    [
        ("default_rules: [slow query]", "default_rules[0]", "slow queries"),
        ("default_rules: false", "default_rules", "must be a list"),
    ],
)
def test_a_default_rule_that_does_not_exist_is_a_mistake(
    tmp_path: Path, written: str, place: str, words: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"{written}\n")
    (text,) = render(load(path, {}, {}, {}).problems)
    assert place in text
    assert words in text


@pytest.mark.parametrize("name", [BUILT_IN, *OWN_RULES])
def test_names_of_the_product_are_not_to_be_had(tmp_path: Path, name: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"rules:\n  - {{name: {name}, kind: metric, metric: cpu, fire: 1}}\n")
    (text,) = render(load(path, {}, {}, {}).problems)
    assert "belongs to the built-in rule" in text


def test_labels_and_a_category_are_carried_by_alerts(tmp_path: Path) -> None:
    keys = "metric: cpu, fire: 1, category: capacity, labels: {team: web, cost.centre: '42'}"
    keys += ", runbook: 'https://wiki.example/cpu'"
    (rule,) = read(tmp_path, keys).required().rules
    own = {"category": "capacity", "runbook": "https://wiki.example/cpu"}
    assert rule.labels == {**own, "team": "web", "cost.centre": "42"}


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ("{service: shop}", "every alert has by itself"),
        ("{category: x}", "every alert has by itself"),
        ("{'a b': x}", "letters, digits"),
        ("{team: ''}", "is empty"),
        ('{team: "a\\e[31m"}', "invisible character"),
    ],
)
def test_labels_that_cannot_be_are_refused(tmp_path: Path, labels: str, words: str) -> None:
    (text,) = render(read(tmp_path, f"metric: cpu, fire: 1, labels: {labels}").problems)
    assert "rules[0].labels" in text
    assert words in text
