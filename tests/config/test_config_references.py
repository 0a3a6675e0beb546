"""References: where they lead, how they fail, and that nothing they hold is ever shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from config_kinds import HOME, KINDS, Hook, Rest, load_text, problem, problems, valid

from watchfloor.config import references
from watchfloor.config.base import Settings
from watchfloor.config.loader import load
from watchfloor.config.problems import ConfigError
from watchfloor.config.references import References, Unresolved, references_in, resolve
from watchfloor.config.settings import build_settings, lean

SERVICE = "services:\n- name: shop\n  kind: rest\n  url: https://shop.example.org\n"


def secret_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "token"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_variables_files_and_escapes_are_replaced_inside_longer_text(tmp_path: Path) -> None:
    secret_file(tmp_path, "s3cret\n")
    reader = References({"NAME": "${OTHER}"}, tmp_path)
    assert reader.text("a ${NAME} b ${file:token} c $${NAME} d $NAME $$ {e}") == (
        "a ${OTHER} b s3cret c ${NAME} d $NAME $$ {e}"
    ), "what a reference resolves to is not searched again"
    assert reader.files == {tmp_path / "token"}


def test_only_one_line_end_is_dropped_from_a_file(tmp_path: Path) -> None:
    path = secret_file(tmp_path, "one\ntwo\r\n")
    assert References({}, Path("/")).text(f"${{file:{path}}}") == "one\ntwo"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("${MISSING}", 'the environment variable "MISSING" is not set'),
        ("${EMPTY}", 'the environment variable "EMPTY" is empty'),
        ("${BINARY}", 'the environment variable "BINARY" is not UTF-8 text'),
        ("${a-b}", '"${a-b}" is not a reference'),
        ("${}", '"${}" is not a reference'),
        ("${NAME", '"${" is not a reference'),
        ("${file:}", '"${file:}" is not a reference'),
        ("${file:/nowhere/at/all}", 'the file "/nowhere/at/all" does not exist'),
        ("${file:.}", 'the file "." is a directory'),
    ],
)
def test_a_reference_that_leads_nowhere_names_itself(tmp_path: Path, written: str, message: str) -> None:
    environ = {"EMPTY": "", "BINARY": "a\udc80"}
    with pytest.raises(Unresolved) as caught:
        References(environ, tmp_path).text(f"x {written} y")
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        ("x", 0o604, "can be read by every user"),
        ("x", 0o620, "can be changed by other users"),
        ("", 0o600, "is empty or holds a NUL character"),
        ("a\0b", 0o600, "is empty or holds a NUL character"),
        ("x" * 70_000, 0o600, "is larger than 64 KiB"),
    ],
)
def test_a_file_that_is_no_good_for_a_secret_is_refused(
    tmp_path: Path, content: str, mode: int, message: str
) -> None:
    secret_file(tmp_path, content, mode)
    with pytest.raises(Unresolved) as caught:
        References({}, tmp_path).text("${file:token}")
    assert message in caught.value.message


def test_a_file_that_only_its_group_reads_is_fine(tmp_path: Path) -> None:
    secret_file(tmp_path, "x", 0o640)
    assert References({}, tmp_path).text("${file:token}") == "x"


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token", 0o600)
    with pytest.raises(Unresolved, match="is not a regular file"):
        References({}, tmp_path).text("${file:token}")


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    secret_file(tmp_path, "").write_bytes(b"\xff")
    with pytest.raises(Unresolved, match="is not UTF-8"):
        References({}, tmp_path).text("${file:token}")


def test_references_cannot_insert_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "MAX_INSERTED", 2**20)
    reader = References({"LONG": "x" * 2**19}, tmp_path)
    assert len(reader.text("${LONG}${LONG}")) == 2**20
    with pytest.raises(Unresolved, match="references insert more than 1 MiB in all"):
        reader.text("${LONG}")


def test_names_of_references_are_found() -> None:
    assert references_in("${A} ${file:/b} $${C} ${D") == ["A", "file:/b"]


def test_mistakes_name_the_place_and_the_variable(tmp_path: Path) -> None:
    text = SERVICE + "  headers: {X-Trace: '${TRACE}', '${KEY}': x}\n  dsn: ${file:nowhere}\n"
    assert problems(tmp_path, text) == [
        'config.yaml:5:22: services[0].headers.X-Trace: the environment variable "TRACE" is not set. '
        "Set it and start again.",
        'config.yaml:5:44: services[0].headers["${KEY}"]: a reference works in values only. '
        "Write the key itself.",
        'config.yaml:6:8: services[0].dsn: the file "nowhere" does not exist. Create it or correct the path.',
    ]


def test_what_is_stored_holds_references_and_what_is_used_holds_secrets(tmp_path: Path) -> None:
    secret_file(tmp_path, "hunter2\n")
    text = SERVICE + "  headers: {Authorization: 'Bearer ${TOKEN}'}\n  dsn: ${file:token}\n"
    configuration = valid(tmp_path, text, TOKEN="t0ps3cret")
    (service,) = configuration.services
    settings = build_settings(Rest, service.raw, {"TOKEN": "t0ps3cret"}, tmp_path)
    assert settings.headers["Authorization"].get_secret_value() == "Bearer t0ps3cret"
    assert settings.dsn is not None
    assert settings.dsn.get_secret_value() == "hunter2"
    assert service.raw == {
        "url": "https://shop.example.org",
        "headers": {"Authorization": "Bearer ${TOKEN}"},
        "dsn": "${file:token}",
    }
    assert "hunter2" not in repr(configuration)
    assert "t0ps3cret" not in repr(configuration)
    assert configuration.files == {tmp_path / "token"}


def test_files_that_could_not_be_read_are_followed_too(tmp_path: Path) -> None:
    assert load_text(tmp_path, SERVICE + "  dsn: ${file:nowhere}\n").files == {tmp_path / "nowhere"}


def test_numbers_and_booleans_may_come_from_references(tmp_path: Path) -> None:
    text = SERVICE + "  verify: ${VERIFY}\n  ratio: ${RATIO}\n  every: ${EVERY}\n"
    values = {"VERIFY": "false", "RATIO": "0.25", "EVERY": "90s"}
    (service,) = valid(tmp_path, text, **values).services
    settings = build_settings(Rest, service.raw, values, tmp_path)
    assert (settings.verify, settings.ratio, service.every_s) == (False, 0.25, 90.0)


@pytest.mark.parametrize(
    ("key", "value"),
    [("ratio", "hunter2"), ("ratio", "nan"), ("url", "hunter2"), ("verify", "hunter2"), ("every", "hunter2")],
)
def test_a_bad_value_from_a_reference_shows_the_reference_only(tmp_path: Path, key: str, value: str) -> None:
    text = SERVICE.replace("  url: https://shop.example.org\n", "") if key == "url" else SERVICE
    only = problem(tmp_path, text + f"  {key}: ${{VALUE}}\n", VALUE=value)
    assert value not in only
    assert 'found "${VALUE}"' in only
    assert "The value comes from a reference." in only


def test_what_a_validator_says_is_kept_unless_it_repeats_a_secret(tmp_path: Path) -> None:
    text = SERVICE.replace("https://", "ftp://")
    assert "services[0].url: ftp://shop.example.org does not begin with http:// or" in problem(tmp_path, text)
    channel = "channels:\n- {name: ops, kind: hook, url: 'https://x.example.org', secret: '${SECRET}'}\n"
    assert problem(tmp_path, channel, SECRET="hunter2") == (
        "config.yaml:2:65: channels[0].secret: is not valid; allowed: text."
    )


def test_common_keys_take_harmless_variables_but_no_secrets(tmp_path: Path) -> None:
    text = SERVICE + "  tags: ['${REGION}']\n  description: ${NOTE}\n"
    (service,) = valid(tmp_path, text, REGION="eu", NOTE="x").services
    assert (service.tags, service.description) == (("eu",), "x")
    for written in ("${DB_PASSWORD}", "${file:token}"):
        found = problem(tmp_path, SERVICE + f"  description: '{written}'\n", DB_PASSWORD="hunter2")
        assert "a secret does not belong here, where it is shown and stored as it is" in found


def test_stored_settings_are_rebuilt_on_a_node(tmp_path: Path) -> None:
    secret_file(tmp_path, "hunter2\n")
    raw = {"url": "https://a.example.org", "dsn": "${file:token}", "slow_after": "500ms"}
    settings = build_settings(Rest, raw, {}, tmp_path)
    assert settings.slow_after == 0.5
    assert settings.dsn is not None
    assert settings.dsn.get_secret_value() == "hunter2"
    assert raw["dsn"] == "${file:token}"


def test_stored_settings_that_do_not_fit_name_every_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        build_settings(Rest, {"ratio": 2, "nonsense": 1, "expect": [True]}, {}, tmp_path)
    assert str(caught.value).splitlines() == [
        "expect[0]: must be a number; found true; allowed: a whole number or text.",
        "url: this key is required; allowed: text.",
        "ratio: is too large; found 2; allowed: a number from 0 to 1.",
        "nonsense: unknown key. Known keys: body, dsn, expect, headers, login, method, ratio, slow_after, "
        "url, verify.",
    ]


def test_stored_settings_whose_references_lead_nowhere_name_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        build_settings(Hook, {"url": "${URL}", "headers": {"A": "${B}"}}, {}, tmp_path)
    assert [problem.path for problem in caught.value.problems] == ["url", "headers.A"]
    assert resolve({"a": ["${X}"]}, {"X": "1"}, tmp_path) == {"a": ["1"]}


def test_relative_files_start_at_the_directory_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret_file(tmp_path, "hunter2")
    (tmp_path / "config.yaml").write_text(SERVICE + "  dsn: ${file:token}\n")
    monkeypatch.chdir(tmp_path.parent)
    loaded = load(Path(tmp_path.name) / "config.yaml", KINDS, {}, HOME)
    assert loaded.problems == ()


def test_what_is_not_written_is_kept_once_for_all_of_a_kind(tmp_path: Path) -> None:
    class Many(Settings):
        names: list[str] = ["usual"]
        limits: dict[str, int] = {}
        count: int = 3

    one, other = (lean(build_settings(Many, {"count": count}, {}, tmp_path)) for count in (1, 2))
    assert (one.names, one.limits, one.count, other.count) == (["usual"], {}, 1, 2)
    assert one.names is other.names
    assert one.limits is other.limits
    written = lean(build_settings(Many, {"names": ["usual"]}, {}, tmp_path))
    assert written.names is not one.names
    assert written.model_fields_set == {"names"}
