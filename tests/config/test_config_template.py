"""Templates: a closed language whose mistakes are found when the configuration is read, with their place."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchfloor.config.kinds import channel_kinds
from watchfloor.config.loader import check
from watchfloor.config.template import FILTERS, MAX_OUTPUT, Template, TemplateFailure
from watchfloor.domain.notice import VARIABLES, facts, samples

FACTS = facts(samples()[0])


def rendered(source: str, **values: object) -> str:
    return Template(source).render({**FACTS, **values})


def failure(source: str) -> str:
    with pytest.raises(TemplateFailure) as caught:
        rendered(source)
    return str(caught.value)


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("{{ severity|upper }} {{ title }}", "CRITICAL website is failing"),
        ("{% if event == 'firing' %}!{% else %}.{% endif %}", "!"),
        (
            "{% for k, v in labels|items %}{{ k }}={{ v }}{{ ' ' if not loop.last }}{% endfor %}",
            "group=web kind=http service=website",
        ),
        ("{{ labels.team|default('nobody') }}", "nobody"),
        ("{{ labels.items }}{{ labels['group'] }}", "web"),
        ("{{ title|short(8) }}", "website…"),
        ("{{ labels|tojson }}", json.dumps(dict(FACTS["labels"]))),  # type: ignore[call-overload]
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
    ],
)  # fmt: skip
def test_what_it_can_say(source: str, made: str) -> None:
    assert rendered(source) == made


@pytest.mark.parametrize(
    "source",
    [
        "{% set x = title ~ title %}", "{% include 'x' %}", "{% import 'x' as y %}", "{% extends 'x' %}",
        "{% macro m() %}{% endmacro %}", "{{ range(9) }}", "{{ title.upper() }}", "{{ 'a' * 99 }}", "{{ 9 ** 9 }}",
        "{{ '%9d' % 1 }}", "{{ title|replace('a', 'b') }}", "{{ ''.__class__ }}",
        "{{ labels.__class__.__mro__[1] }}x{{ title.format }}",
        "{{ title|attr('__class__') }}", "{{ self }}", "{{ cycler }}", "{{ _steps }}", "{{ loop.__class__ }}",
        "{% for x in labels recursive %}{% endfor %}", "{{ lipsum }}", "{{ [1, 2] }}", "{{ title|map('upper') }}",
        "{% filter upper %}x{% endfilter %}", "{% call title() %}{% endcall %}", "{% block x %}{% endblock %}",
    ],
)  # fmt: skip
def test_what_it_cannot_do(source: str) -> None:
    assert failure(source).isprintable()


def test_loops_and_output_end_somewhere() -> None:
    began = time.monotonic()
    long = "x" * 4000
    assert "loops turn" in str(_fails("{% for a in t %}{% for b in t %}{% endfor %}{% endfor %}", long))
    assert f"{MAX_OUTPUT:,} characters" in str(_fails("{% for a in 'abcdefghij' %}{{ t }}{% endfor %}", long))
    nested = "{{ t" + "|tojson" * 500 + " }}"
    assert isinstance(_fails(nested, '"' * 4000), TemplateFailure)
    assert time.monotonic() - began < 5


def _fails(source: str, text: str) -> TemplateFailure | str:
    try:
        return Template(source.replace("t %}", "title %}").replace("{{ t", "{{ title")).render(
            {**FACTS, "title": text}
        )[:9]
    except TemplateFailure as failure:
        return failure


_SIGNS = [*"|~().[]1-: ", "{{", "}}", "{%", "%}", "for", "in", "if", "endif", "endfor", "'x'", "loop"]
words = st.sampled_from([*VARIABLES, *FILTERS, *_SIGNS])


@settings(settings.get_profile("thorough"))
@given(st.lists(words, max_size=25).map(" ".join) | st.text(max_size=80))
def test_any_text_is_a_template_or_a_mistake(source: str) -> None:
    try:
        made = rendered(source)
    except TemplateFailure as mistake:
        made = str(mistake)
        assert made.isprintable()
    assert len(made) <= MAX_OUTPUT


def test_a_mistake_in_a_template_has_its_place_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "channels:\n"
        "  - name: chat\n"
        "    kind: slack\n"
        "    url: https://chat.example.com/x\n"
        "    templates:\n"
        '      every: {title: "{{ titel }}"}\n'
        "      resolved:\n"
        "        body: |\n"
        "          It is over\n"
        "          {% if %}\n"
        "      later: {title: x}\n"
    )
    problems = [str(each) for each in check(path, {}, channel_kinds().models, {})]
    assert [problem.removeprefix(str(path)) for problem in problems] == [
        ':6:22: channels[0].templates.every.title: line 1 of the template: there is no variable "titel". Did you mean '
        '"title"?; found "{{ titel }}"; allowed: a template (Jinja2) of at most 8000 characters.',
        ":8:15: channels[0].templates.resolved.body: line 2 of the template: Expected an expression, got 'end of "
        'statement block\'; found "It is over {% if %}"; allowed: a template (Jinja2) of at most 8000 characters.',
        ":11:7: channels[0].templates.later: unknown key. Known keys: acknowledged, every, firing, reopened, resolved, "
        "severity_changed, test.",
    ]


def test_a_payload_template_must_make_json(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "channels:\n  - name: hook\n    kind: webhook\n    url: https://example.com\n"
        '    payload: \'{"text": "{{ note }}"}\'\n'
    )
    (problem,) = check(path, {}, channel_kinds().models, {})
    assert (problem.line, problem.column) == (5, 14)
    assert "does not make JSON; write texts with |tojson" in str(problem)
    for source in ("[" * 5000, "{{ 'x' }}"):
        path.write_text(
            f"channels:\n  - {{name: hook, kind: webhook, url: 'https://x', payload: \"{source}\"}}\n"
        )
        assert "does not make JSON" in str(check(path, {}, channel_kinds().models, {})[0])
    path.write_text(
        "channels:\n  - name: hook\n    kind: webhook\n    url: https://example.com\n"
        "    payload: '{\"text\": {{ note|tojson }}}'\n"
    )
    assert check(path, {}, channel_kinds().models, {}) == []
