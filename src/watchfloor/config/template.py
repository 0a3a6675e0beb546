"""Templates of messages: a small, closed part of Jinja2, checked when the configuration is read.

A template may print, choose and loop over what it is given. It cannot assign, call, import or reach into objects:
only nodes and filters that are named here exist. So the work it makes is bounded by its own length, by `MAX_STEPS`
turns of loops and by the size of what it prints, whoever wrote it.

Source of the language: https://jinja.palletsprojects.com/en/stable/templates/
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, Undefined, nodes
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS
from jinja2.utils import pass_context
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from watchfloor.config.fields import InWords
from watchfloor.config.problems import quoted, suggest
from watchfloor.domain.notice import VARIABLES, facts, samples
from watchfloor.domain.text import one_line

MAX_SOURCE = 8_000
MAX_OUTPUT = 16_000
"""Characters; a message of Standard Webhooks has to stay below 20 kB."""

MAX_STEPS = 1_000
_STEPS = "_steps"

_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Name, nodes.Const, nodes.Getattr,
    nodes.Getitem, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Concat,
    nodes.Filter, nodes.Test, nodes.Tuple,
)  # fmt: skip
_LOOP = ("index", "index0", "first", "last")


class TemplateFailure(Exception):
    """A template that made no text; the message is one line."""


class _Steps:
    """How many turns of loops one rendering has left."""

    def __init__(self) -> None:
        self.left = MAX_STEPS

    def take(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise TemplateFailure(f"loops turn more than {MAX_STEPS:,} times")


class _Environment(ImmutableSandboxedEnvironment):
    """Looks into mappings and loops, and into nothing else."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping):
            return obj.get(attribute, "")
        if isinstance(obj, LoopContext) and attribute in _LOOP:
            return getattr(obj, attribute)
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        return self.getattr(obj, argument) if isinstance(argument, str) else self.undefined(obj=obj)


def _text(value: object) -> str:
    if isinstance(value, Undefined):
        str(value)  # raises what says which name it was
    return "" if value is None else str(value)[:MAX_OUTPUT]


def _on_text(change: Callable[[str], str]) -> Callable[[object], str]:
    return lambda value: change(_text(value))[:MAX_OUTPUT]


def _shortened(value: object, length: int = 80) -> str:
    return one_line(_text(value), max(1, int(length)))


def _default(value: object, instead: object = "") -> object:
    return instead if isinstance(value, Undefined) or value in ("", None) else value


def _items(value: object) -> list[tuple[str, str]]:
    return sorted(value.items()) if isinstance(value, Mapping) else []


def _json(value: object) -> str:
    known = isinstance(value, Mapping | int | tuple)
    return json.dumps(value if known else _text(value), ensure_ascii=False)


@pass_context
def _counted(context: Context, items: Iterable[Any]) -> Iterator[Any]:
    steps = context.resolve(_STEPS)
    for item in items:
        steps.take()
        yield item


FILTERS: Mapping[str, Callable[..., Any]] = {
    "upper": _on_text(str.upper),
    "lower": _on_text(str.lower),
    "capitalize": _on_text(str.capitalize),
    "trim": _on_text(str.strip),
    "short": _shortened,
    "default": _default,
    "items": _items,
    "tojson": _json,
}
"""The filters there are: changes of case, ``trim``, ``short(80)``, ``default("-")``, ``items``, ``tojson``."""

_TESTS = ("defined", "undefined", "none", "string", "mapping")


def _environment() -> _Environment:
    made = _Environment(
        undefined=StrictUndefined, optimized=False, trim_blocks=True, lstrip_blocks=True, cache_size=0
    )
    made.globals.clear()
    made.filters = {**FILTERS, "_counted": _counted}
    made.tests = {name: TESTS[name] for name in _TESTS}
    return made


class Template:
    """One compiled template."""

    def __init__(self, source: str) -> None:
        """Raises `TemplateFailure` for what is no template, with its line."""
        environment = _environment()
        try:
            tree = environment.parse(source)
            _check(tree)
            for loop in list(tree.find_all(nodes.For)):
                loop.iter = nodes.Filter(loop.iter, "_counted", [], [], None, None, lineno=loop.lineno)
                loop.iter.set_environment(environment)
            code: Any = environment.compile(tree)
        except TemplateSyntaxError as error:
            raise TemplateFailure(_in_line(error.lineno, error.message or "it cannot be read")) from None
        except RecursionError:
            raise TemplateFailure("it is nested too deeply") from None
        self._template = environment.template_class.from_code(environment, code, {})

    def render(self, variables: Mapping[str, object]) -> str:
        """The text that it makes. Raises `TemplateFailure`."""
        pieces: list[str] = []
        size = 0
        try:
            for piece in self._template.generate({**variables, _STEPS: _Steps()}):
                size += len(piece)
                if size > MAX_OUTPUT:
                    raise TemplateFailure(f"it makes more than {MAX_OUTPUT:,} characters")
                pieces.append(piece)
        except (TemplateError, TypeError, ValueError, RecursionError) as error:
            words = one_line(str(error)) or type(error).__name__
            line = _line(error)
            raise TemplateFailure(_in_line(line, words) if line else words) from None
        return "".join(pieces)


def _line(error: BaseException) -> int:
    """The line of the template in which it failed, as Jinja2 writes it into the traceback; 0 where it did not."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if "__jinja_exception__" in trace.tb_frame.f_globals:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _check(tree: nodes.Template) -> None:
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, _ALLOWED):
            raise TemplateSyntaxError(
                f"{type(node).__name__.lower()} is not part of this language", node.lineno
            )
        if isinstance(node, nodes.For) and node.recursive:
            raise TemplateSyntaxError("recursive loops are not part of this language", node.lineno)
    own = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
    for name in tree.find_all(nodes.Name):
        if name.ctx == "load" and name.name not in {*VARIABLES, *own, "loop"}:
            question = suggest(name.name, list(VARIABLES)) or f"Known: {', '.join(VARIABLES)}."
            raise TemplateSyntaxError(f"there is no variable {quoted(name.name)}. {question}", name.lineno)


def _in_line(number: int, words: str) -> str:
    return one_line(f"line {number} of the template: {words}", 400)


@lru_cache(maxsize=512)
def compiled(source: str) -> Template:
    """The template of a source, compiled once. Raises `TemplateFailure`."""
    return Template(source)


def _checked(source: str) -> str:
    if len(source) > MAX_SOURCE:
        raise PydanticCustomError("template", "is too long for a template")
    try:
        template = compiled(source)
        for notice in samples():
            template.render(facts(notice))
    except TemplateFailure as failure:
        message = str(failure).replace("{", "{{").replace("}", "}}")
        raise PydanticCustomError("template", message) from None
    return source


TemplateText = Annotated[
    str, AfterValidator(_checked), InWords(f"a template (Jinja2) of at most {MAX_SOURCE} characters")
]
"""A field that holds a template; its mistakes are mistakes of the configuration."""
