"""Makes leased messages ready and sends them through their channels, in words that are made once and stored before
they are sent for the first time.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from watchfloor.channels.message import DeliveryError, Draft, Message
from watchfloor.config.base import Settings
from watchfloor.config.kinds import Kind
from watchfloor.config.problems import ConfigError
from watchfloor.config.settings import build_settings
from watchfloor.domain.text import one_line
from watchfloor.engine.node import Node
from watchfloor.store import outbox
from watchfloor.store.outbox import Leased
from watchfloor.store.rules import Channel

log = logging.getLogger(__name__)

FRESH_S = 1.0
"""For so long the settings of a channel are what they were: secrets in files may be changed under them."""

WORDS_AT_ONCE = 16
"""Messages put into words before others may use the loop."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A message with everything that sending it needs, or with the reason why it cannot be sent."""

    leased: Leased
    channel: Channel | None
    kind: Kind | None = None
    settings: Settings | None = None
    payload: bytes = b""
    failure: DeliveryError | None = None


class Sender:
    """Sends for one node; references in settings are resolved in its environment."""

    def __init__(self, node: Node, kinds: Mapping[str, Kind], base_dir: Path) -> None:
        """``base_dir`` is where relative references to files start."""
        self._node = node
        self._kinds = kinds
        self._base_dir = base_dir
        self._built: dict[str, tuple[Channel, Settings, float]] = {}

    async def prepare(self, batch: Sequence[tuple[Leased, Channel | None]]) -> list[Ready]:
        """Put messages into words and store those that are new. Raises what the database raises."""
        ready: list[Ready] = []
        new: dict[UUID, bytes] = {}
        for leased, channel in batch:
            each = self._ready(leased, channel)
            ready.append(each)
            if each.failure is None and leased.rendered is None and each.payload != leased.payload:
                new[leased.id] = each.payload
                if len(new) % WORDS_AT_ONCE == 0:
                    await asyncio.sleep(0)
        if not new:
            return ready
        async with self._node.database.transaction() as connection:
            kept = await outbox.keep_rendered(connection, new)
        return [
            replace(each, payload=kept[each.leased.id]) if each.leased.id in kept else each for each in ready
        ]

    async def send(self, ready: Ready) -> Leased:
        """One attempt; returns the message as it was taken. Raises `DeliveryError` and what a kind does wrong."""
        if ready.failure is not None:
            raise ready.failure
        assert ready.kind is not None
        leased, sent_at = ready.leased, int(self._node.clock.now().timestamp())
        message = Message(str(leased.id), leased.kind, ready.payload, sent_at)
        remark: object = await ready.kind.run(ready.settings, message)
        return replace(leased, remark=one_line(remark, 500)) if isinstance(remark, str) else leased

    def _ready(self, leased: Leased, channel: Channel | None) -> Ready:
        try:
            kind, settings = self._built_settings(leased, channel)
            payload = self._payload(leased, kind, settings)
        except DeliveryError as error:
            return Ready(leased, channel, failure=error)
        except Exception as error:
            log.exception("channel %s cannot make its messages", leased.channel)
            failure = DeliveryError(one_line(f"{type(error).__name__}: {error}"))
            return Ready(leased, channel, failure=failure)
        return Ready(leased, channel, kind, settings, payload)

    def _built_settings(self, leased: Leased, channel: Channel | None) -> tuple[Kind, Settings]:
        if channel is None:
            raise DeliveryError(f"there is no channel {leased.channel} any more", permanent=True)
        if not channel.enabled:  # since it was taken: it waits with the others
            raise DeliveryError(f"channel {leased.channel} is switched off")
        kind = self._kinds.get(channel.kind)
        if kind is None:
            raise DeliveryError(f"this node has no channels of kind {channel.kind}")
        now = asyncio.get_running_loop().time()
        known = self._built.get(channel.name)
        if known is not None and known[0] == channel and now - known[2] < FRESH_S:
            return kind, known[1]
        try:
            settings = build_settings(kind.settings, channel.settings, os.environ, self._base_dir)
        except ConfigError as error:
            raise DeliveryError(one_line(str(error))) from None
        self._built[channel.name] = channel, settings, now
        return kind, settings

    def _payload(self, leased: Leased, kind: Kind, settings: Settings) -> bytes:
        """The bytes to send: those of an earlier attempt if there was one, whatever the settings are by now."""
        if leased.rendered is not None:
            return leased.rendered
        if kind.render is None:
            return leased.payload
        time_zone = str(self._node.settings["alerts.time_zone"])
        draft = Draft(str(leased.id), str(leased.thread), leased.payload, time_zone)
        made: bytes = kind.render(settings, draft)
        return made
