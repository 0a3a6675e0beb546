"""The script of the demo: what goes wrong, where and when.

The first minutes of every world, whatever its seed:

* Two things were broken before you arrived and stay so: the archive's certificate has expired, and the name
  of the partner's feed does not exist. One is about to be: the payment certificate expires in nine days.
* After 5 to 8 seconds the checkout answers 503. It stays down for about two minutes, long enough to be
  acknowledged, then heals, and falls again within the next five minutes.
* After about 10 seconds nobody listens on the port of the session store any more. It comes back within a
  minute.
* The invoices fail for a second now and then: a soft state that recovers before anybody is woken.
* The profile API flaps for a minute, the status API answers 200 with a body that says otherwise, the images
  become slow, the reports stop answering at all. The search is as fast as its day allows.
* The job that syncs the stock, which reports itself (`watchfloor.demo.reporter`), falls silent after 20 to 25 seconds
  and is down ten seconds later, for the best part of a minute.

* The job that balances the ledger dies within two minutes, so the query for runs that nobody settled is over its limit
  from then on: the database it is sent to is well, and `:databases` names the query.

The seed moves every begin, every length and every latency, within these bounds. `fault` is a pure function
of seed, server and time: the same seed is the same world, and a test may ask about any moment. It must never
read a clock, keep state or cost more the longer the world has been running.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a server behaves at one moment.

    ``listening``: whether its port accepts connections. ``status``: the HTTP status that takes the place of
    the usual one, None for the usual one. ``delay``: seconds before the first byte of the answer. ``wrong``:
    whether the body says something other than it should.
    """

    listening: bool = True
    status: int | None = None
    delay: float = 0.0
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """A stretch of time that comes once in every ``period``; all figures are seconds.

    In the first period it begins within ``first``, later anywhere from ``first[0]`` on that lets it end
    within its period; it lasts somewhere within ``lasting``.
    """

    first: tuple[float, float]
    lasting: tuple[float, float]
    period: float

    def covers(self, key: str, t: float) -> bool:
        """Whether the moment ``t`` (seconds since the start, not negative) lies within this trouble."""
        cycle = int(t // self.period)
        earliest, latest = self.first
        if cycle:
            latest = self.period - self.lasting[1]
        begin = cycle * self.period + between(earliest, latest, f"{key}/{cycle}/begin")
        return begin <= t < begin + between(*self.lasting, f"{key}/{cycle}/length")


@dataclass(frozen=True, slots=True)
class Story:
    """What happens to one server.

    ``calm``: its usual seconds to the first byte; ``swing``: how far that wanders, as the power of e at the
    extremes. The ``symptom`` shows while every one of ``troubles`` is on; its delay comes on top.
    """

    calm: float
    swing: float = 0.5
    symptom: Behaviour = Behaviour()
    troubles: tuple[Trouble, ...] = ()


STORIES: Mapping[str, Story] = {
    "storefront": Story(calm=0.018),
    "checkout-api": Story(
        calm=0.035,
        symptom=Behaviour(status=503),
        troubles=(Trouble(first=(5, 8), lasting=(110, 130), period=300),),
    ),
    "search": Story(calm=0.11, swing=2.2),
    "image-cdn": Story(
        calm=0.006,
        symptom=Behaviour(delay=0.4),
        troubles=(Trouble(first=(70, 100), lasting=(15, 25), period=240),),
    ),
    "payment-gateway": Story(calm=0.022),
    "login": Story(calm=0.03),
    "profile-api": Story(
        calm=0.015,
        symptom=Behaviour(status=500),
        troubles=(
            Trouble(first=(25, 35), lasting=(50, 70), period=260),
            Trouble(first=(1, 3), lasting=(3, 4.5), period=8),
        ),
    ),
    "sessions": Story(
        calm=0.002,
        symptom=Behaviour(listening=False),
        troubles=(Trouble(first=(9, 11), lasting=(35, 50), period=180),),
    ),
    "status-api": Story(
        calm=0.01,
        symptom=Behaviour(wrong=True),
        troubles=(Trouble(first=(32, 45), lasting=(20, 30), period=150),),
    ),
    "mail-relay": Story(calm=0.004),
    "invoices": Story(
        calm=0.045,
        symptom=Behaviour(status=502),
        troubles=(Trouble(first=(3, 9), lasting=(0.8, 1.6), period=20),),
    ),
    "reports": Story(
        calm=0.08,
        swing=0.9,
        symptom=Behaviour(delay=10),
        troubles=(Trouble(first=(150, 170), lasting=(12, 16), period=290),),
    ),
    "archive": Story(calm=0.02),
}
"""Every server of the world and its story, by name."""


def fault(seed: int, server: str, t: float) -> Behaviour:
    """How ``server`` behaves ``t`` seconds after the start of the world of this seed.

    Raises KeyError when no such server is in the script. Before the start nothing is wrong.
    """
    story = STORIES[server]
    delay = story.calm * math.exp(story.swing * _wander(f"{seed}/{server}", t))
    if troubled(seed, server, t):
        return replace(story.symptom, delay=story.symptom.delay + delay)
    return Behaviour(delay=delay)


def troubled(seed: int, server: str, t: float) -> bool:
    """Whether ``server`` shows its symptom at that moment; arguments and errors as for `fault`."""
    troubles = STORIES[server].troubles
    if t < 0 or not troubles:
        return False
    return all(trouble.covers(f"{seed}/{server}/{n}", t) for n, trouble in enumerate(troubles))


_OCTAVES = ((97.0, 0.50), (31.0, 0.25), (7.0, 0.15), (1.3, 0.10))
"""Seconds between the fixed points of each layer of the wandering, and the layer's share of it."""


def _wander(key: str, t: float) -> float:
    """A smooth random course between -1 and 1: slow moods with quicker ones on top."""
    return sum(share * _layer(f"{key}/{every}", t / every) for every, share in _OCTAVES)


def _layer(key: str, x: float) -> float:
    """A random value between -1 and 1 at every whole ``x``, and a smooth way from each to the next."""
    whole = math.floor(x)
    part = x - whole
    ease = part * part * (3 - 2 * part)
    here, there = (between(-1, 1, f"{key}/{n}") for n in (whole, whole + 1))
    return here + (there - here) * ease


def between(low: float, high: float, key: str) -> float:
    """A number from ``low`` to below ``high`` that depends on ``key`` alone, on any machine."""
    digest = blake2b(key.encode(), digest_size=8).digest()
    return low + (high - low) * int.from_bytes(digest, "big") / 2**64
