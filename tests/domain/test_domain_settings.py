"""Product settings: the table itself, and that reading, checking and showing agree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.domain.settings import SETTINGS, Setting, SettingKind, allowed, get, parse, shown, validate

TEXT = Setting("console.title", "console", SettingKind.TEXT, "", "A title", maximum=10)
CHOICE = Setting("console.keys", "console", SettingKind.CHOICE, "plain", "Keys", choices=("plain", "vim"))
RATE = Setting("engine.rate", "engine", SettingKind.FLOAT, 1.0, "A rate", minimum=0.5, unit="per s")
EVERY_KIND = [*SETTINGS, TEXT, CHOICE, RATE]


def test_keys_are_unique_and_begin_with_their_category():
    assert len({setting.key for setting in SETTINGS}) == len(SETTINGS)
    assert all(setting.key.startswith(setting.category + ".") for setting in SETTINGS)
    assert all(setting.description for setting in SETTINGS)


@pytest.mark.parametrize(
    ("name", "warning", "critical"),
    [
        ("connections", 70, 90),
        ("memory", 80, 95),
        ("disk", 80, 95),
        ("cpu", 70, 90),
        ("replication_lag", 5, 30),
        ("cache_hit_rate", 60, 40),
        ("slow_queries", 10, 50),
    ],
)
def test_default_thresholds_are_sane(name, warning, critical):
    assert get(f"thresholds.{name}.warning").default == warning
    assert get(f"thresholds.{name}.critical").default == critical


@pytest.mark.parametrize("setting", EVERY_KIND, ids=lambda setting: setting.key)
def test_the_default_is_valid_and_reads_as_it_shows(setting):
    assert validate(setting, setting.default) == setting.default
    assert type(validate(setting, setting.default)) is type(setting.default)
    assert parse(setting, shown(setting, setting.default)) == setting.default


@given(
    st.sampled_from(EVERY_KIND),
    st.text(max_size=30) | st.from_regex(r"-?\d{1,6}(\.\d)?(%|s|m)?", fullmatch=True),
)
def test_whatever_is_written_is_read_or_refused_by_name(setting, text):
    try:
        value = parse(setting, text)
    except ValueError as error:
        assert str(error).startswith(f"{setting.key}: found ")  # noqa: PT017 - most examples raise nothing
        assert str(error).endswith(f"allowed is {allowed(setting)}")  # noqa: PT017
    else:
        assert validate(setting, value) == value
        assert parse(setting, shown(setting, value)) == value


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("alerts.reopen_window", "90s", 90.0),
        ("alerts.ack_note_required", "Yes", True),
        ("alerts.time_zone", " Europe/Berlin ", "Europe/Berlin"),
        ("alerts.ack_note_required", "off", False),
        ("retention.logs", " 7 ", 7),
        ("retention.logs", "7d", 7),
        ("retention.logs", "7 days", 7),
        ("thresholds.cpu.warning", "72.5 %", 72.5),
        ("thresholds.cpu.warning", "72", 72.0),
    ],
)
def test_reads(key, text, value):
    found = parse(get(key), text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("key", "text", "mistake"),
    [
        ("retention.logs", "0", "found 0, allowed is a whole number of days from 1d to 3650d"),
        ("retention.logs", "2.5", "found '2.5', allowed is a whole number of days from 1d to 3650d"),
        ("thresholds.cpu.warning", "101%", "found 101.0, allowed is a percentage from 0% to 100%"),
        ("alerts.ack_expiry", "5", "found '5', allowed is a duration from 1m to 30d"),
        ("alerts.ack_expiry", "1s", "found '1s', allowed is a duration from 1m to 30d"),
        (
            "alerts.time_zone",
            "Mars/Base",
            "found 'Mars/Base', allowed is a time zone such as Europe/Berlin, or UTC",
        ),
        ("alerts.ack_note_required", "maybe", "found 'maybe', allowed is yes or no"),
    ],
)
def test_refuses_with_key_finding_and_limits(key, text, mistake):
    with pytest.raises(ValueError) as error:
        parse(get(key), text)
    assert str(error.value) == f"{key}: {mistake}"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        (get("retention.logs"), True),
        (get("retention.logs"), 2.5),
        (get("retention.logs"), "14"),
        (get("retention.logs"), None),
        (get("alerts.ack_expiry"), float("nan")),
        (get("alerts.ack_expiry"), float("inf")),
        (get("alerts.ack_note_required"), 1),
        (CHOICE, "emacs"),
        (TEXT, "two\nlines"),
        (TEXT, "longer than ten"),
        (TEXT, "\x1b[31m"),
        (RATE, 0.4),
    ],
)
def test_a_value_of_another_type_or_beyond_its_limits_is_refused(setting, value):
    with pytest.raises(ValueError, match=f"^{setting.key}: found .*, allowed is "):
        validate(setting, value)


def test_a_mistake_never_repeats_a_huge_or_hostile_value():
    with pytest.raises(ValueError) as error:
        validate(get("retention.logs"), "\x1b[31m" + "x" * 10**6)
    assert len(str(error.value)) < 200
    assert "\x1b" not in str(error.value)


def test_numbers_from_the_database_take_the_type_of_their_setting():
    assert type(validate(get("retention.logs"), 14.0)) is int
    assert type(validate(get("alerts.reopen_window"), 300)) is float


def test_an_unknown_key_is_refused_with_a_suggestion():
    with pytest.raises(ValueError, match=r"no setting 'retention\.log': did you mean retention\.logs"):
        get("retention.log")
    with pytest.raises(ValueError, match=r"no setting 'zzz'$"):
        get("zzz")
