"""Oracle checks: can we sign in, and how fast does it answer.

The driver is an optional extra, watchfloor[oracle]. This module must never show the
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

_QUESTION = "SELECT banner FROM v$version"


class Settings(TimedSettings):
    """An Oracle database."""

    dsn: Annotated[SecretStr, AfterValidator(is_address_of("oracle"))] = Field(
        description="The address, as in `oracle://watch@db.example.com/ORCLPDB1`."
    )

    @cached_property
    def target(self) -> Foreign:
        """The database."""
        return Foreign("oracle", self.dsn.get_secret_value())


async def probe(settings: Settings, timeout: float) -> Outcome:
    """Sign in once, ask for the version, and judge within ``timeout`` seconds."""
    check = Check(settings.target.secrets)
    return await conduct(check, timeout, settings.target.tell_version(check, _QUESTION, settings, timeout))
