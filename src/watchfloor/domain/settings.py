"""Product settings: what an operator may change while Watchfloor runs, with sane defaults.

The table here says what exists, of which type, within which limits. Values that differ from the default live
in the database. This module must never hold a value in force.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from math import isfinite
from typing import Any, cast

from watchfloor.domain.durations import format_duration, parse_duration
from watchfloor.domain.text import one_line
from watchfloor.domain.zones import UnknownZone, zone

Value = bool | int | float | str


class SettingKind(StrEnum):
    """The type of a setting. Durations are floats in seconds, percentages floats from 0 to 100."""

    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    TEXT = "text"
    CHOICE = "choice"
    ZONE = "zone"
    DURATION = "duration"
    PERCENT = "percent"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. ``minimum`` and ``maximum`` are inclusive; for text they limit its length."""

    key: str
    category: str
    kind: SettingKind
    default: Value
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""
    needs_restart: bool = False


_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})
_DAYS = re.compile(r"\s*(d|days?)$", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,15}", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?", re.ASCII)
_NUMERIC = (SettingKind.INT, SettingKind.FLOAT, SettingKind.PERCENT)


def parse(setting: Setting, text: str) -> Value:
    """Read what a person wrote, and validate it.

    Raises `ValueError` with a sentence naming the key, what was found and what is allowed.
    """
    found = text.strip()
    match setting.kind:
        case SettingKind.BOOL:
            if found.lower() in _TRUE | _FALSE:
                return found.lower() in _TRUE
        case SettingKind.DURATION:
            try:
                return validate(setting, parse_duration(found))
            except ValueError as error:
                raise _mistake(setting, found) from error
        case SettingKind.INT:
            number = _DAYS.sub("", found) if setting.unit == "days" else found
            if _INTEGER.fullmatch(number):
                return validate(setting, int(number))
        case SettingKind.FLOAT | SettingKind.PERCENT:
            number = found.removesuffix("%").rstrip() if setting.kind is SettingKind.PERCENT else found
            if _NUMBER.fullmatch(number):
                return validate(setting, float(number))
        case SettingKind.TEXT | SettingKind.CHOICE | SettingKind.ZONE:
            return validate(setting, found)
    raise _mistake(setting, found)


def validate(setting: Setting, value: object) -> Value:
    """The value in the type of its setting. Raises `ValueError` as `parse` does."""
    kind = setting.kind
    if kind is SettingKind.BOOL:
        if isinstance(value, bool):
            return value
    elif kind is SettingKind.CHOICE:
        if isinstance(value, str) and value in setting.choices:
            return value
    elif kind is SettingKind.ZONE:
        if isinstance(value, str) and _is_zone(value):
            return value
    elif kind is SettingKind.TEXT:
        # Text that cleaning would change holds line breaks or control characters.
        if (
            isinstance(value, str)
            and _within(setting, len(value))
            and one_line(value, len(value) + 1) == value
        ):
            return value
    elif isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        whole = isinstance(value, int) or value.is_integer()
        if _within(setting, value) and (kind is not SettingKind.INT or whole):
            return int(value) if kind is SettingKind.INT else float(value)
    raise _mistake(setting, value)


def shown(setting: Setting, value: Value) -> str:
    """A value as `parse` reads it, with the unit people expect.

    >>> shown(get("alerts.reopen_window"), 300.0), shown(get("retention.logs"), 14)
    ('5m', '14d')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if setting.kind is SettingKind.DURATION:
        return format_duration(value)
    number = str(int(value)) if float(value).is_integer() else repr(float(value))
    unit = "%" if setting.kind is SettingKind.PERCENT else "d" if setting.unit == "days" else ""
    return f"{number}{unit}"


def allowed(setting: Setting) -> str:
    """What a setting may be, for a form and for mistakes.

    >>> allowed(get("thresholds.disk.critical"))
    'a percentage from 0% to 100%'
    """
    match setting.kind:
        case SettingKind.BOOL:
            return "yes or no"
        case SettingKind.CHOICE:
            return "one of " + ", ".join(setting.choices)
        case SettingKind.ZONE:
            return "a time zone such as Europe/Berlin, or UTC"
        case SettingKind.TEXT:
            return f"one line of at most {setting.maximum or 0:.0f} characters"
        case SettingKind.INT:
            noun = "a whole number of days" if setting.unit == "days" else "a whole number"
        case SettingKind.FLOAT:
            noun = "a number"
        case SettingKind.DURATION:
            noun = "a duration"
        case SettingKind.PERCENT:
            noun = "a percentage"
    bounds = ((word, limit) for word, limit in (("from", setting.minimum), ("to", setting.maximum)))
    limits = "".join(f" {word} {shown(setting, limit)}" for word, limit in bounds if limit is not None)
    named = setting.unit and setting.unit != "days" and setting.kind in _NUMERIC[:2]
    unit = f" ({setting.unit})" if named else ""
    return f"{noun}{limits}{unit}"


def get(key: str) -> Setting:
    """The setting of that key. Raises `ValueError` with a suggestion where there is none."""
    setting = _BY_KEY.get(key)
    if setting is None:
        close = get_close_matches(key, _BY_KEY, n=1)
        hint = f": did you mean {close[0]}?" if close else ""
        raise ValueError(f"there is no setting {one_line(key, 80)!r}{hint}")
    return setting


def out_of_order(values: Mapping[str, object], key: str) -> str:
    """What is wrong with a warning threshold beyond its critical one, as a sentence; empty when nothing is.

    Which of the two is the greater is the same as in their defaults.

    >>> out_of_order({"thresholds.cpu.warning": 95.0, "thresholds.cpu.critical": 90.0}, "thresholds.cpu.warning")
    'thresholds.cpu.warning is 95% and thresholds.cpu.critical is 90%: the warning must come first'
    """
    stem, _, level = key.rpartition(".")
    if level not in ("warning", "critical"):
        return ""
    warning, critical = get(f"{stem}.warning"), get(f"{stem}.critical")
    low, high = cast(float, values[warning.key]), cast(float, values[critical.key])
    rising = cast(float, warning.default) <= cast(float, critical.default)
    if (low <= high) if rising else (low >= high):
        return ""
    return (
        f"{warning.key} is {shown(warning, low)} and {critical.key} is {shown(critical, high)}: "
        "the warning must come first"
    )


def _is_zone(name: str) -> bool:
    try:
        zone(name)
    except UnknownZone:
        return False
    return True


def _within(setting: Setting, value: float) -> bool:
    low, high = setting.minimum, setting.maximum
    return (low is None or value >= low) and (high is None or value <= high)


def _mistake(setting: Setting, found: object) -> ValueError:
    return ValueError(f"{setting.key}: found {one_line(repr(found), 80)}, allowed is {allowed(setting)}")


def _make(kind: SettingKind, key: str, default: Value, description: str, **more: Any) -> Setting:
    return Setting(key, key.partition(".")[0], kind, default, description, **more)


def _int(key: str, default: int, low: int, high: int, unit: str, text: str, restart: bool = False) -> Setting:
    limits = {"minimum": low, "maximum": high, "unit": unit}
    return _make(SettingKind.INT, key, default, text, **limits, needs_restart=restart)


def _seconds(key: str, default: float, low: float, high: float, text: str) -> Setting:
    return _make(SettingKind.DURATION, key, default, text, minimum=low, maximum=high, unit="s")


def _percentages(name: str, warning: float, critical: float, what: str) -> tuple[Setting, Setting]:
    """The warning and the critical threshold of one percentage."""
    limits = {"minimum": 0, "maximum": 100, "unit": "%"}
    return (
        _make(SettingKind.PERCENT, f"thresholds.{name}.warning", warning, f"Warning: {what}", **limits),
        _make(SettingKind.PERCENT, f"thresholds.{name}.critical", critical, f"Critical: {what}", **limits),
    )


def _share(key: str, default: float, text: str) -> Setting:
    return _make(SettingKind.PERCENT, key, default, text, minimum=1, maximum=100, unit="%")


_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0

SETTINGS: tuple[Setting, ...] = (
    _int("engine.max_concurrent_checks", 512, 1, 20_000, "checks", "Checks in flight at once on a node"),
    _int("jobs.max_concurrent_runs", 32, 1, 1_000, "runs", "Runs of jobs that go on at once on a node"),
    _seconds("jobs.drain", 15.0, 0, 300, "How long running jobs may go on when a node is told to stop"),
    _seconds("alerts.reopen_window", 5 * _MINUTE, 0, _DAY, "True again within this time is the same alert"),
    _int(
        "alerts.rule_limit",
        500,
        1,
        10_000,
        "alerts",
        "A rule that fires for more is told as one alert",
    ),
    _seconds(
        "alerts.ack_expiry", 4 * _HOUR, _MINUTE, 30 * _DAY, "How long an acknowledgement lasts by default"
    ),
    _share("flapping.start", 30.0, "A service flaps when it changed more than this; 100% for never"),
    _share("flapping.stop", 25.0, "It no longer does when it changed no more than this"),
    _make(SettingKind.BOOL, "alerts.ack_note_required", False, "Whether an acknowledgement needs a note"),
    _make(
        SettingKind.ZONE, "alerts.time_zone", "UTC", "The time zone of messages and of statistics of alerts"
    ),
    *_percentages("connections", 70.0, 90.0, "connections of a database in use, at least"),
    *_percentages("memory", 80.0, 95.0, "memory in use, at least"),
    *_percentages("disk", 80.0, 95.0, "disk space in use, at least"),
    *_percentages("cpu", 70.0, 90.0, "processor time in use, at least"),
    *_percentages("cache_hit_rate", 60.0, 40.0, "cache hit rate, at most"),
    _seconds("thresholds.replication_lag.warning", 5.0, 0, _DAY, "Warning: replication lag, at least"),
    _seconds("thresholds.replication_lag.critical", 30.0, 0, _DAY, "Critical: replication lag, at least"),
    _int("thresholds.slow_queries.warning", 10, 0, 10**6, "per minute", "Warning: slow queries, at least"),
    _int("thresholds.slow_queries.critical", 50, 0, 10**6, "per minute", "Critical: slow queries, at least"),
    _int(
        "retention.check_results", 7, 2, 3_650, "days", "How long results of single checks are kept in full"
    ),
    _int(
        "retention.packed", 90, 2, 3_650, "days", "How long their status, time and latency are kept, packed"
    ),
    _int("retention.minutes", 3, 2, 3_650, "days", "How long results and metrics are kept by the minute"),
    _int("retention.hours", 120, 31, 3_650, "days", "How long results and metrics are kept by the hour"),
    _int("retention.days", 730, 31, 36_500, "days", "How long results and metrics are kept by the day"),
    _int("retention.metrics", 30, 1, 3_650, "days", "How long single metric values are kept"),
    _int("retention.logs", 14, 1, 3_650, "days", "How long log records are kept"),
    _int("retention.task_runs", 30, 1, 3_650, "days", "How long runs of internal tasks are kept"),
    _int("retention.runs", 90, 1, 3_650, "days", "How long runs of jobs and settled dead letters are kept"),
    _int(
        "retention.runs_live", 14, 1, 3_650, "days", "How long runs that ended stay before they are archived"
    ),
    _int("retention.job_figures", 400, 1, 3_650, "days", "How long the hourly figures of jobs are kept"),
    _int("retention.run_logs", 30, 1, 3_650, "days", "How long the output of runs is kept"),
    _int("retention.alerts", 365, 7, 36_500, "days", "How long resolved alerts and their history are kept"),
    _int("retention.incidents", 365, 7, 36_500, "days", "How long closed incidents are kept"),
    _int("retention.spans", 400, 31, 36_500, "days", "How far back uptime can be computed"),
    _int("retention.audit", 365, 30, 36_500, "days", "How long the audit is kept"),
)

_BY_KEY = {setting.key: setting for setting in SETTINGS}
