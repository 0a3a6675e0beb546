"""SQL Server checks: can we sign in, and how fast does it answer.

The driver is an optional extra, watchfloor[sqlserver]. This module must never show the
address, which may hold a password.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from watchfloor.domain.outcome import Outcome
from watchfloor.probes.checking import Check, conduct
from watchfloor.probes.foreign import Foreign, is_address_of
from watchfloor.probes.limits import TimedSettings

_QUESTION = "SELECT @@VERSION"


class Settings(TimedSettings):
    """A SQL Server database."""

    dsn: Annotated[SecretStr, AfterValidator(is_address_of("sqlserver"))] = Field(
        description="The address, as in `sqlserver://watch@db.example.com/master`."
    )

    @cached_property
    def target(self) -> Foreign:
        """The database."""
        return Foreign("sqlserver", self.dsn.get_secret_value())


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Sign in once, ask for the version, and judge within ``timeout`` seconds."""
    check = Check(settings.target.secrets)
    return await conduct(check, timeout, settings.target.tell_version(check, _QUESTION, settings, timeout))
