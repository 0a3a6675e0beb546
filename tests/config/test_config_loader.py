"""A whole file: what a good one becomes, and every mistake of a bad one, with its place and remedy."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from config_kinds import (
    CHANNEL_KINDS,
    HOME,
    KINDS,
    load_text,
    placed,
    problem,
    problems,
    valid,
)
from pydantic import field_validator

from watchfloor.config.base import Settings
from watchfloor.config.loader import check, default_configuration, load
from watchfloor.config.model import ChannelConfig, NodeConfig, RuleConfig, ServiceConfig
from watchfloor.config.problems import ConfigError, render
from watchfloor.domain.outcome import Status
from watchfloor.domain.severity import Severity

WHOLE = """\
database: postgresql://me:${PW}@db.example.org/app
data_dir: data
node:
  name: north
  environment: production
  tags: [eu]
defaults:
  every: 10s
  timeout: 9s
  attempts: 4
services:
  - name: shop
    kind: rest
    url: https://shop.example.org
    every: 1m30s
    timeout: 5s
    attempts: 2
    recover_attempts: 3
    retry_every: 20s
    group: web
    tags: [a, b, a]
    runbook: https://wiki.example.org/shop
    description: The shop
    paused: true
    depends_on: [db, db]
  - {name: db, kind: port, host: db.example.org, port: 5432}
rules:
  - name: web
    when: {services: [shop, "s*"], groups: [web], kinds: [rest], tags: [a], status: [failing, unknown]}
    for: 2m
    severity: emergency
    channels: [ops]
    enabled: false
  - name: rest
channels:
  - {name: ops, kind: hook, url: "https://hooks.example.org", secret: "${SECRET}", enabled: false}
"""


def test_a_whole_file_becomes_a_configuration(tmp_path: Path) -> None:
    configuration = valid(tmp_path, WHOLE, PW="hunter2", SECRET="whsec_abc")
    shop, db = configuration.services
    assert configuration.path == tmp_path / "config.yaml"
    assert len(configuration.digest) == 64
    assert configuration.database == "postgresql://me:hunter2@db.example.org/app"
    assert configuration.data_dir == tmp_path / "data"
    assert configuration.node == NodeConfig("north", "production", ("eu",))
    assert shop == ServiceConfig(
        name="shop",
        kind="rest",
        every_s=90.0,
        timeout_s=5.0,
        attempts=2,
        recover_attempts=3,
        retry_every_s=20.0,
        group="web",
        tags=("a", "b"),
        runbook="https://wiki.example.org/shop",
        description="The shop",
        paused=True,
        depends_on=("db",),
        raw={"url": "https://shop.example.org"},
        line=0,
    ), "the line does not count when two are compared"
    assert (shop.line, db.line) == (12, 26)
    assert (db.every_s, db.timeout_s, db.attempts, db.recover_attempts) == (10.0, 8.0, 4, 1)
    assert configuration.rules == (
        RuleConfig(
            name="web",
            services=("shop", "s*"),
            groups=("web",),
            kinds=frozenset({"rest"}),
            tags=frozenset({"a"}),
            statuses=frozenset({Status.FAILING, Status.UNKNOWN}),
            for_s=120.0,
            severity=Severity.EMERGENCY,
            channels=("ops",),
            enabled=False,
            line=0,
        ),
        RuleConfig(
            name="rest",
            services=(),
            groups=(),
            kinds=frozenset(),
            tags=frozenset(),
            statuses=frozenset({Status.FAILING, Status.DEGRADED}),
            for_s=0.0,
            severity=None,
            channels=(),
            enabled=True,
            line=0,
        ),
    )
    (ops,) = configuration.channels
    assert isinstance(ops, ChannelConfig)
    assert (ops.name, ops.kind, ops.enabled, ops.line) == ("ops", "hook", False, 36)
    assert ops.raw == {"url": "https://hooks.example.org", "secret": "${SECRET}"}
    for secret in ("hunter2", "whsec_abc"):
        assert secret not in repr(configuration)


@pytest.mark.parametrize(
    ("every", "timeout", "retry_every"), [("30s", 10.0, 30.0), ("1s", 0.8, 1.0), ("10m", 10.0, 60.0)]
)
def test_times_that_are_left_out_follow_from_the_interval(
    tmp_path: Path, every: str, timeout: float, retry_every: float
) -> None:
    (service,) = valid(tmp_path, f"services: [{{name: a, kind: host, every: {every}}}]").services
    assert (service.timeout_s, service.retry_every_s) == (timeout, retry_every)


def test_sections_may_be_empty_or_missing(tmp_path: Path) -> None:
    configuration = valid(tmp_path, "services:\nrules:\nnode:\ndatabase:\n")
    assert configuration.services == ()
    assert configuration.database is None
    assert configuration.node.name


def test_every_mistake_of_a_file_is_reported_at_once_in_order(tmp_path: Path) -> None:
    text = """\
servces: []
node: {name: a, tag: [b]}
services:
  - name: shop
    kind: rest
    url: https://shop.example.org
    timeuot: 5s
    every: 30
    attempts: true
    tags: web
    method: get
    expect: [200, 1.5]
    login: {usr: a, password: "${PW}"}
    depends_on: [dbb]
  - name: db
    kind: port
    host: db.example.org
    port: 99999
    url: x
    timeout: 2m
    retry_every: 45s
  - name: db
    kind: prot
    every:
    runbook: wiki
  - nothing
rules:
  - name: service is not ok
    when: {services: [shp, "x*"], kinds: [rest, prot], status: [failing, broken]}
    for: 5
    channels: [opz]
    severity: fatal
    enabled: maybe
channels:
  - {name: ops, kind: hook}
"""
    assert problems(tmp_path, text, PW="x") == [
        'config.yaml:1:1: servces: unknown key. Did you mean "services"?',
        'config.yaml:2:17: node.tag: unknown key. Did you mean "tags"?',
        'config.yaml:7:5: services[0].timeuot: unknown key. Did you mean "timeout"?',
        "config.yaml:8:12: services[0].every: a number without a unit; found 30; allowed: a duration from 1s to "
        "7d, such as 30s, 5m or 1h30m. Write 30s for seconds.",
        "config.yaml:9:15: services[0].attempts: must be a number; found true; allowed: a whole number from 1 "
        "to 100.",
        'config.yaml:10:11: services[0].tags: must be a list; found "web"; allowed: a list; each item: text of '
        "1 to 50 printable characters. Write [web].",
        'config.yaml:11:13: services[0].method: is not one of the choices; found "get"; allowed: one of GET, '
        'HEAD, POST. Did you mean "GET"?',
        "config.yaml:12:19: services[0].expect[1]: is not allowed here; found 1.5; allowed: a whole number or "
        "text.",
        "config.yaml:13:12: services[0].login.user: this key is required; allowed: text.",
        'config.yaml:13:13: services[0].login.usr: unknown key. Did you mean "user"?',
        'config.yaml:14:18: services[0].depends_on[0]: there is no service in this file called "dbb". '
        'Did you mean "db"?',
        "config.yaml:18:11: services[1].port: is too large; found 99999; allowed: a whole number from 1 to "
        "65535.",
        'config.yaml:19:5: services[1].url: unknown key. The key "url" belongs to the kind rest.',
        "config.yaml:20:14: services[1].timeout: is longer than the interval of the checks; found 2m; allowed: "
        'at most 30s. Make it shorter, or "every" longer.',
        "config.yaml:21:18: services[1].retry_every: is longer than the interval of the checks; found 45s; "
        'allowed: at most 30s. Make it shorter, or "every" longer.',
        'config.yaml:22:11: services[2].name: the name "db" is taken by the service on line 15. '
        "Give each its own name.",
        'config.yaml:23:11: services[2].kind: is not a known kind; found "prot"; allowed: one of host, port, '
        'rest. Did you mean "port"?',
        "config.yaml:24:11: services[2].every: has no value. Write a value or remove the key.",
        'config.yaml:25:14: services[2].runbook: is not a web address; found "wiki"; allowed: an http:// or '
        "https:// address.",
        'config.yaml:26:5: services[3]: must be a mapping of keys to values; found "nothing". '
        'Write "key: value", with a space after the colon.',
        'config.yaml:28:11: rules[0].name: the name "service is not ok" belongs to the built-in rule. '
        "Choose another name.",
        'config.yaml:29:23: rules[0].when.services[0]: there is no service in this file called "shp". '
        'Did you mean "shop"?',
        'config.yaml:29:49: rules[0].when.kinds[1]: there is no kind of service called "prot". '
        'Did you mean "port"?',
        'config.yaml:29:74: rules[0].when.status[1]: is not one of the choices; found "broken"; allowed: one of '
        "failing, degraded, unknown.",
        "config.yaml:30:10: rules[0].for: a number without a unit; found 5; allowed: a duration from 0s to 7d, "
        "such as 30s, 5m or 1h30m. Write 5s for seconds.",
        'config.yaml:31:16: rules[0].channels[0]: there is no channel in this file called "opz". '
        'Did you mean "ops"?',
        'config.yaml:32:15: rules[0].severity: is not one of the choices; found "fatal"; allowed: one of info, '
        "warning, critical, emergency.",
        'config.yaml:33:14: rules[0].enabled: must be true or false; found "maybe".',
        "config.yaml:35:5: channels[0].url: this key is required; allowed: text.",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a\n", "1:1: must be a mapping of keys to values; found a list of 1."),
        (
            "services: {a: 1}\n",
            '1:11: services: must be a list; found a mapping. Begin each entry with "- ".',
        ),
        ("services: [[a]]\n", "1:12: services[0]: must be a mapping of keys to values; found a list of 1."),
        ("node: [a]\n", "1:7: node: must be a mapping of keys to values; found a list of 1."),
        ("database: 5\n", "1:11: database: must be text."),
        ("database: {url: x}\n", "1:11: database: must be text; found a mapping."),
        (
            "database: mysql://db/x\n",
            "1:11: database: does not name a PostgreSQL database; allowed: postgresql:",
        ),
        ("data_dir: [x]\n", "1:11: data_dir: must be text; found a list of 1."),
        ('data_dir: "a\\eb"\n', "1:11: data_dir: is not the path of a directory."),
        ("defaults: {every: 1ms}\n", "1:19: defaults.every: is too short; found"),
        ("defaults: {every: 365d}\n", "1:19: defaults.every: is too long; found"),
        ("defaults: {every: soon}\n", "1:19: defaults.every: is not a duration; found"),
        ("defaults: {every: [1]}\n", "1:19: defaults.every: must be a duration; found a list of 1"),
        ("services: [{kind: host}]\n", "1:12: services[0].name: this key is required; allowed: text of 1 to"),
        (
            "services: [{name: a}]\n",
            "services[0].kind: this key is required; allowed: one of host, port, rest.",
        ),
        (
            "services: [{name: a, kind: 5}]\n",
            "services[0].kind: is not a known kind; found 5; allowed: one of",
        ),
        (
            "services: [{name: 1.10, kind: host}]\n",
            "name: must be text; found 1.10; allowed: text of 1 to 100 printa",
        ),
        (
            "services: [{name: ' a', kind: host}]\n",
            "holds a line end or invisible character, or a space at eith",
        ),
        ('services: [{name: "a\\u202eb", kind: host}]\n', "holds a line end or invisible character"),
        ("services: [{name: '', kind: host}]\n", 'services[0].name: is empty; found ""'),
        (f"services: [{{name: {'a' * 101}, kind: host}}]\n", "services[0].name: is too long; found"),
        (
            "services: [{name: a, kind: host, attempts: 0}]\n",
            "attempts: is too small; found 0; allowed: a whole",
        ),
        ("services: [{name: a, kind: host, attempts: 1.5}]\n", "attempts: must be a whole number; found 1.5"),
        ("services: [{name: a, kind: host, depends_on: [a]}]\n", 'in a circle: "a" → "a". Remove one of'),
        (
            "services: [{name: a, kind: host, nonsense: 1}]\n",
            "services[0].nonsense: unknown key. Known keys: att",
        ),
        (
            "rules: [{name: a, when: {status: []}}]\n",
            "rules[0].when.status: has too few entries; found a list of",
        ),
        ("rules: [{name: a}, {name: a}]\n", 'the name "a" is taken by the rule on line 1.'),
        (
            "channels: [{name: a, kind: x}]\n",
            'channels[0].kind: is not a known kind; found "x"; allowed: one of hook',
        ),
    ],
)
def test_single_mistakes(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in problem(tmp_path, text)


def test_a_circle_of_dependencies_is_named_once(tmp_path: Path) -> None:
    text = "services:\n" + "".join(
        f"- {{name: {name}, kind: host, depends_on: [{to}]}}\n"
        for name, to in (("x", "a"), ("a", "b"), ("b", "c"), ("c", "a"))
    )
    assert problem(tmp_path, text) == (
        'config.yaml:3:37: services[1].depends_on: services depend on each other in a circle: "a" → "b" → "c" '
        '→ "a". Remove one of these dependencies.'
    )


def test_dependencies_that_only_meet_again_are_no_circle(tmp_path: Path) -> None:
    text = "services:\n" + "".join(
        f"- {{name: {name}, kind: host, depends_on: [{to}]}}\n"
        for name, to in (("a", "b, c"), ("b", "d"), ("c", "d"), ("d", ""))
    )
    assert len(valid(tmp_path, text).services) == 4


def test_a_chain_as_long_as_the_file_may_be_is_followed(tmp_path: Path) -> None:
    text = "services:\n" + "".join(
        f"- {{name: s{at}, kind: host, depends_on: [s{(at + 1) % 5000}]}}\n" for at in range(5000)
    )
    only = problem(tmp_path, text)
    assert '"s0" → "s1"' in only
    assert '→ "…" →' in only


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    text = "services:\n" + "- {name: a, kind: host}\n" * 20_001
    assert "services: is too long; found 20,001; allowed: 20,000 at most." in problem(tmp_path, text)


def test_booleans_where_numbers_belong_are_found_in_nested_settings_too(tmp_path: Path) -> None:
    class Inner(Settings):
        size: float = 1
        flag: bool = True
        sizes: dict[str, int] = {}

    class Outer(Settings):
        inner: Inner = Inner()

    path = tmp_path / "config.yaml"
    path.write_text("services: [{name: a, kind: k, inner: {size: true, flag: true, sizes: {x: false}}}]")
    loaded = load(path, {"k": Outer}, {}, HOME)
    assert set(placed(loaded)) == {"services[0].inner.size", "services[0].inner.sizes.x"}


def test_a_kind_that_fails_by_itself_is_a_mistake_of_the_kind(tmp_path: Path) -> None:
    class Broken(Settings):
        url: str

        @field_validator("url")
        @classmethod
        def _fail(cls, url: str) -> str:
            raise KeyError(url)

    path = tmp_path / "config.yaml"
    path.write_text("services: [{name: a, kind: k, url: hunter2}]")
    (only,) = render(check(path, {"k": Broken}, {}, HOME))
    assert "services[0]: these settings make their own validation fail (KeyError)" in only
    assert "hunter2" not in only


def test_a_kind_may_not_take_the_names_of_common_keys(tmp_path: Path) -> None:
    class Greedy(Settings):
        timeout: int = 1

    path = tmp_path / "config.yaml"
    path.write_text("services: [{name: a, kind: k}]")
    with pytest.raises(TypeError, match="common keys: timeout"):
        load(path, {"k": Greedy}, {}, HOME)


def test_files_that_cannot_be_read_are_mistakes(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    for name, expected in (
        ("missing.yaml", "this file does not exist. Create it or correct the path."),
        (".", "this file is a directory. Name a file."),
        ("loop", "this file is a link to itself. Correct the link."),
        ("pipe", "this file is not a regular file. Name a regular file."),
        ("a\0b", "this file has a name with a NUL character."),
        ("x" * 300, "this file has a name that is too long."),
    ):
        (only,) = render(check(tmp_path / name, KINDS, CHANNEL_KINDS, HOME))
        assert expected in only
        assert only.isprintable()


def test_a_file_without_permission_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.touch(0o000)
    user = os.geteuid()
    if user == 0:  # root may read everything
        os.seteuid(65534)
    try:
        (only,) = render(check(path, KINDS, CHANNEL_KINDS, HOME))
    finally:
        os.seteuid(user)
    assert "is not readable for this user. Give this user permission to read it." in only


def test_the_environment_beats_the_file(tmp_path: Path) -> None:
    text = "database: postgresql://db/a\ndata_dir: ~/data\n"
    assert valid(tmp_path, text).data_dir == Path("/home/operator/data")
    changed = valid(tmp_path, text, WATCHFLOOR_DATABASE="host=db dbname=b", WATCHFLOOR_DATA="/srv/data")
    assert changed.database == "host=db dbname=b"
    assert changed.data_dir == Path("/srv/data")


def test_a_bad_database_in_the_environment_is_a_mistake_without_its_value(tmp_path: Path) -> None:
    found = problem(tmp_path, "services: []", WATCHFLOOR_DATABASE="hunter2")
    assert found == (
        "environment: WATCHFLOOR_DATABASE: does not name a PostgreSQL database; allowed: "
        "postgresql://user@host:5432/database. Correct the variable or unset it."
    )


def test_without_a_file_this_machine_is_watched() -> None:
    configuration = default_configuration(KINDS, HOME).required()
    (service,) = configuration.services
    assert (service.kind, service.raw) == ("host", {})
    assert service.name == configuration.node.name
    assert (configuration.path, configuration.database) == (None, None)
    assert default_configuration({}, HOME).required().services == ()
    with pytest.raises(ConfigError, match="WATCHFLOOR_DATABASE"):
        default_configuration(KINDS, {**HOME, "WATCHFLOOR_DATABASE": "x"}).required()


def test_what_a_file_holds_cannot_repaint_a_terminal(tmp_path: Path) -> None:
    text = 'services: [{name: "a\\e[2Jb", kind: "\\e]0;x\\a", "k\\e[31m": 1}]\n"\\u202e\\r": 1\n'
    for line in problems(tmp_path, text):
        assert line.isprintable()


def test_ten_thousand_services_load_quickly(tmp_path: Path) -> None:
    text = "services:\n" + "".join(
        f"- name: service {at}\n  kind: rest\n  url: https://h{at}.example.org/health\n  every: 30s\n"
        f"  tags: [a, b]\n  headers:\n    Authorization: Bearer ${{TOKEN}}\n"
        for at in range(10_000)
    )
    began = time.process_time()
    loaded = load_text(tmp_path, text, TOKEN="t0ps3cret")
    assert loaded.problems == ()
    assert len(loaded.required().services) == 10_000
    assert time.process_time() - began < 10, "about 1.2 s where this was written"
