"""What a person can do with silences: add, change, end. Each holds at once, for alerts that are open already, too."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from watchfloor.domain.matchers import (
    BadMatcher,
    Matchers,
    match,
    match_everything,
    parse_all,
    subject_labels,
)
from watchfloor.domain.silences import Reach, Wish
from watchfloor.domain.text import one_line
from watchfloor.operations.actor import Actor, Refused, may_change
from watchfloor.operations.ageing import bring_in_line
from watchfloor.store import audit, policy, silences, telling
from watchfloor.store.database import Connection, Database
from watchfloor.store.health import clock
from watchfloor.store.pulse import pulse

COMMENT_LIMIT = 500
LONGEST = timedelta(days=366)


async def add(database: Database, actor: Actor, wish: Wish) -> int:
    """Silence what matches; returns the number of the silence. Raises `Refused`."""
    [made] = await add_all(database, actor, [wish])
    return made


async def add_all(database: Database, actor: Actor, wishes: Sequence[Wish]) -> list[int]:
    """Silence what matches one of the wishes, with a silence for each; returns their numbers. Raises `Refused`."""
    may_change(actor)
    wanted = [(wish, *_checked(wish)) for wish in wishes]
    made: list[int] = []
    async with database.transaction() as connection:
        now = await clock(connection)
        for wish, matchers, comment in wanted:
            starts, ends = _span(wish, now)
            number = await silences.add(
                connection, matchers, starts, ends, wish.until_resolved, actor.name, comment
            )
            after = _shown(matchers, starts, ends, comment)
            await audit.record(
                connection, [audit.Line(actor.name, "add", "silence", str(number), None, after)]
            )
            made.append(number)
        await _in_force(connection, now)
    return made


async def change(database: Database, actor: Actor, silence_id: int, wish: Wish) -> int:
    """Put another silence in the place of one; returns its number. What was in force stays on record as it was.

    Raises `Refused`.
    """
    may_change(actor)
    matchers, comment = _checked(wish)
    async with database.transaction() as connection:
        now = await clock(connection)
        before = await silences.lock(connection, silence_id)
        if before is None or (before.ends_at is not None and before.ends_at <= now):
            raise Refused(f"There is no silence #{silence_id} in force or to come.")
        starts, ends = _span(wish, now)
        await silences.end(connection, [silence_id], now, actor.name)
        made = await silences.add(
            connection, matchers, starts, ends, wish.until_resolved, actor.name, comment, silence_id
        )
        was = _shown(before.matchers, before.starts_at, before.ends_at, before.comment)
        await _settle(connection, actor, "change", made, was, _shown(matchers, starts, ends, comment), now)
    return made


async def expire(database: Database, actor: Actor, silence_ids: Sequence[int]) -> list[int]:
    """End silences now; returns those that were in force or to come. Raises `Refused` where none was."""
    may_change(actor)
    ended: list[int] = []
    async with database.transaction() as connection:
        now = await clock(connection)
        for silence_id in sorted(set(silence_ids)):
            before = await silences.lock(connection, silence_id)
            if before is None or (before.ends_at is not None and before.ends_at <= now):
                continue
            await silences.end(connection, [silence_id], now, actor.name)
            was = _shown(before.matchers, before.starts_at, before.ends_at, before.comment)
            line = audit.Line(actor.name, "expire", "silence", str(silence_id), was, {"ends_at": now})
            await audit.record(connection, [line])
            ended.append(silence_id)
        if not ended:
            raise Refused("There is no such silence in force or to come.")
        await _in_force(connection, now)
    return ended


async def reinstate(database: Database, actor: Actor, silence_id: int, ends_at: datetime | None) -> int:
    """Take the end of a silence back: another one like it, until ``ends_at``, the moment before. Raises `Refused`."""
    may_change(actor)
    async with database.transaction() as connection:
        now = await clock(connection)
        before = await silences.lock(connection, silence_id)
        if before is None:
            raise Refused(f"There is no silence #{silence_id}.")
        if before.ends_at is None or before.ends_at > now:
            raise Refused(f"Silence #{silence_id} is in force.")
        if ends_at is not None and ends_at <= now:
            raise Refused(f"Silence #{silence_id} would be over by now.")
        made = await silences.add(
            connection,
            before.matchers,
            now,
            ends_at,
            before.until_resolved,
            actor.name,
            before.comment,
            silence_id,
        )
        after = _shown(before.matchers, now, ends_at, before.comment)
        await _settle(connection, actor, "reinstate", made, None, after, now)
    return made


async def reach(database: Database, matchers: Sequence[str]) -> Reach:
    """What a silence with these matchers would keep quiet now. Raises `Refused` for bad ones."""
    wanted = _parsed(matchers)
    async with database.transaction() as connection:
        in_force = await policy.load(connection, await clock(connection))
        found = await telling.open_alerts(connection)
    hit = [
        each.labels
        for each in found
        if match(wanted, subject_labels(each.labels, in_force.rule(each.rule_id).name, each.severity))
    ]
    return Reach(len(hit), len({labels["service"] for labels in hit if labels.get("service")}))


def _parsed(matchers: Sequence[str]) -> Matchers:
    try:
        return parse_all(matchers)
    except BadMatcher as error:
        raise Refused(one_line(f"{error}.", 300)) from None


def _checked(wish: Wish) -> tuple[Matchers, str]:
    matchers, comment = _parsed(wish.matchers), one_line(wish.comment, COMMENT_LIMIT)
    if not matchers:
        raise Refused("A silence needs a matcher, such as service=shop.")
    if match_everything(matchers) and not wish.everything:
        raise Refused("This would silence every alert there is; say so explicitly (--yes) if that is meant.")
    if not comment:
        raise Refused("A silence needs a comment: why, for those who come after you.")
    if wish.lasts is None and not wish.until_resolved:
        raise Refused("A silence needs an end: how long it lasts, or until it is resolved.")
    if wish.lasts is not None and not timedelta(0) < wish.lasts <= LONGEST:
        raise Refused("A silence lasts longer than nothing and at most a year.")
    return matchers, comment


def _span(wish: Wish, now: datetime) -> tuple[datetime, datetime | None]:
    starts = now if wish.starts_at is None else wish.starts_at
    if starts < now - timedelta(minutes=1):
        raise Refused("A silence cannot begin in the past: what was told was told.")
    if starts > now + LONGEST:
        raise Refused("A silence begins within a year.")
    return starts, None if wish.lasts is None else starts + wish.lasts


def _shown(matchers: Matchers, starts: datetime, ends: datetime | None, comment: str) -> dict[str, object]:
    return {
        "matchers": [str(matcher) for matcher in matchers],
        "starts_at": starts,
        "ends_at": ends,
        "comment": comment,
    }


async def _settle(
    connection: Connection,
    actor: Actor,
    action: str,
    silence_id: int,
    before: dict[str, object] | None,
    after: dict[str, object],
    now: datetime,
) -> None:
    line = audit.Line(actor.name, action, "silence", str(silence_id), before, after)
    await audit.record(connection, [line])
    await _in_force(connection, now)


async def _in_force(connection: Connection, now: datetime) -> None:
    """Let what was changed hold for alerts that are open already."""
    await bring_in_line(connection, now)
    await pulse(connection, "alerts", "health", "outbox")
