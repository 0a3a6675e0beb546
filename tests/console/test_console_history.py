"""History in the detail of a service: promises, certificates, time beside the ratio, bands, and the export."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from console_driver import console
from console_world import NOW

from watchfloor.console.draw.chart import chart
from watchfloor.console.format import NOTHING, Moment
from watchfloor.console.line import plain as line_text
from watchfloor.console.views.charts import phase_lines
from watchfloor.console.views.service import _beside, _certificates, _objectives, _uptime
from watchfloor.domain.boards import CertificateRow, ObjectiveRow, ResultPoint, ServiceDetail
from watchfloor.domain.history import Course, Figures, Grain, History, Sample
from watchfloor.domain.outcome import Status
from watchfloor.domain.spans import SpanState, uptime_of

MOMENT = Moment(NOW, None, False)
DAY = timedelta(days=1)


def detail(**values: object) -> ServiceDetail:
    """A detail of which only what is said here is looked at."""
    made: dict[str, object] = dict.fromkeys(
        (
            "row",
            "description",
            "runbook",
            "origin",
            "editable",
            "settings",
            "results",
            "incidents",
            "facts",
            "metrics",
        )
    )
    return ServiceDetail(**{**made, "uptime": {}, **values})  # type: ignore[arg-type]


def shown(lines: object) -> str:
    return "\n".join(line_text(line) for line in lines)  # type: ignore[attr-defined]


@pytest.mark.parametrize("cells", [40, 80, 160])
def test_a_promise_shows_what_is_left_and_what_burns(cells: int) -> None:
    burns = {"1h": 20.0, "6h": 2.5, "1d": None, "3d": 0.1}
    row = ObjectiveRow(
        "web\x1b[31m", "99.9 % of 30d", 1, "shop", 0.999, 0.9985, -0.5, 2592, 3888, burns, ("1h",), True
    )
    text = shown(_objectives(detail(objectives=(row,)), cells))
    assert "OBJECTIVES" in text
    assert "-50.0 % left" in text
    assert "burn 1h 20.0" in text
    assert "burn 1d" not in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= cells


def test_every_certificate_is_listed_with_its_change_and_its_end() -> None:
    rows = tuple(
        CertificateRow(1, "shop", print_ * 8, f"CN={print_}", "CN=ca", NOW - 90 * DAY, NOW + ends * DAY, NOW - 9 * DAY,
                       NOW, current, NOW - 2 * DAY)
        for print_, ends, current in (("ab", 60, True), ("cd", -1, False))
    )  # fmt: skip
    text = shown(_certificates(detail(certificates=rows), MOMENT, 120))
    assert "● now" in text
    assert "ends in 60d" in text
    assert "○ then" in text
    assert "expired" in text


def test_time_that_is_in_no_ratio_is_told_beside_it() -> None:
    hour = 3_600_000_000
    spent = uptime_of(
        {SpanState.UP: 700 * hour, SpanState.PLANNED: 2 * hour, SpanState.DOWN: hour}, 720 * hour
    )
    text = shown(_beside(detail(spent={"30d": spent}), 80))
    assert "down 1h" in text
    assert "planned 2h" in text
    assert "unknown 17h" in text
    assert "out of reach" not in text


def test_a_service_that_was_never_in_a_ratio_says_where_its_time_is() -> None:
    hour = 3_600_000_000
    spent = uptime_of({SpanState.PLANNED: 2 * hour, SpanState.UNREACHABLE: hour}, 3 * hour)
    text = shown(_uptime(detail(spent={"30d": spent}), MOMENT, 80))
    assert "planned 2h" in text
    assert "out of reach 1h" in text


def test_the_band_stands_between_the_mean_and_the_95th_percentile_and_nowhere_else() -> None:
    def drawn(p95: float | None) -> list[str]:
        samples = [Sample(NOW + timedelta(minutes=n), 50.0, peak=100.0, p95=p95) for n in range(61)]
        return [line_text(line) for line in chart(samples, NOW, NOW + timedelta(hours=1), 60, 12, str, None)]

    plain, banded, low = drawn(None), drawn(90.0), drawn(40.0)
    assert low == plain
    changed = [row for row, (before, after) in enumerate(zip(plain, banded, strict=True)) if before != after]
    assert changed == [1, 2, 3, 4], "between 50 and 90 of 100 in ten rows"


@pytest.mark.parametrize("cells", [36, 78, 158])
def test_where_only_averages_are_kept_there_are_only_averages_and_that_is_said(cells: int) -> None:
    end = NOW
    rolled = Course((Sample(end, 0.02),), Figures(None, 0.02, None, None))
    full = Course((Sample(end, 0.02),), Figures(0.01, 0.02, 0.03, 0.04))

    def shown(*courses: Course) -> list[str]:
        phases = dict(zip(("connect", "tls"), courses, strict=False))
        history = History(end - timedelta(days=30), end, Course(), phases, {}, Grain.HOUR)
        return [line_text(line) for line in phase_lines(history, [], cells)]

    heading, heads, *rows = [line for line in shown(rolled, rolled) if line.strip()]
    assert heads.split() == ["avg"]
    assert [row.split()[0] for row in rows] == ["connect", "tls"]
    assert all(row.endswith("20.0 ms") and NOTHING not in row.split() for row in rows)
    assert cells < 60 or heading.endswith("only averages, by the hour")
    text = "\n".join(shown(full, full))
    assert "only averages" not in text
    assert cells < 60 or "min" in text


def test_a_phase_that_no_check_has_gets_no_line() -> None:
    def course(seconds: float) -> Course:
        return Course((Sample(NOW - DAY, seconds),), Figures(seconds, seconds, seconds, seconds))

    history = History(NOW - DAY, NOW, course(0.2), {"connect": course(0.2), "tls": course(0.0)}, {})
    text = "\n".join(line_text(line) for line in phase_lines(history, [], 80))
    assert "connect" in text
    assert "tls" not in text
    assert phase_lines(replace(history, phases={"tls": course(0.0)}), [], 80) == []


def test_a_phase_that_was_not_reached_is_told_without_a_time() -> None:
    history = History(NOW - DAY, NOW, Course(), {}, {})
    point = ResultPoint(NOW, Status.OK, 0.3, (None, 0.1, None, 0.2, None), "", 0.0)
    _, heading, *lines = [line_text(line) for line in phase_lines(history, [point], 80)]
    assert "in all 300 ms" in heading
    assert [line.split()[0] + " " + line.split()[-1] for line in lines if "ms" not in line] == [
        "dns —",
        "tls —",
        "transfer —",
    ]


async def test_the_export_menu_writes_what_the_charts_show_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with console() as driver:
        await driver.press("enter", "E")
        driver.sees("Export", "results as csv", "uptime as parquet", "enter export")
        await driver.type("metrics json")
        await driver.press("enter")
        await driver.until(lambda: "3 rows written" in driver.text())
    (made,) = (tmp_path / "watchfloor").glob("metrics-*.json")
    assert "service_id=" in made.read_text()
