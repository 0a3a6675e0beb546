"""SQL Server checks: can we sign in, and how fast does it answer.

The driver is an optional extra, watchfloor[sqlserver]. This module must never show the
address, which may hold a password.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from watchfloor.domain.outcome import Outcome
from watchfloor.probes.checking import Check, Fault, conduct
from watchfloor.probes.findings import Findings
from watchfloor.probes.foreign import Foreign
from watchfloor.probes.limits import TimedSettings

_QUESTION = "SELECT @@VERSION"


def _is_address(dsn: SecretStr) -> SecretStr:
    if not dsn.get_secret_value().startswith("sqlserver://"):
        raise ValueError("the address must begin with sqlserver://")
    Foreign("sqlserver", dsn.get_secret_value())
    return dsn


class Settings(TimedSettings):
    """A SQL Server database."""

    dsn: Annotated[SecretStr, AfterValidator(_is_address)] = Field(
        description="The address, as in `sqlserver://watch@db.example.com/master`."
    )

    @cached_property
    def target(self) -> Foreign:
        """The database."""
        return Foreign("sqlserver", self.dsn.get_secret_value())


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Sign in once, ask for the version, and judge within ``timeout`` seconds."""
    check = Check(settings.target.secrets)
    return await conduct(check, timeout, _ask(settings, check, timeout))


async def _ask(settings: Settings, check: Check, timeout: float) -> Outcome:
    answer = await settings.target.ask(check, _QUESTION, timeout)
    if not answer.rows or not answer.rows[0]:
        raise Fault("SQL Server answered, but did not tell its version")
    version = check.clean(answer.rows[0][0] or "?", 100)
    return Findings(check).outcome("SQL Server answered", speed=settings, facts={"version": version})
