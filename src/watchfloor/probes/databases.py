"""The databases that queries can be sent to: which one an address means, and how it is asked.

Every session is read only as far as the database can promise it, and ended with the check. This module must
never show an address, and never import a driver before a check needs it.
"""

from __future__ import annotations

from abc import abstractmethod
from time import perf_counter
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr, ValidationError

from watchfloor.probes.answer import Answer
from watchfloor.probes.checking import Check

LOCK_TIMEOUT_MS = 1000
"""How long a query may wait for a lock, in milliseconds."""


class Target(Protocol):
    """A database that can be asked."""

    product: str
    secrets: tuple[str, ...]

    @abstractmethod
    async def ask(self, check: Check, sql: str, timeout: float) -> Answer:
        """Send one statement and return what it yields. Raises `Fault` and `OSError`."""


class Postgres:
    """A PostgreSQL database."""

    product = "PostgreSQL"

    def __init__(self, dsn: str) -> None:
        # Imported here: whoever has no PostgreSQL to watch does not pay for it.
        from watchfloor.probes import postgres

        self._settings = postgres.Settings(dsn=SecretStr(dsn))
        self.secrets = self._settings.secrets

    async def ask(self, check: Check, sql: str, timeout: float) -> Answer:
        from watchfloor.probes.postgres import connected

        async with connected(self._settings.parameters, check, timeout) as session:
            # In a block, nothing that an address may set makes it write, and VACUUM and its like are refused.
            await session.run(
                f"SET statement_timeout = {_left_ms(check, timeout)}",
                f"SET lock_timeout = {LOCK_TIMEOUT_MS}",
                "BEGIN READ ONLY",
            )
            began = perf_counter()
            answer = await session.fetch(sql)
            check.spent("first_byte", began)
            return answer


class MySQL:
    """A MySQL or MariaDB database."""

    product = "MySQL"

    def __init__(self, dsn: str) -> None:
        from watchfloor.probes.mysql import AccountSettings

        parts = urlsplit(dsn)
        options = dict(parse_qsl(parts.query))
        if unknown := options.keys() - {"tls", "verify", "ca_file"}:
            raise ValueError(f"the address has an option that is not known: {sorted(unknown)[0][:40]}")
        given: dict[str, object] = {
            "host": parts.hostname or "",
            "port": parts.port or 3306,
            "database": unquote(parts.path.removeprefix("/")),
            **{name: options.get(name) == "true" for name in ("tls",) if name in options},
            **{name: options.get(name) != "false" for name in ("verify",) if name in options},
            **{name: options[name] for name in ("ca_file",) if name in options},
        }
        if parts.username:
            given["username"] = unquote(parts.username)
        if parts.password:
            given["password"] = unquote(parts.password)
        self._settings = AccountSettings.model_validate(given)
        self.secrets = self._settings.secrets

    async def ask(self, check: Check, sql: str, timeout: float) -> Answer:
        from watchfloor.probes.mysql import signed_in

        async with signed_in(self._settings, check, timeout) as (session, peer):
            left = _left_ms(check, timeout)
            limit = f"max_statement_time={left / 1000:.3f}"
            if "mariadb" not in session.version.lower():
                limit = f"max_execution_time={left}"
            waits = max(1, LOCK_TIMEOUT_MS // 1000)
            await session.ask(
                f"SET SESSION {limit}, innodb_lock_wait_timeout={waits}, lock_wait_timeout={waits}"
            )
            check.doing = f"waiting for the query at {peer.where}"
            return await session.ask(sql)


def target_of(dsn: str) -> Target:
    """Return the database that an address means. Raises `ValueError`, never quoting the address."""
    scheme = dsn.partition("://")[0].lower() if "://" in dsn[:20] else "postgresql"
    try:
        if scheme in ("postgresql", "postgres"):
            return Postgres(dsn)
        if scheme in ("mysql", "mariadb"):
            return MySQL(dsn)
        if scheme in ("sqlserver", "oracle"):
            from watchfloor.probes.foreign import Foreign

            return Foreign(scheme, dsn)
    except ValidationError as error:
        words = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(str(words.get("ctx", {}).get("error", "the address is malformed"))) from None
    except UnicodeError:
        raise ValueError("the address is malformed") from None
    raise ValueError("the address must begin with postgresql://, mysql://, sqlserver:// or oracle://")


def _left_ms(check: Check, timeout: float) -> int:
    """How long the statement may take, in milliseconds: what is left of the check."""
    return max(1, int((timeout - (perf_counter() - check.started)) * 1000))
