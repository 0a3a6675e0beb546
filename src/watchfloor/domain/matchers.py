"""Matchers on labels: what silences, routes and inhibitions speak about.

``=``, ``!=``, ``=~`` and ``!~``, as Alertmanager has them: patterns match the whole value, a label that is missing is
empty, and all matchers must agree. Patterns run in time proportional to the value, whoever wrote them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from watchfloor.domain.automaton import Pattern
from watchfloor.domain.severity import Severity

OPERATORS = ("=", "!=", "=~", "!~")
LONGEST = 500
MOST = 20
"""Matchers of one silence or route."""

_FORM = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.-]{0,99})\s*(=~|!~|!=|=)\s*(.*)", re.DOTALL)
_ONE = re.compile(r"""(?:[^\s"']|"[^"]*"?|(?<=[=~])'[^']*'|')+""")
_FLAGS = re.compile(r"\(\?[ims]+\)")


class BadMatcher(ValueError):
    """What was written is no matcher; the message is a sentence for whoever wrote it."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label."""

    label: str
    operator: str
    value: str

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the label is as it should be."""
        found = labels.get(self.label, "")
        if self.operator in ("=", "!="):
            return (found == self.value) is (self.operator == "=")
        return _pattern(self.value).occurs_in(found) is (self.operator == "=~")

    def __str__(self) -> str:
        """As it is written: ``group=~"web-.*"``; in the other quotes what holds these."""
        quote = "'" if '"' in self.value else '"'
        return f"{self.label}{self.operator}{quote}{self.value}{quote}"


Matchers = tuple[Matcher, ...]


def parse(text: str) -> Matcher:
    """Read one matcher; quotes around the value may be left out. Raises `BadMatcher`.

    >>> str(parse('service =~ shop-.*')), str(parse('group="web"'))
    ('service=~"shop-.*"', 'group="web"')
    """
    found = _FORM.fullmatch(text)
    if found is None or len(text) > LONGEST:
        raise BadMatcher('a matcher is written label=value, with = != =~ or !~, such as group=~"web-.*"')
    label, operator, value = found.groups()
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    if not value.isprintable():
        raise BadMatcher(f"the value for {label} holds a line end or an invisible character")
    if operator in ("=~", "!~"):
        try:
            _pattern(value)
        except ValueError as error:
            raise BadMatcher(f"{label}: {error}") from None
    return Matcher(label, operator, value)


def split(text: str) -> list[str]:
    """Several matchers on one line, separated by blanks outside of quotes.

    >>> split('service="shop checkout"  severity!=emergency')
    ['service="shop checkout"', 'severity!=emergency']
    """
    return _ONE.findall(text)


def parse_all(texts: Iterable[str]) -> Matchers:
    """Read several. Raises `BadMatcher`."""
    found = tuple(parse(text) for text in texts)
    if len(found) > MOST:
        raise BadMatcher(f"at most {MOST} matchers go together")
    return found


def match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether all of them agree; none at all agree with everything."""
    return all(matcher.matches(labels) for matcher in matchers)


def match_everything(matchers: Iterable[Matcher]) -> bool:
    """Whether there is nothing that these leave out, as far as can be told: they even match what has no labels.

    >>> match_everything(parse_all(["service=~.*", "group!=nowhere"])), match_everything(parse_all(["service=a"]))
    (True, False)
    """
    tries = ("a", "Z9", "\x1a")
    return match(matchers, {}) and all(
        matcher.matches({matcher.label: value}) for matcher in matchers for value in tries
    )


def subject_labels(labels: Mapping[str, str], rule: str, severity: Severity) -> dict[str, str]:
    """What matchers can ask of an alert: its labels, its rule and how severe it is."""
    return {**labels, "rule": rule, "severity": severity.word}


@lru_cache(maxsize=4096)
def _pattern(source: str) -> Pattern:
    Pattern(source)  # by itself: a parenthesis too many must not find its other half in what is put around it
    flags = _FLAGS.match(source)
    begin = flags.end() if flags else 0
    return Pattern(f"{source[:begin]}\\A(?:{source[begin:]})\\Z")
