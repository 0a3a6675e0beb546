"""How well single outliers are told from noise: the Numenta Anomaly Benchmark on a local copy of its corpus.

    python bench/nab.py PATH            # PATH holds data/ and labels/combined_windows.json

The score is that of the benchmark (Lavin and Ahmad, Evaluating Real-time Anomaly Detection Algorithms, 2015): in every
labelled window the best placed detection counts, the earlier the more; what is detected outside costs, the farther the
more; a window without detection costs, too. 0 is what a detector gets that says nothing, 100 a perfect one. The first
15 % of a file, at most 750 readings, are for learning. As there, one threshold is chosen for the whole corpus.

Two detectors judge each reading by a modified z, from what came before it alone: ``day`` beside the readings of the day
before, ``hour`` beside the hourly means of the same hour of earlier days or weeks, which is what rules of kind anomaly
do. An alert that goes on is one detection.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from watchfloor.domain.anomaly import HOUR_S, UNUSUAL, WEEK_S, WEEKS, baseline, seasonal
from watchfloor.domain.questions.anomaly import STEP
from watchfloor.domain.trend import Point

BEFORE = 288
"""Readings that make a baseline: a day of one every five minutes, which most files hold."""
FEWEST = 12
QUIET = 72
"""An alert is over after so many usual readings: six hours of those."""
THRESHOLDS = (UNUSUAL, 5.0, 7.0, 10.0, 14.0, 20.0, 28.0, 40.0, 56.0, 80.0)
PROFILES = {"standard": (0.11, 1.0), "low false positives": (0.22, 1.0), "low false negatives": (0.11, 2.0)}
"""What a false positive and a missed window cost, beside 1 for a true positive."""
DETECTORS = ("day", "hour")
LEARNING, MOST_LEARNING = 0.15, 750

Window = tuple[int, int]
"""The first and the last reading of a labelled window."""


@dataclass(frozen=True, slots=True)
class Series:
    """One file: how unusual each reading is, by detector, and where the labelled windows are."""

    name: str
    unusual: Mapping[str, Sequence[float]]
    windows: Sequence[Window]


def unusual(values: Sequence[float]) -> list[float]:
    """For each reading its modified z against those before it, without sign; 0 while there are too few."""
    found = []
    for at, value in enumerate(values):
        usual = baseline(values[max(0, at - BEFORE) : at]) if at >= FEWEST else None
        found.append(0.0 if usual is None else abs(usual.z(value)))
    return found


def unusual_for_hour(points: Sequence[Point]) -> list[float]:
    """For each reading its modified z for its hour, without sign; 0 while too little is known of that hour."""
    found: list[float] = []
    means: list[Point] = []
    for hour, inside in groupby(points, lambda point: point[0] // HOUR_S):
        begin, values = hour * HOUR_S, [value for _, value in inside]
        usual = seasonal(means, begin)
        if usual is not None:
            usual = replace(usual, spread=max(usual.spread, abs(usual.centre) * STEP))
        found += [0.0 if usual is None else abs(usual.z(value)) for value in values]
        means = [each for each in means if each[0] >= begin - WEEKS * WEEK_S]
        means.append((begin, sum(values) / len(values)))
    return found


def detections(scores: Sequence[float], threshold: float) -> list[int]:
    """The readings at which an alert begins."""
    found, usual = [], QUIET
    for at, score in enumerate(scores):
        if score >= threshold:
            if usual >= QUIET:
                found.append(at)
            usual = 0
        else:
            usual += 1
    return found


def placed(position: float) -> float:
    """What a detection at a place is worth: near 1 at the left end of a window (-1), 0 at its right end, then below."""
    return -1.0 if position > 3 else 2 / (1 + math.exp(5 * position)) - 1


def score(
    found: Sequence[int], windows: Sequence[Window], readings: int, false_positive: float, missed: float
) -> float:
    """The score of one file, before it is brought to the scale of the corpus."""
    learning = min(math.floor(LEARNING * readings), MOST_LEARNING)
    counted = [at for at in found if at >= learning]
    best = [-missed for _ in windows]
    outside = 0.0
    for at in counted:
        inside = next((n for n, (first, last) in enumerate(windows) if first <= at <= last), None)
        if inside is not None:
            first, last = windows[inside]
            worth = placed(-(last - at + 1) / (last - first + 1)) / placed(-1)
            best[inside] = max(best[inside], worth)
            continue
        before = [(first, last) for first, last in windows if last < at]
        first, last = before[-1] if before else (0, 0)
        outside += placed((at - last) / max(1, last - first)) if before else -1.0
    return sum(best) + outside * false_positive


def normalised(raw: float, windows: int, missed: float) -> float:
    """A score on the scale on which nothing said is 0 and perfect is 100."""
    return 100 * (raw + windows * missed) / (windows + windows * missed)


def corpus(place: Path) -> list[Series]:
    """Every file of a local copy of the corpus."""
    labels = json.loads((place / "labels" / "combined_windows.json").read_text())
    found = []
    for name, spans in sorted(labels.items()):
        with open(place / "data" / name, newline="") as file:
            rows = [(row["timestamp"], float(row["value"])) for row in csv.DictReader(file)]
        at = {moment: n for n, (moment, _) in enumerate(rows)}
        windows = [(at[first[:19]], at[last[:19]]) for first, last in spans]
        points = [
            (datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp(), value) for moment, value in rows
        ]
        judged = {"day": unusual([value for _, value in rows]), "hour": unusual_for_hour(points)}
        found.append(Series(name, judged, windows))
    return found


def total(
    files: Sequence[Series], detector: str, threshold: float, false_positive: float, missed: float
) -> float:
    """The score of the whole corpus with one detector and threshold."""
    raw = sum(
        score(
            detections(each.unusual[detector], threshold),
            each.windows,
            len(each.unusual[detector]),
            false_positive,
            missed,
        )
        for each in files
    )
    return normalised(raw, sum(len(each.windows) for each in files), missed)


def main() -> None:
    """Score the corpus with every detector and threshold and print the best of each profile."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("path", type=Path, help="a local copy of the corpus")
    arguments.add_argument("--json", action="store_true", help="print JSON")
    given = arguments.parse_args()
    files = corpus(given.path)
    found = {
        detector: {
            profile: max((total(files, detector, threshold, *costs), threshold) for threshold in THRESHOLDS)
            for profile, costs in PROFILES.items()
        }
        for detector in DETECTORS
    }
    usual = {
        detector: {profile: total(files, detector, UNUSUAL, *costs) for profile, costs in PROFILES.items()}
        for detector in DETECTORS
    }
    if given.json:
        print(json.dumps({"files": len(files), "best": found, "at the default": usual}))
        return
    print(f"{len(files)} files, {sum(len(each.windows) for each in files)} windows")
    for detector, profiles in found.items():
        for profile, (best, threshold) in profiles.items():
            default = f"{usual[detector][profile]:.1f} at the default {UNUSUAL:g}"
            print(f"{detector:6} {profile:22} {best:6.1f} at z {threshold:g}; {default}")


if __name__ == "__main__":
    main()
