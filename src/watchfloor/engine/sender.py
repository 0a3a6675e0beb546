"""Sends one leased message through its channel, in words that are made once and stored before they are sent."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

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


class NotSent(Exception):
    """The database failed before anything was sent; ``cause`` is what it raised."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Sender:
    """Sends for one node; references in settings are resolved in its environment."""

    def __init__(self, node: Node, kinds: Mapping[str, Kind], base_dir: Path) -> None:
        """``base_dir`` is where relative references to files start."""
        self._node = node
        self._kinds = kinds
        self._base_dir = base_dir

    async def send(self, leased: Leased, channel: Channel | None) -> None:
        """One attempt. Raises `DeliveryError`, `NotSent` where the database is away, and what a kind does wrong."""
        if channel is None or not channel.enabled:
            raise DeliveryError(f"channel {leased.channel} is not enabled", permanent=True)
        kind = self._kinds.get(channel.kind)
        if kind is None:
            raise DeliveryError(f"this node has no channels of kind {channel.kind}")
        try:
            settings = build_settings(kind.settings, channel.settings, os.environ, self._base_dir)
        except ConfigError as error:
            raise DeliveryError(one_line(str(error))) from None
        payload = await self._payload(leased, kind, settings)
        sent_at = int(self._node.clock.now().timestamp())
        await kind.run(settings, Message(str(leased.id), leased.kind, payload, sent_at))

    async def _payload(self, leased: Leased, kind: Kind, settings: Settings) -> bytes:
        """The bytes to send: those of an earlier attempt if there was one, whatever the settings are by now."""
        if leased.rendered is not None:
            return leased.rendered
        if kind.render is None:
            return leased.payload
        made = kind.render(settings, Draft(str(leased.id), str(leased.thread), leased.payload))
        if made == leased.payload:
            return made
        try:
            async with self._node.database.transaction() as connection:
                return await outbox.keep_rendered(connection, leased, made)
        except Exception as error:
            raise NotSent(error) from error
