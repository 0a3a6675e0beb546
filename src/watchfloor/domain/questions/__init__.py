"""What rules can ask: one small file per kind. A question gives a value, or none, for each of its instances.

A kind is a frozen dataclass of what may differ between two rules; its fields are stored under their names. What is
done with the values is the same for all kinds (`watchfloor.domain.judging`); how they are read from the database is
in `watchfloor.store.readings`, one file per kind as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from watchfloor.domain.questions.absence import Absence
from watchfloor.domain.questions.anomaly import Anomaly
from watchfloor.domain.questions.burn import BurnRate
from watchfloor.domain.questions.certificate import Certificate
from watchfloor.domain.questions.forecast import Forecast
from watchfloor.domain.questions.jobs import Jobs
from watchfloor.domain.questions.logs import Logs
from watchfloor.domain.questions.metric import Metric
from watchfloor.domain.questions.question import Question
from watchfloor.domain.questions.rate import Rate
from watchfloor.domain.questions.unknown import Unknown

_ALL = (Metric, Rate, Absence, Logs, Jobs, Certificate, BurnRate, Forecast, Anomaly, Unknown)
KINDS: Mapping[str, type[Question]] = {each.kind: each for each in _ALL}


def question_from(kind: str, spec: Mapping[str, Any]) -> Question:
    """A question from what `Question.spec` stored. Raises `ValueError` for a kind that nobody knows."""
    if kind not in KINDS:
        raise ValueError(f"there is no kind of rule {kind!r}")
    return KINDS[kind].from_spec(spec)
