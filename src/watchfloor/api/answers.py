"""What is answered to whom. A path or a token is never logged."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from watchfloor.api.metrics import families
from watchfloor.api.openmetrics import CONTENT_TYPE, render
from watchfloor.api.request import Refusal, Request
from watchfloor.api.strangers import Strangers
from watchfloor.domain.heartbeats import Signal
from watchfloor.operations.actor import Refused
from watchfloor.operations.heartbeats import Said, ping_by_token
from watchfloor.store.database import Database, fetch_value
from watchfloor.store.exposition import figures
from watchfloor.store.heartbeats import hashed, token_digests

DIGESTS_S = 1.0
PLAIN = "text/plain; charset=utf-8"

_PING = re.compile(r"/ping/([0-9A-Za-z_-]{1,100})(?:/(start|fail|log|[0-9]{1,3}))?", re.ASCII)
_LOOKS = ("GET", "HEAD")
_PINGS = ("GET", "HEAD", "POST")


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a text, and what kind of text; ``allow`` names the methods where another was used."""

    status: int
    text: str
    content_type: str = PLAIN
    allow: str = ""


class Answers:
    """Answers requests on behalf of one node."""

    def __init__(self, database: Database, not_ready: Callable[[], str]) -> None:
        """``not_ready`` says why the engine of this node does not work; empty when it does."""
        self._database = database
        self._not_ready = not_ready
        self._strangers = Strangers()
        self._digests: frozenset[bytes] = frozenset()
        self._digests_at = -math.inf
        self._reading = asyncio.Lock()

    async def answer(self, request: Request, peer: str) -> Answer:
        """The answer. Raises `Refusal`, and what a database raises that is away."""
        try:
            url = urlsplit(request.url)
        except ValueError:
            raise Refusal(400, "that is no address") from None
        looks = {"/healthz": self._healthz, "/readyz": self._readyz, "/metrics": self._metrics}
        look = looks.get(url.path)
        if look is not None:
            return await look() if request.method in _LOOKS else _not_allowed(_LOOKS)
        match = _PING.fullmatch(url.path)
        if match is None:
            raise Refusal(404, "there is nothing here")
        if request.method not in _PINGS:
            return _not_allowed(_PINGS)
        return await self._ping(match[1], match[2], url.query, request.body, peer)

    async def _healthz(self) -> Answer:
        """This process turns; a database that is away is no reason to kill it."""
        return Answer(200, "ok\n")

    async def _readyz(self) -> Answer:
        reason = self._not_ready()
        if reason:
            return Answer(503, f"not ready: {reason}\n")
        async with self._database.connection() as connection:
            await fetch_value(connection, "SELECT 1")
        return Answer(200, "ready\n")

    async def _metrics(self) -> Answer:
        async with self._database.transaction() as connection:
            found = await figures(connection)
        return Answer(200, render(families(found)), CONTENT_TYPE)

    async def _ping(self, token: str, what: str | None, query: str, body: bytes, peer: str) -> Answer:
        text = body.decode("utf-8", "replace")
        try:
            run_id = parse_qs(query, max_num_fields=20).get("rid", [None])[-1]
        except ValueError:
            raise Refusal(400, "the query is not understood") from None
        if what is None or not what.isdecimal():
            said = Said(Signal.SUCCESS if what is None else Signal(what), None, run_id, text)
        else:
            said = Said(exit_status=int(what), run_id=run_id, body=text)
        if self._strangers.too_often(peer) and not await self._is_known(token):
            return Answer(429, "too many wrong tokens from this address\n")
        try:
            known = await ping_by_token(self._database, token, said, f"http {peer}")
        except Refused as refused:
            raise Refusal(400, str(refused)) from None
        if not known:
            self._strangers.wrong(peer)
            raise Refusal(404, "there is nothing here")
        return Answer(200, "OK\n")

    async def _is_known(self, token: str) -> bool:
        """Whether there is this token, as of a second ago."""
        async with self._reading:
            if time.monotonic() - self._digests_at > DIGESTS_S:
                async with self._database.connection() as connection:
                    self._digests = await token_digests(connection)
                self._digests_at = time.monotonic()
        return hashed(token) in self._digests


def _not_allowed(methods: tuple[str, ...]) -> Answer:
    return Answer(405, "not with this method\n", allow=", ".join(methods))
