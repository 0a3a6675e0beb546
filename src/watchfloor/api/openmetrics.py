"""Figures as OpenMetrics text, version 1.0.0 (https://prometheus.io/docs/specs/om/open_metrics_spec/).

Families are not interleaved, each sample stands once, a unit is the end of its family's name, a counter's sample ends
in ``_total``, and the text ends with ``# EOF``. What would break one of these raises `ValueError`: nobody is sent a
text that a strict reader refuses.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class Type(StrEnum):
    """The type of a family; its value is what is written."""

    GAUGE = "gauge"
    COUNTER = "counter"
    INFO = "info"


_SUFFIX = {Type.GAUGE: "", Type.COUNTER: "_total", Type.INFO: "_info"}


@dataclass(frozen=True, slots=True)
class Sample:
    """One value with its labels."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Family:
    """Samples of one name. ``unit`` is the last part of the name where there is one."""

    name: str
    type: Type
    help: str
    samples: Sequence[Sample] = field(default=())
    unit: str = ""


def render(families: Iterable[Family]) -> str:
    """The text. Raises `ValueError` for what OpenMetrics does not allow."""
    lines: list[str] = []
    seen: set[str] = set()
    for family in families:
        if family.name in seen:
            raise ValueError(f"the family {family.name} stands twice")
        seen.add(family.name)
        lines += _family(family)
    return "\n".join([*lines, "# EOF", ""])


def _family(family: Family) -> list[str]:
    name, suffix = family.name, _SUFFIX[family.type]
    if not _METRIC.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a family")
    if suffix and name.endswith(suffix):
        raise ValueError(f"the name of the family {name} must not end in {suffix}: its samples do")
    if family.unit and (family.type is Type.INFO or not name.endswith(f"_{family.unit}")):
        raise ValueError(f"{name} cannot have the unit {family.unit}")
    lines = [f"# TYPE {name} {family.type}"]
    lines += [f"# UNIT {name} {family.unit}"] if family.unit else []
    lines.append(f"# HELP {name} {_escaped(family.help)}")
    seen: set[str] = set()
    for sample in family.samples:
        labels = _labels(sample.labels)
        if labels in seen:
            raise ValueError(f"the sample {name}{labels} stands twice")
        seen.add(labels)
        lines.append(f"{name}{suffix}{labels} {_number(sample.value, family.type)}")
    return lines


def _labels(labels: Mapping[str, str]) -> str:
    for name in labels:
        if not _LABEL.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a label")
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(labels.items()))
    return f"{{{inside}}}" if inside else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float, kind: Type) -> str:
    if kind is not Type.GAUGE and (math.isnan(value) or value < 0):
        raise ValueError(f"a {kind} cannot be {value}")
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))
