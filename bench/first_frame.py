"""From the start of `watchfloor` on an 80x24 terminal to the first useful frame: a service with its state.

Cold is a home and a data directory that do not exist yet, so the database is created and its tables are made. Warm is
the next start on the same ground. The page cache is warm in both, and the programs are compiled, as an installer
leaves them: a first pair of starts sees to that and is not counted. Also: the first frame that shows anything, and
the first finding of a check.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from processes import clean_environment, command, services_yaml
from screen import Pty, Screen
from support import Report, run, temporary_ground, until
from target import Target
from watchfloor.store.embedded import status

SERVICES = 20
BUDGETS = {"cold": 3000.0, "warm": 300.0}
PATIENCE_S = 60.0

STATES = re.compile(r"\b(ok|pending|unknown|degraded|failing|waiting)\b", re.IGNORECASE)
CHECKED = re.compile(r"\bok\b", re.IGNORECASE)


def measure(report: Report, quick: bool) -> None:
    """Start again and again, each pair on a new ground."""
    repeats = 2 if quick else 7
    found: dict[str, list[float]] = defaultdict(list)
    with Target() as target:
        config = services_yaml(map(target.url, range(SERVICES)), "1s")
        for number in range(repeats + 1):
            with temporary_ground() as ground:
                (ground / "config.yaml").write_text(config)
                environ = clean_environment(ground / "home")
                for how in ("cold", "warm"):
                    _start(ground, environ, how, found if number else defaultdict(list))
    report.note(
        f"{SERVICES} services; {repeats} pairs of starts after one that is not counted; the page cache is warm"
    )
    for name, values in found.items():
        how, _, what = name.partition(": ")
        report.add(name, "ms", values, BUDGETS[how] if what == "first useful frame" else None)


def _start(ground: Path, environ: Mapping[str, str], how: str, found: dict[str, list[float]]) -> None:
    data_dir = ground / "data"
    argv = [*command(), "--config", str(ground / "config.yaml"), "--data-dir", str(data_dir)]
    with Pty(argv, environ) as terminal:
        moments = {
            "anything on the screen": terminal.when(lambda s: str(s).strip(), PATIENCE_S, "a first frame"),
            "first useful frame": terminal.when(
                partial(_shows, STATES), PATIENCE_S, "a service with its state"
            ),
            "a service found ok": terminal.when(partial(_shows, CHECKED), PATIENCE_S, "a first finding"),
        }
        for what, at in moments.items():
            found[f"{how}: {what}"].append((at - terminal.started) * 1000)
        time.sleep(1.0)  # an engine that is just starting may finish
    until(lambda: status(data_dir).state == "stopped", PATIENCE_S, "the database stops")


def _shows(state: re.Pattern[str], screen: Screen) -> bool:
    """Whether a service stands there with a state."""
    return any("service-0" in line and state.search(line) for line in screen.lines)


if __name__ == "__main__":
    run(measure, "First useful frame", __doc__)
