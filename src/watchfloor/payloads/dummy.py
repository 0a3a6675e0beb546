"""Does nothing, by plan: takes its time, succeeds or fails. To try schedules, retries and notices with."""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import Field

from watchfloor.config import base
from watchfloor.config.fields import DurationField, Seconds
from watchfloor.payloads.contract import Attempt, PayloadError

ERRORS = {"*": "whatever fail_with says"}


class Settings(base.Settings):
    """Settings of a dummy job."""

    lasts: Annotated[float, DurationField("0s", "1d")] = Field(Seconds(0), description="How long it takes.")
    says: str = Field("", description="What it prints.")
    fail_first: Annotated[int, Field(ge=0)] = Field(0, description="So many attempts of each run fail.")
    fail_with: Annotated[str, Field(pattern=r"^[a-z0-9.]{1,60}$")] = Field(
        "dummy.failure", description="The error class they fail with."
    )


async def run(settings: Settings, attempt: Attempt) -> None:
    """Do it. Raises `PayloadError` where the plan says so."""
    if settings.says:
        await attempt.output("stdout", settings.says.encode() + b"\n")
    await asyncio.sleep(float(settings.lasts))
    if attempt.attempt <= settings.fail_first:
        raise PayloadError(settings.fail_with, f"attempt {attempt.attempt} fails by plan")
