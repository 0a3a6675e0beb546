"""Who is on call: against an oracle that looks at every minute of the wall clock, over every change of clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from watchfloor.domain.hours import over
from watchfloor.domain.rotas import FIRST, Layer, Override, Rota, Shift, Span, on_call, shift, shifts
from watchfloor.domain.routes import MuteTime

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "UTC",
)
STARTS = tuple(
    datetime(*day, tzinfo=UTC)
    for day in ((2026, 3, 26), (2026, 10, 23), (2026, 3, 6), (2026, 10, 30), (2026, 4, 3), (2018, 11, 2))
)
MINUTE = timedelta(minutes=1)
DAYS = 4
clocks = st.builds(time, st.integers(0, 23), st.sampled_from((0, 15, 30, 59)))
everyday = st.frozensets(st.integers(0, 6), min_size=1)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Rota, datetime, dict[str, tuple[Span, ...]]]:
    name, start = draw(st.sampled_from(ZONES)), draw(st.sampled_from(STARTS))
    layers = []
    for _ in range(draw(st.integers(1, 3))):
        members = tuple(draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=4)))
        hours = tuple(
            MuteTime(draw(everyday), draw(clocks), draw(clocks), name) for _ in range(draw(st.integers(0, 2)))
        )
        first = start.date() - timedelta(days=draw(st.integers(-2, 20)))
        layers.append(Layer(members, draw(st.sampled_from((1, 2, 3, 7))), draw(clocks), first, hours))
    span = st.tuples(st.integers(0, DAYS * 1440), st.integers(1, 3000)).map(
        lambda at: Span(start + at[0] * MINUTE, start + (at[0] + at[1]) * MINUTE)
    )
    overrides = tuple(Override(each, "z") for each in draw(st.lists(span, max_size=2)))
    absences = {who: tuple(draw(st.lists(span, max_size=2))) for who in "ab"}
    return Rota("r", name, tuple(layers), overrides), start, absences


class Wall:
    """Counts hand-overs as somebody would who looks at a clock on the wall every minute."""

    def __init__(self, layer: Layer, there: ZoneInfo, start: datetime) -> None:
        self.layer, self.there, self.turn = layer, there, -1
        self.next = layer.first
        now = start - timedelta(days=23)
        while now <= start:
            self.look(now)
            now += timedelta(hours=1)

    def look(self, now: datetime) -> int:
        local = now.astimezone(self.there).replace(tzinfo=None, fold=0)
        while local >= datetime.combine(self.next, self.layer.at):
            self.turn += 1
            self.next += timedelta(days=self.layer.days)
        return self.turn


def oracle(rota: Rota, walls: list[Wall], now: datetime, absences: dict[str, tuple[Span, ...]]) -> str | None:
    turns = [wall.look(now) for wall in walls]
    for override in rota.overrides[::-1]:
        if override.span.start <= now < override.span.end:
            return override.person
    for layer, turn in list(zip(rota.layers, turns, strict=True))[::-1]:
        if turn < 0 or (layer.hours and not any(within(each, now) for each in layer.hours)):
            continue
        around = [layer.members[(turn + n) % len(layer.members)] for n in range(len(layer.members))]
        here = [each for each in around if not any(a.start <= now < a.end for a in absences.get(each, ()))]
        if here:
            return here[0]
    return None


def within(hours: MuteTime, now: datetime) -> bool:
    local = now.astimezone(ZoneInfo(hours.zone))
    minutes = local.hour * 60 + local.minute
    begin, end = (each.hour * 60 + each.minute for each in (hours.begin, hours.end))
    if begin < end:
        return local.weekday() in hours.days and begin <= minutes < end
    if minutes >= begin:
        return local.weekday() in hours.days
    return minutes < end and (local.weekday() - 1) % 7 in hours.days


@given(cases())
@settings(max_examples=15)
def test_every_minute_is_as_somebody_with_a_clock_on_the_wall_would_say(case) -> None:
    rota, start, absences = case
    walls = [Wall(layer, ZoneInfo(rota.zone), start) for layer in rota.layers]
    end = start + timedelta(days=DAYS)
    found = list(shifts(rota, start, end, absences))
    assert found[0].start == start
    assert found[-1].end == end
    assert all(a.end == b.start and a.person != b.person for a, b in pairwise(found))
    now, at = start, 0
    while now < end:
        if now == found[at].end:
            at += 1
        expected = oracle(rota, walls, now, absences)
        assert on_call(rota, now, absences) == expected == found[at].person, now
        now += MINUTE


def test_a_hand_over_at_an_hour_that_clocks_skip_is_when_they_skip_it_and_one_shown_twice_is_the_first() -> (
    None
):
    spring = Rota("r", "Europe/Berlin", (Layer(("a", "b"), 1, time(2, 30), date(2026, 3, 28)),))
    assert list(
        shifts(spring, datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 29, 12, tzinfo=UTC), {})
    ) == [
        Shift("a", datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC)),
        Shift("b", datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 3, 29, 12, tzinfo=UTC)),
    ]
    autumn = Rota("r", "Europe/Berlin", (Layer(("a", "b"), 1, time(2, 30), date(2026, 10, 24)),))
    now, _ = shift(autumn, datetime(2026, 10, 24, 12, tzinfo=UTC), {})
    assert now.end == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_week_is_seven_days_on_the_wall_and_who_is_next_is_said_with_the_time() -> None:
    rota = Rota("r", "Europe/Berlin", (Layer(("a", "b", "c")),))
    now, after = shift(rota, datetime(2026, 3, 26, 12, tzinfo=UTC), {})
    assert FIRST.weekday() == 0
    assert now.end == datetime(2026, 3, 30, 7, tzinfo=UTC)  # Monday, 9:00 in summer
    assert after is not None
    assert after.start == now.end
    assert after.end == datetime(2026, 4, 6, 7, tzinfo=UTC)
    assert len({now.person, after.person}) == 2


def test_whoever_is_alone_is_on_call_without_an_end_and_nobody_is_when_all_are_away() -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    rota = Rota("r", "UTC", (Layer(("a",)),))
    assert shift(rota, now, {}) == (Shift("a", now, None), None)
    away = Span(now, now + timedelta(hours=3))
    first, after = shift(rota, now, {"a": (away,)})
    assert (first, after) == (Shift(None, now, away.end), Shift("a", away.end, None))


def test_quiet_hours_end_when_the_last_of_those_that_touch_ends() -> None:
    every = frozenset(range(7))
    hours = [
        MuteTime(every, time(22), time(6), "Europe/Berlin"),
        MuteTime(every, time(5), time(7), "Europe/Berlin"),
    ]
    assert over(hours, datetime(2026, 3, 28, 23, tzinfo=UTC)) == datetime(2026, 3, 29, 5, tzinfo=UTC)
    assert over(hours, datetime(2026, 3, 29, 12, tzinfo=UTC)) is None
