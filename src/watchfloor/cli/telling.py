"""``watchfloor silences`` and ``watchfloor deliveries``: what they ask of the desk, and how answers are printed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from watchfloor.cli.desk import Desk
from watchfloor.cli.plain import age, show_table
from watchfloor.domain.boards import SentDetail, SentRow, SilenceRow, StatusLine
from watchfloor.domain.durations import parse_duration
from watchfloor.domain.silences import Wish
from watchfloor.domain.text import one_line
from watchfloor.domain.words import count, grouped
from watchfloor.operations.actor import Refused
from watchfloor.store.deliveries import STATES, DeliveryFilter


def silences(over: bool) -> Callable[[Desk], Awaitable[tuple[Sequence[SilenceRow], StatusLine]]]:
    """The question for silences and the time they are from."""

    async def question(desk: Desk) -> tuple[Sequence[SilenceRow], StatusLine]:
        return await desk.silences(over=over), await desk.status()

    return question


def wish(
    matchers: Sequence[str], comment: str, lasts: str, starts: str, until_resolved: bool, everything: bool
) -> Wish:
    """A silence as it was asked for. Raises `Refused` for what cannot be read."""
    try:
        length = None if not lasts else timedelta(seconds=parse_duration(lasts))
    except ValueError as error:
        raise Refused(f"--for: {error}") from None
    return Wish(matchers, comment, length, moment("--at", starts), until_resolved, everything)


def moment(option: str, text: str) -> datetime | None:
    """A moment that somebody wrote; without an offset it is UTC. Raises `Refused`."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"{option}: write a moment such as 2026-12-24T18:00+01:00") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def add(asked: Wish) -> Callable[[Desk], Awaitable[str]]:
    """The request for a silence."""

    async def request(desk: Desk) -> str:
        open_now = (await desk.silence_reach(asked.matchers)).alerts
        made = await desk.add_silence(asked)
        return f"silence #{made}: matches {count(open_now, 'open alert')} now"

    return request


def change(silence: int, asked: Wish) -> Callable[[Desk], Awaitable[str]]:
    """The request to put another silence in the place of one."""

    async def request(desk: Desk) -> str:
        return f"silence #{await desk.change_silence(silence, asked)} replaces #{silence}"

    return request


def expire(ids: Sequence[int]) -> Callable[[Desk], Awaitable[str]]:
    """The request to end silences now."""

    async def request(desk: Desk) -> str:
        return "ended " + ", ".join(f"#{each}" for each in await desk.expire_silences(ids))

    return request


def show_silences(rows: Sequence[SilenceRow], now: datetime) -> None:
    """Print silences, the newest first."""
    table = [
        (
            f"#{row.id}",
            row.state,
            " ".join(row.matchers),
            _until(row),
            str(row.quiet),
            row.author,
            one_line(row.comment, 200),
        )
        for row in rows
    ]
    show_table(("ID", "STATE", "MATCHES", "UNTIL", "QUIET", "BY", "WHY"), table)


def _until(row: SilenceRow) -> str:
    resolved = "resolved" if row.until_resolved else ""
    if row.ends_at is None:
        return resolved
    return " or ".join(filter(None, (row.ends_at.astimezone().strftime("%Y-%m-%d %H:%M"), resolved)))


def deliveries(
    wanted: DeliveryFilter, before: str, limit: int
) -> Callable[[Desk], Awaitable[tuple[Sequence[SentRow], StatusLine]]]:
    """The question for messages and the time they are from. Raises `Refused` for a filter that means nothing."""
    if wanted.state is not None and wanted.state not in STATES:
        raise Refused(f"there is no state {one_line(wanted.state, 40)}; allowed: {', '.join(STATES)}")
    key = _key(before)

    async def question(desk: Desk) -> tuple[Sequence[SentRow], StatusLine]:
        return await desk.deliveries(wanted, key, limit), await desk.status()

    return question


def _key(text: str) -> tuple[datetime, UUID] | None:
    if not text:
        return None
    at, _, last = text.rpartition("/")
    found = moment("--before", at)
    try:
        last_id = UUID(last)
    except ValueError:
        last_id = None
    if found is None or last_id is None:
        raise Refused("--before: write the key that the page before ended with")
    return found, last_id


def show_deliveries(rows: Sequence[SentRow], now: datetime, limit: int) -> None:
    """Print messages, the newest first, and how to get to older ones."""
    table = [
        (
            age(row.created_at, now),
            row.state,
            row.channel,
            row.kind,
            row.reason or "-",
            "-" if row.alert_id is None else f"#{row.alert_id}",
            str(row.attempts),
            "-"
            if row.delivered_at is None
            else f"{max(0.0, (row.delivered_at - row.created_at).total_seconds()):.2f} s",
            one_line(f"{row.title}: {row.last_error}" if row.last_error else row.title, 200),
        )
        for row in rows
    ]
    show_table(("AGE", "STATE", "CHANNEL", "TYPE", "WHY", "ALERT", "ATTEMPTS", "TOOK", "WHAT"), table)
    if len(rows) == limit:
        last = rows[-1]
        print(f"older: --before {last.created_at.isoformat()}/{last.id}")


def delivery(message: str) -> Callable[[Desk], Awaitable[SentDetail]]:
    """The question for one message. Raises `Refused` for what is none."""
    try:
        known = UUID(message)
    except ValueError:
        raise Refused("That is no id of a message; `watchfloor deliveries --json` has them.") from None

    async def question(desk: Desk) -> SentDetail:
        found = await desk.sent(str(known))
        if found is None:
            raise Refused("There is no such message; `watchfloor deliveries --json` has the ids.")
        return found

    return question


def show_delivery(detail: SentDetail) -> None:
    """Print one message, what became of it first."""
    row = detail.row
    about = "" if row.alert_id is None else f" about #{row.alert_id}"
    whom = f" for {one_line(detail.person)}" if detail.person else ""
    print(f"{row.kind}{about} to {row.channel}{whom}: {row.state}, {count(row.attempts, 'attempt')}")
    if row.last_error:
        print(f"  {one_line(row.last_error, 500)}")
    print("what was sent:" if detail.made else "how it would read:")
    for line in (detail.title, *detail.text.splitlines()):
        print(f"  {line}")
    if detail.left_out:
        print(f"  … {grouped(detail.left_out)} more characters are not shown")
