"""What counts as a secret, what may be written in a file, what may be shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_kinds import Rest, problem, problems, valid
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from watchfloor.config.base import Settings
from watchfloor.config.secrecy import embeds_password, is_sensitive_name, looks_secret
from watchfloor.config.secret_fields import is_hidden
from watchfloor.config.sentences import _leaks

REFUSED = "a secret is in plain text. Write ${NAME} and set the environment variable"


@pytest.mark.parametrize(
    "name",
    [
        *("password", "DB_PASSWORD", "Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "apiKey"),
        *("X-Auth-Token", "client_secret", "accessKey", "key", "sessionId", "privateKeyFile"),
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_sensitive_name(name)


@pytest.mark.parametrize(
    "name",
    ["Accept", "User-Agent", "X-Request-Id", "Idempotency-Key", "monkey", "passing", "url", "dsn", "author"],
)
def test_names_of_harmless_things(name: str) -> None:
    assert not is_sensitive_name(name)


@pytest.mark.parametrize(
    ("text", "name", "secret"),
    [
        ("hunter2", "password", True),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "secret", True),
        ("${NAME}", "password", False),
        ("prefix-${NAME}", "password", False),
        ("$${NAME}", "password", True),
        ("", "password", False),
        ("postgresql://db.example.org/app", "url", False),
        ("postgresql://me@db.example.org:5432/app", "url", False),
        ("postgresql://me:hunter2@db.example.org/app", "url", True),
        ("postgresql://me:${PW}@db.example.org/app", "url", False),
        ("postgresql://me:hunter2@${HOST}/app", "url", True),
        ("postgresql://db/app?password=hunter2", "url", True),
        ("postgresql://db/app?sslmode=require", "url", False),
        ("host=db user=me dbname=app", "database", False),
        ("host=db user=me password=hunter2", "database", True),
        ("host=db user=me password=${PW}", "database", False),
        ("https://hooks.example.org/alerts/on-call", "url", False),
        ("https://hooks.example.org/services/T0000/B0000/abcDEF123abcDEF123abcDEF", "url", True),
        ("https://ping.example.org/6f1c2c54-9d0e-4f8f-9c55-3a1f0b9a7f11", "url", True),
        ("https://hooks.example.org/services/${HOOK}", "url", False),
        ('{"query": "{ ok }"}', "body", False),
        ('{"password": "hunter2"}', "body", True),
        ('{"password": "${PW}"}', "body", False),
        ("user=me&token=hunter2", "body", True),
        ("ping", "body", False),
        ("hunter2", "pin", True),
    ],
)
def test_which_literals_give_a_secret_away(text: str, name: str, secret: bool) -> None:
    assert looks_secret(text, name) is secret


def test_headers_are_judged_by_their_names() -> None:
    assert looks_secret("Bearer abc", "Authorization", in_mapping=True)
    assert not looks_secret("Bearer ${TOKEN}", "Authorization", in_mapping=True)
    assert not looks_secret("text/html", "Accept", in_mapping=True)
    assert looks_secret("https://me:hunter2@proxy", "X-Proxy", in_mapping=True)


def test_passwords_in_addresses_are_seen_anywhere_in_a_text() -> None:
    assert embeds_password("see http://me:hunter2@host/ for more")
    assert not embeds_password("http://host:8080/path/@someone http://host?x=a:b@c")


def test_secrets_in_a_file_are_refused_and_never_shown(tmp_path: Path) -> None:
    text = """
services:
- name: shop
  kind: rest
  url: https://me:hunter2@shop.example.org
  headers: {Authorization: hunter2, Accept: text/html, X-Version: '2'}
  login: {user: me, password: hunter2}
  dsn: postgresql://me:hunter2@db/app
- name: numbers
  kind: rest
  url: https://shop.example.org
  login: {user: me, password: 1234}
database: postgresql://me:hunter2@db/app
"""
    found = problems(tmp_path, text)
    assert "hunter2" not in "\n".join(found)
    assert "1234" not in "\n".join(found)
    assert [line.split(": ")[1] for line in found if REFUSED in line] == [
        "services[0].url",
        "services[0].headers.Authorization",
        "services[0].login.password",
        "services[0].dsn",
        "services[1].login.password",
    ]
    assert "config.yaml:13:11: database: a password is in plain text." in found[-1]
    assert len(found) == 6


def test_harmless_literals_are_fine_in_secret_fields(tmp_path: Path) -> None:
    text = (
        "services: [{name: a, kind: rest, url: 'https://a.example.org', headers: {Accept: text/html},"
        " dsn: 'postgresql://me@db/app', body: '{\"ok\": true}'}]"
    )
    assert valid(tmp_path, text).services[0].raw["headers"] == {"Accept": "text/html"}


def test_a_value_of_a_secret_field_is_never_shown_whatever_is_wrong_with_it(tmp_path: Path) -> None:
    text = "services: [{name: a, kind: rest, url: 'https://a.example.org', headers: {X-Version: 1.10}}]"
    assert problem(tmp_path, text) == (
        "config.yaml:1:85: services[0].headers.X-Version: must be text. Put it in quotes."
    )


def test_fields_with_sensitive_names_are_hidden_whatever_their_type() -> None:
    class Careless(Settings):
        api_token: str
        nested: dict[str, list[SecretStr]] | None = None

    assert is_hidden(Careless, ("api_token",), "x")
    assert is_hidden(Careless, ("nested", "a", 3), "x")
    assert not is_hidden(Careless, ("other",), "x")
    assert is_hidden(Careless, ("other",), "http://a:b@c")


def test_settings_that_nest_themselves_are_no_trap() -> None:
    assert not is_hidden(_Tree, ("branches", 0, "leaf"), "x")
    assert is_hidden(_Tree, ("branches", 0, "fruit"), "x")


class _Tree(Settings):
    leaf: str = ""
    fruit: SecretStr | None = None
    branches: list[_Tree] = []


@given(st.text(min_size=4), st.text(), st.text(), st.data())
def test_no_four_characters_of_a_secret_pass(
    secret: str, before: str, after: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(secret) - 4))
    end = data.draw(st.integers(start + 4, len(secret)))
    assert _leaks(before + secret[start:end] + after, [secret])


@given(st.text(min_size=1, max_size=3), st.text(), st.text())
def test_a_short_secret_does_not_pass_whole(secret: str, before: str, after: str) -> None:
    assert _leaks(before + secret + after, [secret])


def test_the_kind_of_the_tests_hides_its_secrets() -> None:
    assert is_hidden(Rest, ("login", "password"), "x")
    assert not is_hidden(Rest, ("login", "user"), "x")
