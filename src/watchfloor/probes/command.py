"""Checks by a program of one's own: Nagios plugins, and anything else with an exit code.

The program is started without a shell and ended when the check is over, with everything it started. This
module must never show the values of the variables it is given.
"""

from __future__ import annotations

import signal
from functools import cached_property
from time import perf_counter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.domain.text import clean
from watchfloor.probes import plugin_output, programs
from watchfloor.probes.checking import Check, conduct
from watchfloor.probes.findings import Findings
from watchfloor.probes.limits import TimedSettings
from watchfloor.probes.text import label, safe_line, spoken_secrets

_CODES = {0: Status.OK, 1: Status.DEGRADED, 2: Status.FAILING, 3: Status.UNKNOWN}
_STRANGE = {126: "the program is not executable", 127: "the program, or one that it starts, was not found"}


def _startable(command: list[str]) -> list[str]:
    if any("\0" in word for word in command):
        raise ValueError("a NUL character is in the command")
    if not command[0]:
        raise ValueError("the first word is the program to start; it is empty")
    return command


class Settings(TimedSettings):
    """A program and what its exit code means."""

    command: Annotated[list[str], AfterValidator(_startable)] = Field(
        min_length=1,
        max_length=100,
        description="The program and its arguments, one item each; no shell reads them. Everybody on this "
        "machine can see them while it runs: secrets belong in `env`.",
    )
    codes: Literal["nagios", "simple"] = Field(
        "nagios",
        description="What exit codes mean: nagios is 0 ok, 1 degraded, 2 failing, 3 unknown; simple is 0 ok, "
        "all else failing.",
    )
    env: dict[str, SecretStr] = Field(
        {}, max_length=50, description="Variables to set for it. Their values are never shown."
    )
    cwd: str | None = Field(None, description="The directory to start it in.")

    @cached_property
    def plain_env(self) -> dict[str, str]:
        """The variables as the program gets them."""
        return {name: value.get_secret_value() for name, value in self.env.items()}

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        return spoken_secrets(self.plain_env.values())


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Run the program once and judge how it ends within ``timeout`` seconds."""
    check = Check(settings.secrets)
    check.doing = f"running {settings.command[0]}"
    return await conduct(check, timeout, _run(settings, check))


async def _run(settings: Settings, check: Check) -> Outcome:
    began = perf_counter()
    ended = await programs.run(settings.command, check.left, settings.plain_env, settings.cwd)
    took = check.spent("transfer", began) - began
    said = plugin_output.parse(ended.output.decode("utf-8", "replace"))
    findings = Findings(check)
    status, words = _meaning(settings, ended.code)
    if status is not Status.OK and words:
        findings.add(status, words)
    findings.status = max(findings.status, status)
    head = (
        said.summary
        or check.clean(ended.errors, 150)
        or f"the program printed nothing (exit code {ended.code})"
    )
    metrics = {"run_seconds": took, "exit_code": float(ended.code)}
    for figure in said.figures:
        name = label(safe_line(figure.label, settings.secrets, 60))
        metrics[f"{figure.unit or 'value'}{{label={name}}}"] = figure.value
    facts: dict[str, object] = {"exit_code": ended.code}
    for key, text in (("details", said.details), ("errors", ended.errors.decode("utf-8", "replace"))):
        if lines := "\n".join(check.clean(line, 300) for line in clean(text, 4000).splitlines()):
            facts[key] = lines
    return findings.outcome(head, speed=settings, metrics=metrics, facts=facts)


def _meaning(settings: Settings, code: int) -> tuple[Status, str]:
    """What an exit code stands for, with words where the program's own may not say it."""
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return Status.UNKNOWN, f"the program was ended by {name}"
    if settings.codes == "simple":
        return (Status.OK, "") if code == 0 else (Status.FAILING, f"exit code {code}")
    if code in _CODES:
        return _CODES[code], ""
    return Status.UNKNOWN, _STRANGE.get(code, f"exit code {code} means nothing to Nagios")
