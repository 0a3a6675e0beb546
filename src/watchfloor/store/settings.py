"""Product settings and operators' preferences: defaults in the program, changes in the database."""

from __future__ import annotations

from watchfloor.domain.boards import SettingRow
from watchfloor.domain.settings import SETTINGS, Setting, Value, validate
from watchfloor.store.database import Connection, fetch_all, fetch_value
from watchfloor.store.jsonb import dumps


async def values(connection: Connection) -> dict[str, object]:
    """The effective value of every setting; what another version stored and this one cannot use is ignored."""
    found = {row.key: row.value for row in await fetch_all(connection, "SELECT key, value FROM settings")}
    return {setting.key: _effective(setting, found.get(setting.key)) for setting in SETTINGS}


async def time_zone(connection: Connection) -> str:
    """The zone in which messages tell times."""
    return str((await values(connection))["alerts.time_zone"])


def _effective(setting: Setting, stored: object) -> Value:
    try:
        return setting.default if stored is None else validate(setting, stored)
    except ValueError:
        return setting.default


async def rows(connection: Connection) -> list[SettingRow]:
    """Every setting with its value and where that comes from."""
    changed = {row.key: row for row in await fetch_all(connection, "SELECT * FROM settings")}
    result = []
    for setting in SETTINGS:
        row = changed.get(setting.key)
        result.append(
            SettingRow(
                key=setting.key,
                category=setting.category,
                value=_effective(setting, None if row is None else row.value),
                default=setting.default,
                source="default" if row is None else "database",
                unit=setting.unit,
                description=setting.description,
                kind=setting.kind,
                choices=tuple(setting.choices),
                changed_by="" if row is None else row.changed_by,
                changed_at=None if row is None else row.changed_at,
            )
        )
    return result


async def change(connection: Connection, key: str, value: object, actor: str) -> object | None:
    """Store a validated value; returns what was stored before (None: the default was in force)."""
    before = await fetch_value(
        connection, "SELECT value FROM settings WHERE key = %(key)s FOR UPDATE", {"key": key}
    )
    await connection.execute(
        "INSERT INTO settings AS s (key, value, changed_at, changed_by) "
        "VALUES (%(key)s, %(value)s::jsonb, now(), %(actor)s) ON CONFLICT (key) DO UPDATE "
        "SET value = EXCLUDED.value, changed_at = now(), changed_by = EXCLUDED.changed_by, version = s.version + 1",
        {"key": key, "value": dumps(value), "actor": actor},
    )
    found: object | None = before
    return found


async def reset(connection: Connection, key: str) -> object | None:
    """Go back to the default; returns the value that was stored, None if there was none."""
    row = await fetch_value(
        connection, "DELETE FROM settings WHERE key = %(key)s RETURNING value", {"key": key}
    )
    found: object | None = row
    return found


async def preferences(connection: Connection, operator: str) -> dict[str, object]:
    """What an operator's console remembers."""
    found = await fetch_all(
        connection, "SELECT key, value FROM preferences WHERE operator = %(operator)s", {"operator": operator}
    )
    return {row.key: row.value for row in found}


async def save_preference(connection: Connection, operator: str, key: str, value: object) -> None:
    """Remember ``value`` for an operator."""
    await connection.execute(
        "INSERT INTO preferences VALUES (%(operator)s, %(key)s, %(value)s::jsonb) "
        "ON CONFLICT (operator, key) DO UPDATE SET value = EXCLUDED.value",
        {"operator": operator, "key": key, "value": dumps(value)},
    )
