"""``watchfloor channels``: how they do, a test of one, dead letters and their replay."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

from watchfloor.cli.desk import Desk
from watchfloor.cli.plain import age, show_table
from watchfloor.domain.boards import StatusLine
from watchfloor.domain.channel_boards import ChannelRow, DeadLetterRow
from watchfloor.domain.text import one_line
from watchfloor.domain.words import count
from watchfloor.operations.actor import Refused

LOOK_S = 0.1


async def channels(desk: Desk) -> tuple[Sequence[ChannelRow], StatusLine]:
    """The channels and the time they are from."""
    return await desk.channels(), await desk.status()


def dead_letters(
    channel: str | None,
) -> Callable[[Desk], Awaitable[tuple[Sequence[DeadLetterRow], StatusLine]]]:
    """The question for dead letters and the time they are from."""

    async def question(desk: Desk) -> tuple[Sequence[DeadLetterRow], StatusLine]:
        return await desk.dead_letters(channel), await desk.status()

    return question


def replay(ids: Sequence[str], channel: str | None) -> Callable[[Desk], Awaitable[str]]:
    """The request to send dead letters again. Raises `Refused` for what is no id."""
    if not ids and channel is None:
        raise Refused("Name dead letters (`watchfloor channels dead` lists them) or --channel.")
    known = _ids(ids)

    async def request(desk: Desk) -> str:
        done = await desk.replay(known, channel)
        return f"{count(done.queued, 'message')} queued again" + (f"\n{done.why}" if done.why else "")

    return request


def discard(ids: Sequence[str]) -> Callable[[Desk], Awaitable[str]]:
    """The request to take dead letters off the list. Raises `Refused` for what is no id."""
    known = _ids(ids)

    async def request(desk: Desk) -> str:
        return f"{count(await desk.discard_letters(known), 'dead letter')} discarded"

    return request


def _ids(ids: Sequence[str]) -> list[UUID]:
    try:
        return [UUID(each) for each in ids]
    except ValueError:
        raise Refused("That is no id of a dead letter; `watchfloor channels dead` lists them.") from None


def switch(channel: str, on: bool) -> Callable[[Desk], Awaitable[str]]:
    """The request to switch a channel on or off. Raises `Refused`."""

    async def request(desk: Desk) -> str:
        told, name = await desk.set_channel_enabled(channel, on), one_line(channel, 100)
        word = "on" if on else "off"
        if told is None:
            return f"{name} is {word} already"
        return f"{name} is {word}" + (f"; told after all: {count(told, 'message')}" if told else "")

    return request


def trial(channel: str, wait_s: float) -> Callable[[Desk], Awaitable[str]]:
    """The request to try a channel. Raises `Refused` with what went wrong."""

    async def request(desk: Desk) -> str:
        if (await desk.status()).nodes_live == 0:
            raise Refused("No engine runs on this database, so nobody delivers; start `watchfloor serve`.")
        began = time.monotonic()
        message = await desk.try_channel(channel)
        while time.monotonic() - began < wait_s:
            state, error = await desk.delivery(message)
            if state == "delivered":
                return f"delivered in {time.monotonic() - began:.1f} s"
            if state in ("dead", "cancelled"):
                raise Refused(f"Channel {one_line(channel, 100)} failed: {error}")
            await asyncio.sleep(LOOK_S)
        raise Refused(
            f"Nothing is known of it after {wait_s:g} s; `watchfloor channels dead` may tell later."
        )

    return request


def state_word(row: ChannelRow) -> str:
    """The one word for the state of a channel."""
    if not row.enabled:
        return "off"
    if row.open_since is not None:
        return "failing"
    return "unsteady" if row.failures else "ok"


def show_channels(rows: Sequence[ChannelRow], now: datetime) -> None:
    """Print the channels; figures are of the last seven days."""
    table = [
        (
            state_word(row),
            row.name,
            row.kind,
            str(row.delivered),
            str(row.waiting),
            str(row.dead),
            "-" if row.p50 is None else f"{row.p50:.2f} s",
            "-" if row.p95 is None else f"{row.p95:.2f} s",
            age(row.last_delivered_at, now),
            row.last_error,
        )
        for row in rows
    ]
    head = ("STATE", "CHANNEL", "KIND", "DELIVERED", "WAITING", "DEAD", "P50", "P95", "LAST", "ERROR")
    show_table(head, table)


def show_dead_letters(rows: Sequence[DeadLetterRow], now: datetime) -> None:
    """Print dead letters, the newest first."""
    table = [
        (
            row.id,
            row.channel,
            "-" if row.alert_id is None else f"#{row.alert_id}",
            row.kind,
            str(row.attempts),
            age(row.created_at, now),
            one_line(f"{row.title}: {row.last_error}" if row.title else row.last_error, 200),
        )
        for row in rows
    ]
    show_table(("ID", "CHANNEL", "ALERT", "TYPE", "ATTEMPTS", "AGE", "WHAT"), table)
