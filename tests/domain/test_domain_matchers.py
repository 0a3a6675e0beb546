"""Matchers, silences and inhibition: what they match, and that nobody can make them slow."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.matchers import (
    LONGEST,
    BadMatcher,
    Matcher,
    match,
    match_everything,
    parse,
    parse_all,
    split,
    subject_labels,
)
from watchfloor.domain.muting import Inhibition, Silence, Sources, silencing
from watchfloor.domain.severity import Severity

NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)
SHOP = {"service": "shop", "group": "web"}


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ("service=shop", SHOP, True),
        ('service = "shop"', SHOP, True),
        ("service='shop'", SHOP, True),
        ("service=sho", SHOP, False),
        ("service!=shop", SHOP, False),
        ("service=~sh.p", SHOP, True),
        ("service=~ho", SHOP, False),  # patterns match the whole value
        ("service=~(?i)SHOP", SHOP, True),
        ("service=~a|shop", SHOP, True),
        ("service!~web-.*", SHOP, True),
        ("zone=", SHOP, True),  # a label that is missing is empty
        ("zone!=", SHOP, False),
        ("zone=~.*", SHOP, True),
        ("zone!~.+", SHOP, True),
        ("service==shop", SHOP, False),
    ],
)
def test_what_matches(text: str, labels: dict[str, str], matches: bool) -> None:
    assert parse(text).matches(labels) is matches


@pytest.mark.parametrize(
    "text", ["", "shop", "=shop", "a b=c", "service=~(", "service=~(?=x)", "service=~(a)\\1", "x=\n\x1b[2J", "x" * 600],
)  # fmt: skip
def test_what_is_no_matcher_is_refused_in_words(text: str) -> None:
    with pytest.raises(BadMatcher) as caught:
        parse(text)
    assert str(caught.value).isprintable()


def test_a_matcher_reads_back_what_it_writes() -> None:
    for text in ("service=shop", 'group=~"web-(a|b)"', "severity!=info", 'x=a "b" c'):
        assert parse(str(parse(text))) == parse(text)


@given(st.text("ab|*+.?()", max_size=12), st.text("ab", max_size=8))
def test_patterns_match_as_python_matches_whole_values(source: str, value: str) -> None:
    try:
        matcher = parse(f"label=~{source}")
    except BadMatcher:
        return
    assert matcher.matches({"label": value}) is bool(re.fullmatch(matcher.value, value))


def test_no_pattern_can_be_made_slow() -> None:
    hostile = parse("label=~(a*)*(a|aa)*b")
    assert not hostile.matches({"label": "a" * (LONGEST * 20)})


@pytest.mark.parametrize(
    ("texts", "everything"),
    [
        (["service=~.*"], True),
        (["service!=shop", "group!~web"], True),
        (["service=~.+"], False),
        (["service=shop"], False),
        (["service=~.*", "group=web"], False),
        ([], True),
    ],
)
def test_what_leaves_nothing_out_is_known(texts: list[str], everything: bool) -> None:
    assert match_everything(parse_all(texts)) is everything


def test_rule_and_severity_can_be_asked_for() -> None:
    labels = subject_labels(SHOP, "disk is full", Severity.WARNING)
    assert match(parse_all(["rule=~disk.*", "severity=warning", "service=shop"]), labels)


def silence(**values: object) -> Silence:
    wanted = {
        "id": 1, "matchers": parse_all(["group=web"]), "starts_at": NOW, "ends_at": NOW + timedelta(hours=1),
        "until_resolved": False, "author": "ann", "comment": "deploy", **values,
    }  # fmt: skip
    return Silence(**wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize(("after", "holds"), [(-1, False), (0, True), (3599, True), (3600, False)])
def test_a_silence_holds_from_its_beginning_until_but_not_at_its_end(after: int, holds: bool) -> None:
    found = silencing(
        [silence(), silence(id=2, matchers=parse_all(["group=db"]))], SHOP, NOW + timedelta(seconds=after)
    )
    assert found == ((1,) if holds else ())


def test_a_silence_without_an_end_holds_on() -> None:
    assert silence(ends_at=None, until_resolved=True).active(NOW + timedelta(days=999))


def sources(*rules: Inhibition, **alerts: dict[str, str]) -> Sources:
    found = Sources(rules=rules)
    for name, labels in alerts.items():
        found.add(int(name[1:]), labels)
    return found


DOWN = Inhibition("site", parse_all(["kind=site"]), parse_all(["kind=host"]), ("place",))


@pytest.mark.parametrize(
    ("labels", "quiet"),
    [
        ({"kind": "host", "place": "berlin"}, True),
        ({"kind": "host", "place": "paris"}, False),
        ({"kind": "host"}, False),  # missing is empty, and empty is not berlin
        ({"kind": "disk", "place": "berlin"}, False),
    ],
)
def test_a_worse_alert_keeps_those_quiet_that_it_explains(labels: dict[str, str], quiet: bool) -> None:
    assert sources(DOWN, a1={"kind": "site", "place": "berlin"}).inhibit(2, labels) is quiet


def test_no_alert_keeps_itself_quiet_and_no_two_each_other() -> None:
    all_ = Inhibition(
        "all", parse_all(["severity=~critical|emergency"]), parse_all(["severity=~critical|warning"]), ()
    )
    critical = {"severity": "critical"}
    assert not sources(all_, a1=critical).inhibit(1, critical)
    assert not sources(all_, a1=critical, a2=critical).inhibit(1, critical)
    assert sources(all_, a1=critical, a2={"severity": "emergency"}).inhibit(1, critical)
    assert sources(all_, a1=critical).inhibit(2, {"severity": "warning"})


@pytest.mark.parametrize(
    "value", ["shop", 'say "hi"', 'a" b', "it's", "'", "a=' b", ' "a', "C:\\", "{mount=/a b}", ""]
)
def test_matchers_on_one_line_are_read_back_as_they_are_written(value: str) -> None:
    written = [Matcher("service", "=", value), Matcher("rule", "!=", value)]
    assert list(parse_all(split(" ".join(map(str, written))))) == written
