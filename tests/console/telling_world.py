# ruff: noqa: E501
"""The made-up silences, messages and channels of the console's world."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from watchfloor.domain.boards import SentRow, SilenceRow
from watchfloor.domain.channel_boards import ChannelRow
from watchfloor.domain.duty_boards import DutyRow
from watchfloor.store.deliveries import DeliveryFilter


def silence_rows(now: datetime) -> list[SilenceRow]:
    """Silences, the newest first."""

    def row(
        id_: int,
        state: str,
        matchers: tuple[str, ...],
        starts: float,
        hours: float | None,
        author: str,
        comment: str,
        quiet: int = 0,
    ) -> SilenceRow:
        begins = now + timedelta(hours=starts)
        ends = None if hours is None else begins + timedelta(hours=hours)
        return SilenceRow(
            id_, state, matchers, begins, ends, hours is None, author, comment, begins, "", None, quiet
        )

    return [
        row(9, "planned", ("group=mail",), 5, 2, "robin", "the provider moves its racks tonight"),
        row(8, "active", ("service=docs", "severity!=emergency"), -1, 4, "kim", "deploy of the new search", 1),
        row(7, "active", ('service=~"old .*"',), -30, None, "robin", "known, see ticket 8841"),
        row(6, "over", ("kind=tls",), -40, 2, "kim", "certificates were renewed"),
    ]  # fmt: skip


def sent_rows(now: datetime) -> list[SentRow]:
    """Messages, the newest first."""

    def row(
        number: int,
        channel: str,
        kind: str,
        state: str,
        alert: int | None,
        title: str,
        minutes: float,
        **more: object,
    ) -> SentRow:
        at = now - timedelta(minutes=minutes)
        given: dict[str, object] = {
            "reason": "first",
            "attempts": 1,
            "delivered_at": at + timedelta(seconds=0.24) if state == "delivered" else None,
            "next_try_at": now + timedelta(minutes=2) if state == "queued" else None,
            "last_error": "",
        }
        return SentRow(
            id=str(UUID(int=number)),
            channel=channel,
            kind=kind,
            state=state,
            alert_id=alert,
            title=title,
            created_at=at,
            **{**given, **more},
        )  # type: ignore[arg-type]

    return [
        row(9, "chat", "alert.firing", "delivered", 42, "shop checkout is failing", 3),
        row(8, "pager", "alert.firing", "queued", 42, "shop checkout is failing", 3, attempts=2, last_error="HTTP 503 from https://pager.example"),
        row(7, "chat", "alert.firing", "delivered", 40, "shop catalogue is degraded", 21),
        row(6, "pager", "alert.firing", "dead", 41, "mail relay is failing", 118, attempts=8, last_error="HTTP 401 from https://pager.example"),
        row(5, "chat", "alert.acknowledged", "delivered", 41, "mail relay is failing", 116),
        row(4, "pager", "alert.firing", "dead", 39, "reporting database is unknown", 1190, attempts=8, last_error="HTTP 401 from https://pager.example"),
        row(3, "chat", "alerts.firing", "cancelled", None, "12 alerts", 1200, last_error="it was over before this could be sent"),
    ]  # fmt: skip


def sent_meets(row: SentRow, wanted: DeliveryFilter, before: tuple[datetime, UUID] | None) -> bool:
    """Whether a message is asked for."""
    return (
        wanted.channel in (None, row.channel)
        and wanted.state in (None, row.state)
        and wanted.alert_id in (None, row.alert_id)
        and (before is None or (row.created_at, UUID(row.id)) < before)
        and (wanted.text is None or wanted.text.casefold() in f"{row.title} {row.last_error}".casefold())
    )


def duty_lines(now: datetime) -> list[DutyRow]:
    """Two rotas, of which one has nobody, a chain that runs, one that stands still, and what is held."""
    return [
        DutyRow("rota", "operations", "primary", now + timedelta(hours=20), "deputy"),
        DutyRow("rota", "databases", "nobody", now + timedelta(hours=3), "primary"),
        DutyRow(
            "chain", "#42 shop is failing", "person deputy", now + timedelta(minutes=4), "step 2 of 3", 42
        ),
        DutyRow("paused", "#40 mail is failing", "rota operations", None, "step 1 of 2", 40),
        DutyRow("held", "#39 disk is nearly full", "primary", now + timedelta(hours=6), "on chat", 39),
    ]


def channel_rows(now: datetime) -> list[ChannelRow]:
    """One that works, one that fails and is spared, one that is off."""
    return [
        ChannelRow("chat", "slack", True, 0, None, None, "", 412, 0, 0, 415, 0.21, 0.9, now - timedelta(minutes=4)),
        ChannelRow(
            "pager", "webhook", True, 7, now - timedelta(minutes=12), now + timedelta(minutes=1),
            "the receiver answered 503", 88, 3, 2, 120, 0.34, 12.0, now - timedelta(hours=2),
        ),
        ChannelRow("old mail", "email", False, 0, None, None, "", 0, 0, 0, 0, None, None, None),
    ]  # fmt: skip
