"""The flow: how much may be sent to a terminal now, learned from how soon it answers.

A kernel and an SSH server take what is written long before anybody sees it. So the terminal is asked where its cursor
is, before a frame and after it, each time with the cursor put into another column, so that an answer names its
question. An answer says that everything before it was drawn: the first tells the delay of the line, the time between
the two its rate. On the way is kept only what the line carries in `QUEUE_S`: a key never
waits behind old frames, and a client that stopped has at most a moment of the past before it when it goes on. Pure:
every function takes the time (monotonic, seconds); sizes are bytes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import inf

QUEUE_S = 0.1
"""What is on the way may make a key wait so long."""
STALL_S = 1.0
"""A terminal that owes an answer for so long beyond its usual delay gets nothing more until it answers."""
ASK_AGAIN_S = 5.0
"""A stalled terminal is asked once more so often: an answer may have been lost with its window."""
MARK_S = 5.0
"""So long after a slow moment the link still counts as slow."""
LOOK_EVERY_S = 0.25
"""While only an answer can help, the clock is looked at so often."""
ASK_EVERY_S = 0.25
ASK_EVERY_BYTES = 2_048
SHARE = 0.7
"""What is drawn takes at most this part of a slow line; the rest is for keys."""
SMALLEST = 96
"""A frame may always have so many bytes, however slow the line."""
FAST = 32_000.0
"""A line of so many bytes a second or more needs no measure."""
NOISE_S = 0.05
"""Two answers so close to each other are one."""
SURE = 3
"""So many answers in a row must come sooner than a slow line could send them, or it is not a faster one."""
TELLING = 512
"""A frame of fewer bytes says nothing against a line that was fast until now: terminals hesitate too."""
PATIENT_QUESTIONS = 4
"""A terminal that leaves so many first questions open never answers any."""
NAMES = 20
"""Questions are told apart by numbers from 1 to this: the column of the cursor."""


@dataclass(frozen=True, slots=True)
class Question:
    """When the terminal was asked, how much had been sent by then, and how much of that it had not yet drawn.

    `frame` is the size of the frame before it that another question led in; 0 where there is none.
    """

    name: int
    size: int
    at: float
    sent: int
    on_the_way: int
    frame: int


class Flow:
    """One terminal's line. `interval` is the least time between two frames that no key asked for (seconds)."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._sent = self._drawn = 0
        self._last = self._last_question = -inf
        self._questions: deque[Question] = deque()
        self._answered = False
        self._name = 0
        self._delay = 0.0
        self._led_in_at = -inf
        self._rate = inf
        self._quick = 0
        self._free_at = self._rested_at = -inf
        self._stalled = False
        self._slow_until = -inf

    def room(self, now: float, hurried: bool) -> int | None:
        """How many bytes may be sent now; 0: none, None: any number. `hurried` is the answer to a key."""
        if self._is_stalled(now) or (not hurried and now < max(self._last + self._interval, self._rested_at)):
            return 0
        if self._rate == inf:
            return None
        queued = max(0.0, self._free_at - now)
        unseen = self._sent - self._drawn - self._rate * (self._delay + QUEUE_S)
        room = int(self._rate * (QUEUE_S - queued) - max(0.0, unseen))
        if queued <= 0 and unseen <= 0:
            return max(SMALLEST, room)
        return room if room >= SMALLEST // 2 else 0

    def wait(self, now: float, hurried: bool) -> float:
        """After so many seconds it is worth asking for `room` again, unless an answer comes before."""
        next_at = (
            self._free_at - QUEUE_S / 2 if hurried else max(self._last + self._interval, self._rested_at)
        )
        return next_at - now if next_at > now else LOOK_EVERY_S

    @property
    def open_questions(self) -> int:
        """How many answers the terminal owes."""
        return len(self._questions)

    def asks(self, now: float, size: int) -> bool:
        """Whether the next frame, of `size` bytes, should stand between two questions."""
        due = now - self._last_question >= ASK_EVERY_S
        since = self._sent - (self._questions[-1].sent if self._questions else self._drawn)
        much = since + size >= ASK_EVERY_BYTES
        return self._hears and (self._rate < inf or due or much)

    def leads_in(self, now: float) -> bool:
        """Whether a question must lead the next frame in; not where one was the last on a line that is still busy."""
        last = self._questions[-1] if self._questions else None
        return last is None or now >= self._free_at or self._sent - last.sent > last.size

    def sent(self, now: float, size: int) -> None:
        """Note that a frame was sent."""
        self._last = now
        self._load(now, size)

    def _load(self, now: float, size: int) -> None:
        self._sent += size
        self._free_at = max(self._free_at, now) + size / self._rate
        self._rested_at = max(self._rested_at, now) + size / self._rate / SHARE

    def asked(self, now: float, size: int, frame: int = 0) -> int:
        """Note that a question of `size` bytes is sent, after a `frame` of so many that another question led in.

        Returns its name.
        """
        self._name = self._name % NAMES + 1
        self._questions.append(Question(self._name, size, now, self._sent, self._sent - self._drawn, frame))
        self._load(now, size)
        self._last_question = now
        return self._name

    def answered(self, now: float, name: int) -> None:
        """Note the answer to a question, which came at `now`; those before it will not be answered any more.

        An answer to no open question is ignored.
        """
        if all(question.name != name for question in self._questions):
            return
        while (question := self._questions.popleft()).name != name:
            self._led_in_at = inf
        self._answered, self._drawn = True, question.sent
        took = now - question.at
        if took - self._delay > STALL_S or self._stalled:
            self._slow_until = now + MARK_S
        self._stalled = False
        if question.frame and self._led_in_at < inf:
            self._learn(question.frame, now - self._led_in_at)
        elif question.on_the_way <= 0:
            self._delay = took
        self._led_in_at = now

    def _learn(self, size: int, seconds: float) -> None:
        """`size` bytes needed `seconds`, or less than can be told."""
        if seconds > NOISE_S:
            rate, self._quick = size / seconds, 0
            if self._rate < inf:
                self._rate = (self._rate + rate) / 2
            elif size >= TELLING:
                self._rate = rate
        elif size / self._rate > 1.5 * NOISE_S:  # faster than was thought, or two answers in one packet
            self._quick += 1
            if self._quick >= SURE:
                self._rate, self._quick = max(4 * self._rate, size / NOISE_S), 0
        if self._rate >= FAST:
            self._rate = inf

    def asks_again(self, now: float) -> bool:
        """Whether a stalled terminal should be asked once more."""
        return self._is_stalled(now) and now - self._last_question >= ASK_AGAIN_S

    @property
    def thin(self) -> bool:
        """Whether the line is so slow that each byte counts."""
        return self._rate < inf

    def slow(self, now: float) -> bool:
        """Whether what is on the screen is, or was a moment ago, older than a second."""
        return self._is_stalled(now) or now < self._slow_until

    @property
    def _hears(self) -> bool:
        return self._answered or len(self._questions) < PATIENT_QUESTIONS

    def _is_stalled(self, now: float) -> bool:
        """A terminal that never answered is not stalled: perhaps it never will."""
        if self._answered and self._questions and now - self._questions[0].at > STALL_S + self._delay:
            self._stalled = True
        return self._stalled
