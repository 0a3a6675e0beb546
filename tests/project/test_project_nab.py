"""The scorer of outliers in bench/: its scale, and what early, late, wrong and missed detections are worth."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def nab(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    sys.modules.pop("nab", None)
    import nab  # type: ignore[import-not-found]

    found: ModuleType = nab
    return found


def test_nothing_said_is_0_and_everything_found_at_once_is_100(nab: ModuleType) -> None:
    windows = [(400, 419), (600, 619)]
    for missed in (1.0, 2.0):
        nothing = nab.score([], windows, 1000, 0.11, missed)
        perfect = nab.score([400, 600], windows, 1000, 0.11, missed)
        assert nab.normalised(nothing, 2, missed) == pytest.approx(0.0)
        assert nab.normalised(perfect, 2, missed) == pytest.approx(100.0)


def test_early_is_worth_more_than_late_and_far_off_costs_more_than_near(nab: ModuleType) -> None:
    window = [(400, 419)]
    early, late, near, far = (nab.score([at], window, 1000, 0.11, 1.0) for at in (401, 418, 421, 480))
    assert 1 > early > late > 0
    assert -1 > near > far == pytest.approx(-1.11)
    assert nab.score([401, 405], window, 1000, 0.11, 1.0) == early  # the best of a window counts
    assert nab.score([20], window, 1000, 0.11, 1.0) == -1.0  # while learning nothing costs


def test_an_alert_that_goes_on_is_one_detection(nab: ModuleType) -> None:
    scores = [0.0] * 200
    for at in (100, 101, 110, 190):
        scores[at] = 9.0
    assert nab.detections(scores, 7.0) == [100, 190]


def test_a_corpus_is_read_and_a_leap_in_it_found(nab: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "data" / "made").mkdir(parents=True)
    (tmp_path / "labels").mkdir()
    moments = [f"2026-01-{1 + n // 288:02} {n % 288 // 12:02}:{n % 12 * 5:02}:00" for n in range(1000)]
    values = [50.0 + n % 3 for n in range(1000)]
    values[700] = 500.0
    rows = [f"{moment},{value}" for moment, value in zip(moments, values, strict=True)]
    (tmp_path / "data" / "made" / "one.csv").write_text("\n".join(["timestamp,value", *rows]))
    spans = [[f"{moments[698]}.000000", f"{moments[710]}.000000"]]
    (tmp_path / "labels" / "combined_windows.json").write_text(json.dumps({"made/one.csv": spans}))
    (series,) = nab.corpus(tmp_path)
    assert series.windows == [(698, 710)]
    assert nab.detections(series.unusual["day"], 7.0) == [700]
    assert nab.total([series], "day", 7.0, 0.11, 1.0) > 90
    assert series.unusual["hour"][700] == 0.0  # of that hour only two earlier days are known


def test_a_reading_is_unusual_for_its_hour(nab: ModuleType) -> None:
    hourly = [(n * 3600.0, 100.0 if n % 24 == 9 else 1.0) for n in range(10 * 24)]
    leap = 9 * 24 + 12
    hourly[leap] = (hourly[leap][0], 100.0)
    found = nab.unusual_for_hour(hourly)
    assert [n for n, z in enumerate(found) if z > 3.5] == [leap]
    assert found[9 * 24 + 9] == 0.0
