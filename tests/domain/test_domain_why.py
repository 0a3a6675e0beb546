"""Why a service is not ok: every sentence follows from a stored fact, and none is said without one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from watchfloor.domain.why import (
    CHANGES,
    Event,
    Findings,
    Good,
    Looks,
    Other,
    Told,
    Version,
    Vote,
    explain,
)

NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)
BEGAN = NOW - timedelta(minutes=10)
FAILING = Findings(
    state="failing",
    latest="failing",
    soft=False,
    attempt=1,
    max_attempts=3,
    recover_attempts=2,
    every_s=30.0,
    retry_every_s=10.0,
    summary="HTTP 503, expected 200",
    checked_at=NOW,
    latency=None,
    began=BEGAN,
    confirmed_at=BEGAN + timedelta(seconds=20),
    first_said="connection refused",
)


def says(found: Findings, topic: str) -> list[str]:
    return [each.words for each in explain(found) if each.topic == topic]


def test_what_was_seen_and_since_when() -> None:
    assert says(FAILING, "seen") == ["failing: HTTP 503, expected 200"]
    assert says(FAILING, "since") == [
        "began: connection refused",
        "confirmed after 3 checks in a row that were not ok",
    ]
    moments = {each.words: each.at for each in explain(FAILING)}
    assert moments["began: connection refused"] == BEGAN


def test_numbers_now_stand_beside_those_of_the_last_good_check() -> None:
    good = Good(BEGAN - timedelta(seconds=30), 0.2, {"rows": 10.0, "lag": 1.0, "size": 5.0})
    found = replace(FAILING, latency=0.9, good=good, values={"rows": 0.0, "lag": 1.1, "size": 5.0})
    assert says(found, "seen")[1:] == [
        "it took 900 ms, the last good check 200 ms",
        "rows: 10 when it was ok, 0 now",
        "lag: 1 when it was ok, 1.1 now",
    ]


def test_what_was_tried_names_every_node_that_looked() -> None:
    found = replace(FAILING, looks=(Looks("eu", 40, 40), Looks("us", 2, 1)))
    assert says(found, "tried") == [
        "42 checks since then, 41 of them not ok: 40 by eu (40 not ok), 2 by us (1 not ok)"
    ]
    found = replace(FAILING, looks=(Looks("eu", 1000, 1000),), cut=True)
    assert says(found, "tried") == [
        "more than 1 000 checks since then; of the latest 1 000 all of them not ok, by eu"
    ]


def test_a_single_check_is_told_as_one() -> None:
    assert says(replace(FAILING, max_attempts=1), "since")[1:] == [
        "confirmed at once: one check that is not ok is enough"
    ]
    assert says(replace(FAILING, looks=(Looks("eu", 1, 1),)), "tried") == [
        "1 check since then, not ok, by eu"
    ]


def test_who_defined_a_service_that_never_was_ok_is_named() -> None:
    version = Version(BEGAN - timedelta(seconds=5), {"every": "1m"}, "kim", first=True)
    assert says(replace(FAILING, versions=(version,)), "changed") == ["it was first defined by kim"]
    old = replace(version, began=BEGAN - timedelta(days=9))
    assert says(replace(FAILING, versions=(old,)), "changed")[0].startswith("nothing that is known of")


def test_what_is_no_longer_kept_is_not_counted_and_that_is_said() -> None:
    kept = BEGAN + timedelta(minutes=5)
    found = replace(FAILING, looks=(Looks("eu", 40, 40), Looks("", 7, 6)), kept_since=kept)
    assert says(found, "tried") == [
        "47 checks that are still kept, 46 of them not ok: 40 by eu (40 not ok), "
        "7 by nodes that are not kept (6 not ok)",
        "earlier ones are no longer kept: the count begins",
    ]
    (at,) = [each.at for each in explain(found) if each.words.startswith("earlier")]
    assert at == kept
    assert says(replace(found, looks=()), "tried") == [
        "its checks of that time are no longer kept: the oldest that are come from"
    ]


def test_since_when_checks_find_nothing_out_is_told() -> None:
    blind = replace(FAILING, state="ok", latest="unknown", began=None, blind_since=BEGAN)
    assert says(blind, "since") == ["no check has found anything out"]
    assert says(replace(blind, latest="ok"), "since") == []


def test_where_several_nodes_decide_each_has_its_word() -> None:
    votes = (Vote("eu", "failing", "refused", NOW), Vote("us", "ok", "HTTP 200", BEGAN))
    found = replace(FAILING, quorum=2, votes=votes)
    assert says(found, "tried") == [
        "2 nodes must agree; 1 of 2 found it not ok",
        "eu found it failing: refused",
        "us found it ok",
    ]
    assert says(replace(found, quorum=1), "tried") == []


def test_an_unconfirmed_problem_says_how_many_checks_confirm_it() -> None:
    found = replace(FAILING, state="ok", soft=True, attempt=2, confirmed_at=None, told=None)
    assert says(found, "since") == ["began, and is not confirmed yet"]
    assert says(found, "tried") == ["check 2 of 3; the next comes after 10s, not 30s"]
    assert says(found, "told") == []


def test_changes_shortly_before_are_told_the_latest_first() -> None:
    versions = (
        Version(BEGAN - timedelta(days=9), {"every": "30s", "group": "shop"}),
        Version(BEGAN - timedelta(minutes=3), {"every": "10s", "group": "shop"}, "kim"),
    )
    events = (
        Event(BEGAN - timedelta(minutes=1), "the config file a.yaml was taken into force by eu"),
        Event(BEGAN - timedelta(days=2), "too long ago"),
        Event(BEGAN + timedelta(minutes=9), "too late to be why"),
    )
    assert says(replace(FAILING, versions=versions, events=events), "changed") == [
        "the config file a.yaml was taken into force by eu",
        "its definition was changed by kim: every 30s → 10s",
    ]
    many = tuple(Event(BEGAN - timedelta(minutes=n), f"e{n}") for n in range(CHANGES + 3))
    assert says(replace(FAILING, events=many), "changed")[-1] == "and 3 changes more"
    assert says(FAILING, "changed") == ["nothing that is known of, in the 24 hours before it"]


def test_a_change_that_the_console_wrote_is_told_value_by_value() -> None:
    written = ({"url": "http://a", "every": "30s"}, {"url": "http://b", "headers": {"x": "y"}})
    version = Version(BEGAN, {"every": "1m"}, "kim", written)
    found = replace(FAILING, versions=(Version(BEGAN - timedelta(days=3), {"every": "30s"}), version))
    assert says(found, "changed") == [
        "its definition was changed by kim: url http://a → http://b, every 30s → default, headers"
    ]


def test_of_the_past_only_what_is_kept_is_told() -> None:
    told = Told(42, "firing", "", (), {"chat delivered": (2, NOW)})
    found = replace(FAILING, past=True, told=told, latest="ok")
    assert says(found, "told") == []
    assert says(found, "since") == [
        "began: connection refused",
        "confirmed after 3 checks in a row that were not ok",
    ]
    assert says(found, "behind") == [
        "what it needed then is not kept; its page of now shows what it needs now"
    ]
    assert says(replace(found, state="ok", latest="failing", soft=True, attempt=2), "tried") == [
        "check 2 of 3"
    ]


def test_what_is_behind_it() -> None:
    router = Other("router", "failing", BEGAN)
    assert says(replace(FAILING, root=router, parents=(router,)), "behind") == [
        "root cause: router is failing, and this needs it"
    ]
    assert says(replace(FAILING, parents=(Other("db", "ok", None),)), "behind") == [
        "all it needs is in order (db): it is the root cause itself"
    ]
    assert says(replace(FAILING, together=("till",)), "behind") == [
        "till went wrong within two minutes of it"
    ]
    assert says(replace(FAILING, together=("till", "mail"), together_more=3), "behind") == [
        "till, mail and 3 other services went wrong within two minutes of it"
    ]
    assert says(FAILING, "behind") == []


def test_who_was_told_and_why_nobody_was() -> None:
    told = Told(42, "firing", "", (), {"chat delivered": (2, NOW), "pager dead": (1, BEGAN)})
    assert says(replace(FAILING, told=told), "told") == [
        "#42 to chat delivered, 2 messages",
        "#42 to pager dead",
    ]
    quiet = Told(42, "firing", "", ("maintenance", "silence"), {})
    assert says(replace(FAILING, told=quiet), "told") == [
        "nobody is told of alert #42: it is inside a maintenance window, a silence matches"
    ]
    assert says(FAILING, "told") == ["nobody: no alert is open about it"]
    waits = Told(42, "pending", "", (), {})
    assert says(replace(FAILING, told=waits), "told") == ["nobody: alert #42 is not firing yet"]
    acked = Told(42, "acknowledged", "kim", (), {"chat delivered": (1, NOW)})
    assert says(replace(FAILING, told=acked), "told")[-1] == "kim took charge of #42"


def test_a_recovery_that_is_not_confirmed_says_what_it_takes() -> None:
    found = replace(FAILING, latest="ok", summary="HTTP 200")
    assert says(found, "seen") == ["failing, though the latest check was ok: HTTP 200"]
    assert says(found, "since")[-1] == "ends with 2 checks in a row that are ok"


def test_unknown_paused_and_never_checked() -> None:
    assert says(replace(FAILING, latest="unknown", state="ok"), "seen")[1].startswith("unknown says that the")
    paused = replace(FAILING, state="paused", paused_by="kim", paused_at=NOW)
    assert [(each.words, each.at) for each in explain(paused)] == [
        ("nobody looks: it was paused by kim", NOW)
    ]
    new = replace(FAILING, state="pending", latest="")
    assert says(new, "seen") == ["no engine runs to check it"]
    assert says(replace(new, live_nodes=1), "seen") == ["no check of it has ended yet; 1 engine runs"]
