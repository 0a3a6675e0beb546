"""Every kind of rule on a real database: it fires and is over, and a rehearsal of the same history says the same."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from support.make import at, definition, make_days, make_rules, make_services, state_row
from support.rules import (
    DEFAULTS,
    above,
    alerts_of,
    asking,
    at_most,
    happened,
    make_job,
    make_records,
    make_run,
    measure,
    rehearsed,
    spread,
    stored,
)
from support.sql import column, rows
from watchfloor.domain.conditions import EvaluatedRule
from watchfloor.domain.default_rules import DEFAULT_RULES
from watchfloor.domain.judging import NoData, Operator, Threshold
from watchfloor.domain.outcome import Status
from watchfloor.domain.questions.absence import Absence
from watchfloor.domain.questions.anomaly import Anomaly
from watchfloor.domain.questions.burn import BurnRate
from watchfloor.domain.questions.certificate import Certificate
from watchfloor.domain.questions.forecast import Forecast
from watchfloor.domain.questions.jobs import Jobs, Measure
from watchfloor.domain.questions.logs import Logs
from watchfloor.domain.questions.metric import Metric
from watchfloor.domain.questions.rate import Rate
from watchfloor.domain.rules import Rule
from watchfloor.domain.severity import Severity
from watchfloor.domain.spans import SpanState
from watchfloor.operations import dead_letters
from watchfloor.operations.actor import Actor
from watchfloor.operations.evaluating import evaluate_due
from watchfloor.operations.rehearsing import rehearse
from watchfloor.store import alert_rooms, past_alerts
from watchfloor.store.certificates import SeenCertificate, save_certificates
from watchfloor.store.database import Database
from watchfloor.store.dead_letters import Selection
from watchfloor.store.objectives import ObjectiveDefinition, apply_objectives
from watchfloor.store.policy import apply_routing
from watchfloor.store.readings import TooMuch, forecast, logs
from watchfloor.store.results import ResultRow, SpanStart, copy_results, save_facts, save_states, switch_spans

HOUR, DAY = 3_600, 86_400
AT_LEAST_ONE = Threshold(Operator.GTE, (1.0,), (1.0,))
TRIED = Rule(0, "tried", frozenset())


async def test_a_rate_fires_while_a_counter_grows_too_fast_and_survives_its_new_beginning(
    database: Database,
) -> None:
    host = (await make_services(database, "host-1"))["host-1"]
    await make_days(database)
    grows = [float(n) for n in range(10)] + [10.0 + 20 * n for n in range(10)] + [float(n) for n in range(20)]
    await measure(database, host.id, "sent", spread(grows, at(0), 10))
    tried = asking(Rate("sent", 60, "minute", counter=True), above(30, clear=(10,)))
    found = await rehearsed(database, tried, at(0), at(390))
    assert found == await happened(database, tried, at(0), at(390))
    ((name, fired, ended),) = found
    assert (name, fired, ended) == ("host-1", at(120), at(250))
    assert (await alerts_of(database))[0][:2] == (
        "host-1: sent changes above 30 per minute",
        "sent changed by 24 per minute in the last 1m",
    )


async def test_absence_of_results_of_pings_and_of_a_metric(database: Database) -> None:
    made = await make_services(database, "host-1", definition("beat", kind="heartbeat"))
    host, beat = made["host-1"].id, made["beat"].id
    results = asking(Absence(), above(600))
    metric = EvaluatedRule(results.rule, asking(Absence("cpu"), above(600)).condition)
    await make_rules(database, stored(results, "results"), stored(metric, "cpu", selector={}))
    async with database.transaction() as connection:
        await connection.execute(
            "UPDATE heartbeats SET last_ping = %s WHERE service_id = %s", (at(300), beat)
        )
        await save_states(connection, [state_row(each, at(0)) for each in (host, beat)])
        await save_facts(connection, [(host, at(400), {}, {"cpu": 1.0}), (beat, at(900), {}, {"cpu": 1.0})])
    await evaluate_due(database, DEFAULTS, at(500))
    assert await alerts_of(database) == []
    for moment in (590, 650, 740, 830, 910, 1010):
        await evaluate_due(database, DEFAULTS, at(moment))
    assert await alerts_of(database) == [
        ("host-1: no result for more than 10m", "the last result came 16m49s ago", "firing", 1),
        ("beat: no result for more than 10m", "the last result came 11m50s ago", "firing", 1),
        ("host-1: no value of cpu for more than 10m", "the last value of cpu came 10m10s ago", "firing", 1),
    ]
    async with database.transaction() as connection:
        await connection.execute("UPDATE heartbeats SET last_ping = %s", (at(1015),))
        await save_facts(connection, [(host, at(1015), {}, {"disk": 1.0})])  # without cpu
    await evaluate_due(database, DEFAULTS, at(1020))
    assert [row[2] for row in await alerts_of(database)] == ["firing", "resolved", "firing"]


async def test_a_time_in_which_nobody_looked_is_no_absence(database: Database) -> None:
    """The program was away for an hour: silence counts from when it is back."""
    host = (await make_services(database, "host-1"))["host-1"]
    await make_rules(database, stored(asking(Absence(), above(600))))
    async with database.transaction() as connection:
        await save_states(connection, [state_row(host.id, at(0))])
    for moment in (0, 10, *range(3_600, 4_201, 100)):
        await evaluate_due(database, DEFAULTS, at(moment))
    assert await alerts_of(database) == []
    await evaluate_due(database, DEFAULTS, at(4_210))
    assert [row[2] for row in await alerts_of(database)] == ["firing"]


async def test_what_is_absent_already_does_not_recover_because_nobody_looked(database: Database) -> None:
    host = (await make_services(database, "host-1"))["host-1"]
    await make_rules(database, stored(asking(Absence(), above(600))))
    async with database.transaction() as connection:
        await save_states(connection, [state_row(host.id, at(0))])
    for moment in (*range(0, 701, 100), 3_600, 3_610, 3_700):
        await evaluate_due(database, DEFAULTS, at(moment))
    assert [row[2] for row in await alerts_of(database)] == ["firing"]
    async with database.transaction() as connection:
        await save_states(connection, [state_row(host.id, at(3_705))])
    await evaluate_due(database, DEFAULTS, at(3_710))
    assert [row[2] for row in await alerts_of(database)] == ["resolved"]


async def test_absence_in_a_rehearsal_is_the_gap_between_results(database: Database) -> None:
    host = (await make_services(database, "host-1"))["host-1"]
    await make_days(database)
    moments = [0, 30, 60, 90, 900, 930]
    async with database.transaction() as connection:
        await copy_results(
            connection,
            [ResultRow(host.id, at(s), 1, int(Status.OK), 1000, 0, None, None, 1000) for s in moments],
        )
    tried = asking(Absence(), above(600))
    assert await rehearsed(database, tried, at(0), at(1000)) == [("host-1", at(700), at(900))]


async def test_records_of_the_log_are_counted_by_all_that_is_asked(database: Database) -> None:
    await make_days(database)
    await make_records(
        database,
        (at(-1), 21, "web", "refused code=500 too early"),
        (at(10), 17, "web", "Refused code=503"),
        (at(20), 9, "web", "refused code=42"),
        (at(30), 13, "web-2", "code=500"),
        (at(40), 17, "db", "connection refused"),
        (at(60), 9, "db", "all is well"),
    )
    expected = {
        Logs(60.0, text="REFUSED"): 3,
        Logs(60.0, pattern=r"code=5\d\d"): 2,
        Logs(60.0, severity=17): 2,
        Logs(60.0, sources=("web*",)): 3,
        Logs(60.0, severity=17, text="refused", sources=("web",)): 1,
        Logs(60.0, nodes=("nobody",)): 0,
        Logs(120.0): 6,
    }
    async with database.transaction() as connection:
        for asks, count in expected.items():
            assert [each.value for each in await logs.read(connection, asks, (), at(60))] == [count], asks
            (course,) = await logs.course(connection, asks, (), [at(0), at(60), at(200)])
            assert course.values[1:] == [count, 0], asks


async def test_counts_of_the_log_fire_and_are_over_as_a_rehearsal_says(database: Database) -> None:
    await make_days(database)
    await make_records(
        database, *((at(s), 17, "web", f"failed {s}") for s in (0, 20, 40, 200, 210, 220, 230))
    )
    tried = asking(Logs(60.0, pattern="failed [0-9]+"), Threshold(Operator.GTE, (3.0,), (3.0,)))
    found = await rehearsed(database, tried, at(0), at(400))
    assert found == await happened(database, tried, at(0), at(400))
    assert found == [("log", at(40), at(60)), ("log", at(220), at(270))]


async def test_more_records_than_can_be_looked_through_are_an_error_that_says_what_to_do(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MOST_READ", 2)
    await make_days(database)
    await make_records(database, *((at(s), 9, "web", "line") for s in range(3)))
    await make_rules(database, stored(asking(Logs(60.0, pattern="line"), above(0))))
    await evaluate_due(database, DEFAULTS, at(10))
    ((title, summary, state, _),) = await alerts_of(database)
    assert (title, state) == ("rule tried cannot be evaluated", "firing")
    assert summary.startswith("more than 2 records to look through: narrow them by level")
    monkeypatch.setattr(logs, "MOST_WORK", 5)
    with pytest.raises(
        TooMuch, match="the pattern 'line' takes too much work on these records: write smaller"
    ):
        await rehearsed(database, asking(Logs(60.0, pattern="line"), above(0)), at(0), at(60))
    monkeypatch.setattr(logs, "MOST_PAST", 2)
    with pytest.raises(TooMuch, match="more than 2 records"):
        await rehearsed(database, asking(Logs(60.0), above(0)), at(0), at(60))


async def test_failures_of_a_job_in_a_row_and_their_share(database: Database) -> None:
    await make_days(database)
    job = await make_job(database, "backup")
    other = await make_job(database, "other")
    for minute, state in enumerate(["succeeded", "dead", "dead", "dead", "succeeded", "dead"]):
        await make_run(database, job, at(minute * 60), at(minute * 60 + 30), state)
        await make_run(database, other, at(minute * 60), at(minute * 60 + 30), "dead")
    row = asking(Jobs(Measure.FAILURES, ("back*",)), Threshold(Operator.GTE, (2.0,), (2.0,)), 30.0)
    share = asking(
        Jobs(Measure.SHARE, ("backup",), 180.0, 3), Threshold(Operator.GTE, (100.0,), (100.0,)), 30.0
    )
    found = await rehearsed(database, row, at(0), at(360))
    assert found == await happened(database, row, at(0), at(360))
    assert found == [("backup", at(150), at(270))]
    assert await rehearsed(database, share, at(0), at(360)) == [("backup", at(210), at(270))]


async def test_a_job_that_has_not_succeeded_and_one_that_runs_too_long(database: Database) -> None:
    await make_days(database)
    job = await make_job(database, "backup")
    idle = asking(Jobs(Measure.UNSUCCESSFUL), above(3_600.0))
    slow = asking(Jobs(Measure.DURATION), above(600.0))
    await make_rules(database, stored(idle, "idle"), stored(slow, "slow"))
    await make_run(database, job, at(0), at(60), "succeeded")
    await make_run(database, job, at(3_000), None, "running")
    for moment in (3_600, 3_610, 3_650, 3_670):
        await evaluate_due(database, DEFAULTS, at(moment))
    assert await alerts_of(database) == [
        ("backup: runs longer than 10m", "its latest run has taken 11m10s", "firing", 1),
        ("backup: has not succeeded for 1h", "no success for 1h10s", "firing", 1),
    ]
    async with database.transaction() as connection:
        await connection.execute(
            "UPDATE runs SET state = 'succeeded', finished_at = %s WHERE state = 'running'", (at(3_500),)
        )
    await evaluate_due(database, DEFAULTS, at(3_700))
    assert [row[2] for row in await alerts_of(database)] == ["resolved", "resolved"]


async def test_slow_statements_of_postgresql_are_told_of_out_of_the_box(database: Database) -> None:
    (rule,) = [each for each in DEFAULT_RULES if each.name == "slow queries in PostgreSQL"]
    assert (rule.kinds, rule.severity) == (("postgres",), None)
    await make_days(database)
    orders = (await make_services(database, "orders"))["orders"]
    of_values = replace(TRIED, severity=None)
    await make_rules(database, stored(EvaluatedRule(of_values, rule.condition)))
    found = []
    for n, slow in enumerate([9.0, 10.0, 50.0, 0.0]):
        await measure(database, orders.id, "slow_queries_per_minute", [(at(60 * n), slow)])
        async with database.transaction() as connection:
            await save_facts(connection, [(orders.id, at(60 * n), {}, {"slow_queries_per_minute": slow})])
        await evaluate_due(database, DEFAULTS, at(60 * n + 1))
        found.append([(state, severity) for _, _, state, severity in await alerts_of(database)])
    warning, critical = int(Severity.WARNING), int(Severity.CRITICAL)
    assert found == [[], [("firing", warning)], [("firing", critical)], [("resolved", critical)]]


async def test_a_run_that_died_reaches_the_owner_of_its_job_and_nobody_else(database: Database) -> None:
    await make_days(database)
    (dead_runs,) = [rule for rule in DEFAULT_RULES if rule.name == "dead runs"]
    await make_rules(database, stored(EvaluatedRule(TRIED, dead_runs.condition), channels=("ops",)))
    async with database.transaction() as connection:
        to_robin = {"match": ["owner=robin"], "channels": ["robin"]}
        await apply_routing(connection, [to_robin], ())
    backup = await make_job(database, "backup", belongs_to="robin", role="data", lane="nightly\x1fssd")
    other = await make_job(database, "other")
    await make_run(database, backup, at(0), at(30), "succeeded")
    await evaluate_due(database, DEFAULTS, at(40))
    assert await alerts_of(database) == []
    await make_run(database, backup, at(60), at(90), "dead", "exit code 7\nat line 3")
    await make_run(database, other, at(60), at(80), "dead", "gone")
    await evaluate_due(database, DEFAULTS, at(100))
    title, summary = "backup: its latest run died", "1 failure in a row; #2 exit code 7 at line 3"
    assert (title, summary, "firing", int(Severity.WARNING)) in await alerts_of(database)
    labels = {row[0]["job"]: row[0] for row in await rows(database, "SELECT labels FROM alerts")}
    whose = {"job": "backup", "owner": "robin", "role": "data", "queue": "nightly"}
    assert labels["backup"] == whose | {"since": at(100).isoformat()}
    assert set(labels["other"]) == {"job", "queue", "since"}
    told = "SELECT a.title, o.channel FROM outbox o JOIN alerts a ON a.id = o.alert_id ORDER BY o.channel"
    assert await rows(database, told) == [("other: its latest run died", "ops"), (title, "robin")]
    await make_run(database, backup, at(120), at(130), "succeeded")
    await evaluate_due(database, DEFAULTS, at(140))
    assert [row[2] for row in await alerts_of(database) if row[0] == title] == ["resolved"]


async def test_a_job_that_a_death_paused_is_told_of_and_one_that_somebody_paused_is_not(
    database: Database,
) -> None:
    await make_days(database)
    await make_rules(database, stored(asking(Jobs(Measure.FAILURES), AT_LEAST_ONE)))
    for name, tripped_at in (("tripped", at(90)), ("resting", None)):
        job = await make_job(database, name, paused=True, tripped_at=tripped_at)
        await make_run(database, job, at(60), at(90), "dead")
    await evaluate_due(database, DEFAULTS, at(100))
    assert [row[0] for row in await alerts_of(database)] == ["tripped: its latest run died"]


async def test_what_somebody_discarded_is_over(database: Database) -> None:
    await make_days(database)
    await make_rules(database, stored(asking(Jobs(Measure.FAILURES), AT_LEAST_ONE)))
    job = await make_job(database, "backup")
    for moment in (60, 90):
        await make_run(database, job, at(moment), at(moment + 10), "dead", f"at {moment}")
    await rows(database, f"INSERT INTO dead_letters SELECT id, 'it failed', '{at(100)}' FROM runs")
    first, second = await column(database, "SELECT id FROM runs ORDER BY id")
    await evaluate_due(database, DEFAULTS, at(110))
    assert [row[1:3] for row in await alerts_of(database)] == [
        (f"2 failures in a row; #{second} at 90", "firing")
    ]
    await dead_letters.discard_many(database, Actor("ann"), Selection(run_ids=(second,)))
    await evaluate_due(database, DEFAULTS, at(120))
    assert [row[1:3] for row in await alerts_of(database)] == [
        (f"1 failure in a row; #{first} at 60", "firing")
    ]
    await dead_letters.discard_many(database, Actor("ann"), Selection(run_ids=(first,)))
    await evaluate_due(database, DEFAULTS, at(130))
    assert [row[2] for row in await alerts_of(database)] == ["resolved"]


async def test_a_run_that_died_before_it_began_counts_as_dead(database: Database) -> None:
    """Its deadline passed while it waited."""
    await make_days(database)
    job = await make_job(database, "late")
    await make_run(database, job, at(60), at(90), "dead")
    await rows(database, "UPDATE runs SET started_at = NULL")
    slow = asking(Jobs(Measure.DURATION), AT_LEAST_ONE)
    row = asking(Jobs(Measure.FAILURES), AT_LEAST_ONE)
    assert await rehearsed(database, slow, at(0), at(100)) == []
    assert await rehearsed(database, row, at(0), at(100)) == [("late", at(90), None)]
    assert await happened(database, row, at(0), at(100)) == [("late", at(90), None)]


async def test_a_death_before_a_success_that_is_archived_by_now_is_over(database: Database) -> None:
    await make_days(database)
    await make_rules(database, stored(asking(Jobs(Measure.FAILURES), AT_LEAST_ONE)))
    job = await make_job(database, "backup")
    await make_run(database, job, at(0), at(30), "dead")
    await rows(database, f"INSERT INTO job_hours VALUES ({job}, '{at(HOUR)}', 1, 0, 0, 0, 0)")
    await evaluate_due(database, DEFAULTS, at(DAY))
    assert await alerts_of(database) == []


async def test_an_alert_about_a_job_shows_its_runbook_and_whom_to_ask(database: Database) -> None:
    await make_days(database)
    await make_rules(database, stored(asking(Jobs(Measure.FAILURES), AT_LEAST_ONE)))
    job = await make_job(
        database, "backup", contact="the storage team", runbook="https://wiki.example/backup"
    )
    await make_run(database, job, at(60), at(90), "dead")
    await evaluate_due(database, DEFAULTS, at(100))
    async with database.transaction() as connection:
        (alert,) = await alert_rooms.active(connection)
        found = await alert_rooms.detail(connection, alert.id)
        then = await past_alerts.alert_detail(connection, alert.id, at(110))
    assert found is not None
    assert then is not None
    wanted = ("https://wiki.example/backup", "the storage team")
    assert (found.runbook, found.contact) == (then.runbook, then.contact) == wanted
    assert found.story.run_id == 1, "and it leads to the run that died"


async def test_days_left_of_a_certificate(database: Database) -> None:
    made = await make_services(database, "shop", "plain")
    shop = made["shop"].id

    async def show(print_: str, day: int, ends: int) -> None:
        seen = SeenCertificate(shop, at(day * DAY), print_, "CN=shop", "CN=ca", at(-DAY), at(ends * DAY), {})
        async with database.transaction() as connection:
            await save_certificates(connection, [seen])

    tried = asking(Certificate(), at_most(21.0, critical=(7.0,)), 600.0)
    await make_rules(database, stored(tried))
    await show("old", 0, 30)
    await evaluate_due(database, DEFAULTS, at(0))
    assert await alerts_of(database) == []
    await show("old", 10, 30)
    await evaluate_due(database, DEFAULTS, at(10 * DAY))
    title = "shop: days left of its certificate at most 21"
    assert await alerts_of(database) == [(title, "its certificate ends in 20.0 days", "firing", 1)]
    await show("old", 24, 30)
    await evaluate_due(database, DEFAULTS, at(24 * DAY))
    assert await alerts_of(database) == [(title, "its certificate ends in 6.0 days", "firing", 2)]
    await show("new", 25, 115)
    await evaluate_due(database, DEFAULTS, at(25 * DAY))
    assert [row[2] for row in await alerts_of(database)] == ["resolved"]
    ((_, fired, ended),) = await rehearsed(database, tried, at(0), at(26 * DAY))
    assert abs(fired - at(9 * DAY)) < timedelta(hours=1)
    assert ended is not None
    assert timedelta(0) <= ended - at(25 * DAY) < timedelta(hours=1)


async def test_of_certificates_that_are_shown_in_turns_the_first_to_end_counts(database: Database) -> None:
    shop = (await make_services(database, "shop"))["shop"].id

    async def show(print_: str, day: float, ends: int) -> None:
        seen = SeenCertificate(shop, at(day * DAY), print_, "CN=shop", "CN=ca", at(-DAY), at(ends * DAY), {})
        async with database.transaction() as connection:
            await save_certificates(connection, [seen])

    tried = asking(Certificate(), at_most(21.0, critical=(7.0,)), 600.0)
    await make_rules(database, stored(tried))
    for turn in range(4):
        await show("a", turn / 100, 10)
        await show("b", turn / 100 + 0.005, 90)
    await evaluate_due(database, DEFAULTS, at(0.04 * DAY))
    title = "shop: days left of its certificate at most 21"
    assert await alerts_of(database) == [(title, "its certificate ends in 10.0 days", "firing", 1)]
    await show("b", 0.1, 90)
    await evaluate_due(database, DEFAULTS, at(0.1 * DAY))
    assert [row[2] for row in await alerts_of(database)] == ["resolved"]
    ((_, fired, ended),) = await rehearsed(database, tried, at(0), at(DAY))
    assert (fired, ended is not None) == (at(0), True)


async def test_an_objective_that_burns_too_fast(database: Database) -> None:
    """Up for a day, down for ten minutes, up again, checked every half minute."""
    await make_days(database)
    shop = (await make_services(database, "shop"))["shop"].id
    down, up, end = DAY, DAY + 600, DAY + 2 * HOUR
    promise = ObjectiveDefinition("web", 0.99, 30 * DAY * 1000, False, False, {}, "config.yaml:3")
    async with database.transaction() as connection:
        await apply_objectives(connection, [promise])
        for began, state in ((0, SpanState.UP), (down, SpanState.DOWN), (up, SpanState.UP)):
            await switch_spans(connection, [SpanStart(shop, at(began), state)])
        moments = range(down - 2 * HOUR, end, 30)
        await copy_results(
            connection,
            [
                ResultRow(
                    shop,
                    at(s),
                    1,
                    int(Status.FAILING if down <= s < up else Status.OK),
                    1000,
                    0,
                    None,
                    None,
                    1000,
                )
                for s in moments
            ],
        )
    tried = asking(BurnRate(), above(1.0, no_data=NoData.OK), 60.0)
    found = await rehearsed(database, tried, at(down - 600), at(up + 1_200))
    assert found == await happened(database, tried, at(down - 600), at(up + 1_200))
    ((name, fired, ended),) = found
    assert name == "shop"
    assert at(down + 300) < fired <= at(up)
    assert ended is not None
    assert at(up) < ended <= at(up + 360)
    ((title, _, state, severity),) = await alerts_of(database)
    assert (title, state, severity) == ("shop: uses up what its objective allows too fast", "resolved", 2)


async def test_a_disk_that_will_be_full(database: Database) -> None:
    """Level for two hours, then two percent in ten minutes, until it is emptied."""
    await make_days(database)
    host = (await make_services(database, "host-1"))["host-1"]
    level = [50.0 + 0.1 * (n % 3) for n in range(24)]
    fills = [50.0 + n for n in range(24)]
    await measure(database, host.id, "disk", spread([*level, *fills, *[20.0] * 12], at(0), 300))
    tried = asking(Forecast("disk", 100.0), at_most(4 * HOUR, no_data=NoData.OK, keep_firing_s=600.0), 600.0)
    found = await rehearsed(database, tried, at(0), at(18_000))
    assert found == await happened(database, tried, at(0), at(18_000))
    ((name, fired, ended),) = found
    assert name == "host-1"
    assert at(7_200) < fired < at(14_400)
    assert ended is not None
    assert at(14_400) <= ended <= at(16_800)
    ((_, summary, _, _),) = await alerts_of(database)
    assert re.search(r"reaches 100 in about \S+; four times in five between \S+ and \S+$", summary), summary


async def test_a_metric_that_is_not_what_it_is_at_this_hour(database: Database) -> None:
    await make_days(database, at(0))
    await make_days(database, at(-4 * DAY))
    host = (await make_services(database, "host-1"))["host-1"]
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO rollups (name, until) VALUES ('hour', %s)", (at(-HOUR),))
        await connection.execute("INSERT INTO series (name) VALUES ('cpu')")
        await connection.execute(
            "INSERT INTO metric_1h (service_id, series_id, ts, n, total, least, most, last, hist) "
            "SELECT %s, id, %s - n * interval '1 day', 1, 50 + n, 50, 50, 50 + n, '{}' "
            "FROM series, generate_series(1, 4) n",
            (host.id, at(0)),
        )
    values = [52.0] * 30 + [95.0] * 20 + [52.0] * 40
    await measure(database, host.id, "cpu", spread(values, at(0), 30))
    tried = asking(Anomaly("cpu", 300.0), above(50.0, clear=(10.0,), no_data=NoData.OK), 60.0)
    found = await rehearsed(database, tried, at(0), at(2_640))
    assert found == await happened(database, tried, at(0), at(2_640))
    ((name, fired, ended),) = found
    assert name == "host-1"
    assert at(900) < fired <= at(1_140)
    assert ended is not None
    assert at(1_740) <= ended <= at(1_860)


async def test_a_rule_that_forecasts_for_too_many_says_so(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecast, "MOST_SERIES", 1)
    await make_services(database, "host-1", "host-2")
    await make_rules(database, stored(asking(Forecast("disk", 100.0), at_most(HOUR))))
    await evaluate_due(database, DEFAULTS, at(0))
    ((_, summary, _, _),) = await alerts_of(database)
    assert summary == "2 series are selected; a rule makes 1 forecasts at most: narrow `when`"


async def test_a_pattern_judges_every_metric_of_a_service_by_itself(database: Database) -> None:
    host = (await make_services(database, "host-1"))["host-1"]
    await make_days(database)
    root, home = "disk_used{mount=/}", "disk_used{mount=/home_a}"
    tried = asking(Metric("disk_used{*}"), above(90))
    rising = EvaluatedRule(
        tried.rule, asking(Rate("disk_used{mount=*_a}", 60, "minute"), above(30)).condition
    )
    await make_rules(database, stored(tried, "full"), stored(rising, "rising"))
    for n, (first, second) in enumerate([(10.0, 20.0), (95.0, 40.0), (96.0, 60.0), (10.0, 80.0)]):
        values = {root: first, home: second, "disk": 99.0}
        async with database.transaction() as connection:
            await save_facts(connection, [(host.id, at(20 * n), {}, values)])
        for metric, value in values.items():
            await measure(database, host.id, metric, [(at(20 * n), value)])
        await evaluate_due(database, DEFAULTS, at(20 * n))
    assert await alerts_of(database) == [
        ("host-1: disk_used{mount=/} is above 90", "disk_used{mount=/} is 96", "resolved", 1),
        (
            "host-1: disk_used{mount=/home_a} changes above 30 per minute",
            "disk_used{mount=/home_a} changed by 60 per minute in the last 1m",
            "firing",
            1,
        ),
    ]
    found = await rehearse(database, tried, at(0), at(60))
    assert [(each.title, each.fired_at, each.ended_at) for each in found.fired] == [
        ("host-1: disk_used{mount=/} is above 90", at(20), at(60))
    ]
    assert found.instances == 2
