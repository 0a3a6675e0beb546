"""The judge of what was written in a form or by a command: the rules of the file, for one definition.

Loading it loads every settings model there is, a fifth of a second: only whoever judges should.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from watchfloor.config.entries import Models, key_names
from watchfloor.config.maintenance import MaintenanceConfig
from watchfloor.config.model import JobConfig, RuleConfig, ServiceConfig
from watchfloor.config.typed import judge_job, judge_rule, judge_service, judge_window
from watchfloor.operations.editing import Invalid


@dataclass(frozen=True, slots=True)
class Judge:
    """What is needed to judge what was written: the settings of each kind, and where references lead from here."""

    kinds: Models
    environ: Mapping[str, str] = field(repr=False)
    base_dir: Path

    def keys_of(self, kind: str) -> tuple[str, ...]:
        """The keys that are a kind's own, as they are written."""
        return key_names(self.kinds[kind])

    def job(self, raw: Mapping[str, Any]) -> JobConfig:
        """The job that was written. Raises `Invalid`."""
        judged = judge_job(raw, self.kinds, self.environ, self.base_dir)
        if judged.made is None:
            raise Invalid(judged.problems)
        return judged.made

    def service(self, raw: Mapping[str, Any]) -> ServiceConfig:
        """The service that was written. Raises `Invalid`."""
        judged = judge_service(raw, self.kinds, self.environ, self.base_dir)
        if judged.made is None:
            raise Invalid(judged.problems)
        return judged.made

    def rule(self, raw: Mapping[str, Any]) -> RuleConfig:
        """The rule that was written. Raises `Invalid`."""
        judged = judge_rule(raw, self.environ, self.base_dir)
        if judged.made is None:
            raise Invalid(judged.problems)
        return judged.made

    def window(self, raw: Mapping[str, Any]) -> MaintenanceConfig:
        """The maintenance window that was written. Raises `Invalid`."""
        judged = judge_window(raw, self.environ, self.base_dir)
        if judged.made is None:
            raise Invalid(judged.problems)
        return judged.made
