"""Which statements an operation can send, read from its code: what kill points are measured by."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import watchfloor

PACKAGE = Path(watchfloor.__file__).parent
SENDS = frozenset({"execute", "fetch_all", "fetch_one", "fetch_column", "fetch_value", "copy_rows"})

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Sent(NamedTuple):
    """Something that is sent to the server: from where, and whether it begins or ends a transaction or is within."""

    path: str
    line: int
    part: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.part}"

    @classmethod
    def read(cls, text: str) -> Sent:
        """The other way round."""
        path, line, part = text.split(":")
        return cls(path, int(line), part)


@dataclass(frozen=True, slots=True)
class Statement:
    """A place in the code that sends something."""

    path: str
    function: str
    first: int
    last: int
    part: str

    def sends(self, sent: Sent) -> bool:
        """Whether what was seen came from here."""
        return (sent.path, sent.part) == (self.path, self.part) and self.first <= sent.line <= self.last

    def __str__(self) -> str:
        return f"{self.part} in {self.function}, {self.path}:{self.first}"


class Code:
    """Modules of the program, searched for what they send."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._functions: dict[tuple[str, str], list[Function]] = defaultdict(list)
        self._aliases: dict[tuple[str, str], tuple[str, str]] = {}
        for path in paths:
            tree = ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, Function):
                    self._functions[path, node.name].append(node)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    where = node.module.removeprefix("watchfloor.").replace(".", "/")
                    for name in node.names:
                        self._aliases[path, name.name] = (where, name.name)

    def statements(self, *roots: tuple[str, str]) -> list[Statement]:
        """Everything that functions of modules send, themselves or through what they call."""
        found: list[Statement] = []
        seen, open_ = set(roots), list(roots)
        while open_:
            path, name = open_.pop()
            assert (path, name) in self._functions, f"there is no {name} in {path}"
            for function in self._functions[path, name]:
                found += _sent_in(path, function)
                for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                    called = self._called(path, call.func)
                    if called is not None and called not in seen:
                        seen.add(called)
                        open_.append(called)
        return sorted(found, key=lambda each: (each.path, each.first, each.part))

    def _called(self, path: str, what: ast.expr) -> tuple[str, str] | None:
        if isinstance(what, ast.Name):
            where, name = self._aliases.get((path, what.id), ("", what.id))
            wanted = [(path, name), (f"{where}.py", name)]
        elif isinstance(what, ast.Attribute):
            owner = what.value.id if isinstance(what.value, ast.Name) else ""
            where, module = self._aliases.get((path, owner), ("", ""))
            wanted = [(f"{where}/{module}.py", what.attr)] if module else [(path, what.attr)]
            if not module:  # a method of something of another module
                wanted += [key for key in self._functions if key[1] == what.attr]
        else:
            return None
        return next((key for key in wanted if key in self._functions), None)


def _sent_in(path: str, function: Function) -> Iterator[Statement]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in SENDS:
                yield Statement(path, function.name, node.lineno, node.end_lineno or node.lineno, "statement")
        elif isinstance(node, ast.AsyncWith):
            first, last = node.lineno, node.items[-1].context_expr.end_lineno or node.lineno
            if any("transaction" in ast.unparse(item.context_expr) for item in node.items):
                yield Statement(path, function.name, first, last, "begin")
                yield Statement(path, function.name, first, last, "commit")


OPERATIONS = Code(
    [
        *("engine/firer.py", "engine/runner.py", "engine/reaper.py", "operations/dead_letters.py"),
        *(
            f"store/{name}.py"
            for name in ("audit", "dead_letters", "ends", "fires", "health", "jobs", "pulse")
        ),
        *(f"store/{name}.py" for name in ("runs", "workers")),
    ]
).statements(
    ("engine/firer.py", "once"),
    ("engine/runner.py", "_exchange"),
    ("engine/reaper.py", "once"),
    ("operations/dead_letters.py", "requeue_many"),
)
"""What fire, promote, claim, finish, reap and requeue send."""
