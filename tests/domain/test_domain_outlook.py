"""What will happen next to a run, in sentences: for every state, and for what decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from watchfloor.domain.job_boards import FINAL_STATES
from watchfloor.domain.outlook import Outlook, sentences
from watchfloor.domain.retry import Retry

NOW = datetime(2026, 8, 20, 14, 0, tzinfo=UTC)
RUNNING = Outlook(
    state="running", attempt=1, used=0, retry=Retry(3, 10.0, 2.0, 3600.0), at_most_once=False, timeout_s=3600.0,
    available_at=NOW, started_at=NOW, deadline_at=None, cancel_by="", cancel_at=None, kill=False, paused=False,
    tripped=False, next_fire_at=NOW + timedelta(hours=3), queue="default", holders=(), follows=(), settled_by="",
    requeued_as=None,
)  # fmt: skip


def said(**changes: object) -> str:
    return " ".join(sentences(replace(RUNNING, **changes), lambda at: at.strftime("%H:%M")))  # type: ignore[arg-type]


def test_a_run_that_goes_on_says_when_it_is_ended_and_what_follows_a_failure() -> None:
    words = said()
    assert "It is ended at 15:00 (a time-out of 1h) if it still runs then." in words
    assert "If it fails, attempt 2 follows after 5s to 10s; 3 are allowed in all." in words
    assert "If its node is lost, it starts again on another." in words
    assert "Its job fires next at 17:00." in words


def test_the_pause_grows_with_the_attempts_and_the_last_one_leads_to_a_dead_letter() -> None:
    assert "attempt 3 follows after 10s to 20s" in said(attempt=2, used=1)
    assert "If it fails, it becomes a dead letter." in said(attempt=3, used=2)
    assert "follows after 1h;" in said(retry=Retry(3, 3600.0, 1.0, 3600.0)).replace("30m to 1h", "1h")


def test_what_never_starts_twice_says_so() -> None:
    words = said(at_most_once=True)
    assert "it never starts twice" in words
    assert "If it fails, it becomes a dead letter." in words


def test_a_deadline_before_the_time_out_is_what_ends_it() -> None:
    assert "ended at 14:30 (its deadline)" in said(deadline_at=NOW + timedelta(minutes=30))


def test_a_cancelled_run_says_who_wanted_it_and_how_hard() -> None:
    asked = {"cancel_by": "kim", "cancel_at": NOW}
    assert "kim cancelled it at 14:00: it has been told to end" in said(**asked)
    assert "it is killed at once" in said(**asked, kill=True)


def test_a_run_that_waits_says_for_what() -> None:
    assert "It starts at 14:00, or as soon after" in said(state="waiting", attempt=0)
    assert "Attempt 3 starts at 14:00" in said(state="waiting", attempt=2)
    assert "It starts once #7 has ended." in said(state="waiting", attempt=0, holders=(7,))
    assert "It starts once #7, #8, #9 have ended." in said(state="waiting", attempt=0, holders=(7, 8, 9, 10))
    assert "serves queue heavy" in said(state="ready", queue="heavy")
    assert "ended by 15:00, its deadline" in said(state="ready", deadline_at=NOW + timedelta(hours=1))


def test_a_dead_letter_says_what_became_of_it() -> None:
    assert "waits for somebody to requeue or discard it" in said(state="dead")
    assert "kim requeued it, and #52 runs in its place" in said(
        state="dead", settled_by="kim", requeued_as=52
    )
    assert "kim discarded it" in said(state="dead", settled_by="kim")


def test_what_becomes_of_its_job_is_always_said() -> None:
    rests = "its schedules rest until somebody resumes it."
    assert f"paused, because it failed too often in a row: {rests}" in said(tripped=True, paused=True)
    assert f"Its job is paused: {rests}" in said(state="dead", paused=True)
    assert "no fire to come" in said(next_fire_at=None)
    assert "After it: report when it succeeds." in said(follows=("report when it succeeds",))
    assert "After it" not in said(state="succeeded", follows=("report when it succeeds",))


def test_a_pause_of_its_job_does_not_keep_a_run_that_is_there_already() -> None:
    for state in ("waiting", "ready", "running"):
        assert "This run goes on all the same." in said(state=state, paused=True)
    assert "goes on" not in said(state="succeeded", paused=True)
    assert "all the same" not in said(state="waiting")


@pytest.mark.parametrize("state", sorted(FINAL_STATES | {"waiting", "ready", "running"}))
def test_every_state_has_something_to_say(state: str) -> None:
    words = sentences(replace(RUNNING, state=state), str)
    assert words
    assert all(each.endswith(".") for each in words)
