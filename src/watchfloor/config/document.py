"""Reads YAML into plain data in which every key and value knows its line and column.

The dialect is the core of YAML 1.2, because 1.1 surprises people: here ``no``, ``on``, ``22:22`` and
``2024-01-01`` are text, ``010`` is ten, and only ``true`` and ``false`` are booleans. Keys are always text.
Anchors, aliases and the merge key ``<<`` work. One document per file; tags other than ``!!str``, ``!!map``
and ``!!seq`` are mistakes.

It must never build anything but text, numbers, booleans, null, lists and dicts, and takes bounded time and
memory whatever it is fed: nesting, size and the number of values (aliases counted expanded) have limits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from sys import intern
from types import MappingProxyType
from typing import Any

import yaml

from watchfloor.config.problems import Mistakes, Path, quoted

MAX_BYTES = 4 * 2**20
MAX_VALUES = 1_000_000
MAX_DEPTH = 50
LONG_TEXT = 100
"""A text counts as one value more for each of so many characters, so aliases cannot multiply it for ever."""

Mark = tuple[int, int]
"""Line and column, from 1."""

NOWHERE: Mark = (0, 0)

_NOTHING: Any = MappingProxyType({})  # scalars share it: a document holds very many of them
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the parser in C is ten times faster
_TEXT_TAGS = ("!", "tag:yaml.org,2002:str")
_COLLECTION_TAGS = (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")

_REFUSED = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_BASED = re.compile(r"0o[0-7]{1,18}|0x[0-9a-fA-F]{1,15}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,30}|[0-9]{1,30}(\.[0-9]{0,30})?)([eE][-+]?[0-9]{1,2})?")


@dataclass(slots=True)
class Node:
    """One value of the document.

    ``value`` is plain data. ``source`` is how a scalar is written in the file, None for a collection.
    ``keys`` holds the mark of each key of a mapping. ``size`` counts values with aliases expanded.
    """

    value: Any
    mark: Mark
    source: str | None = None
    children: dict[str | int, Node] = field(default_factory=lambda: _NOTHING)
    keys: dict[str, Mark] = field(default_factory=lambda: _NOTHING)
    size: int = 1

    def mark_of(self, path: Path) -> Mark:
        """The mark of the value at a path, or of the nearest thing around it that exists."""
        return self.find(path)[0].mark

    def key_mark(self, path: Path) -> Mark:
        """The mark of the key at the end of a path, or of the nearest thing around it that exists."""
        parent, _ = self.find(path[:-1])
        return parent.keys.get(str(path[-1]), parent.mark)

    def find(self, path: Path) -> tuple[Node, Path]:
        """Follow a path as far as it exists; parts that name nothing here are passed over."""
        node, known = self, []
        for part in path:
            child = node.children.get(part)
            if child is not None:
                node = child
                known.append(part)
        return node, tuple(known)


def unplaced(value: Any) -> Node:
    """A node of plain data that came from elsewhere than a file; it has no place."""
    if isinstance(value, dict):
        children = {key: unplaced(inner) for key, inner in value.items()}
        return Node(value, NOWHERE, children=children)
    if isinstance(value, list):
        return Node(value, NOWHERE, children=dict(enumerate(map(unplaced, value))))
    return Node(value, NOWHERE, str(value))


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every scalar of plain data with its path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from leaves(inner, (*path, at))
    else:
        yield path, value


class _Refused(Exception):
    """Stops reading: what follows would only be noise."""

    def __init__(self, mark: Mark, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.mark, self.message, self.hint = mark, message, hint


def read_document(data: bytes, mistakes: Mistakes, if_empty: str = "Write its contents.") -> Node | None:
    """Parse the bytes of one file; None after a mistake that leaves nothing to look at.

    ``if_empty`` is the remedy for a file that holds nothing.
    """
    try:
        text = _decoded(data)
        with _sentences(text), closing(_Events(text)) as events:
            return _Composer(events.next, mistakes).document(if_empty)
    except _Refused as refused:
        mistakes.add(refused.mark, (), refused.message, hint=refused.hint)
        return None


def _decoded(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise _Refused((1, 1), f"the file is larger than {MAX_BYTES // 2**20} MiB", "Make it smaller.")
    for bom, encoding in (
        (b"\xef\xbb\xbf", "UTF-8 with a byte order mark"),
        (b"\xff\xfe", "UTF-16"),
        (b"\xfe\xff", "UTF-16"),
    ):
        if data.startswith(bom):
            raise _Refused((1, 1), f"the file is {encoding}", "Save it as UTF-8 without a byte order mark.")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        message = f"the byte 0x{data[error.start]:02x} is not UTF-8"
        raise _Refused(_mark_at(before), message, "Save the file as UTF-8.") from None
    if odd := _REFUSED.search(text):
        name = "a NUL character" if odd[0] == "\0" else f"the control character U+{ord(odd[0]):04X}"
        raise _Refused(_mark_at(text[: odd.start()]), f"{name} is not allowed", "Remove it.")
    return text


def _mark_at(before: str) -> Mark:
    return before.count("\n") + 1, len(before) - before.rfind("\n")


class _Composer:
    """Turns the parser's events into nodes; one instance reads one document."""

    def __init__(self, next_event: Callable[[], Any], mistakes: Mistakes) -> None:
        self._next = next_event
        self._mistakes = mistakes
        self._anchors: dict[str, Node | None] = {}
        self._total = 0

    def document(self, if_empty: str) -> Node:
        self._next()  # the stream starts
        if isinstance(self._next(), yaml.StreamEndEvent):
            raise _Refused((1, 1), "the file is empty", if_empty)
        root = self._node(self._next(), (), 0)
        self._next()  # the document ends
        if not isinstance(event := self._next(), yaml.StreamEndEvent):
            raise _Refused(_mark(event), "a second document begins", "Keep one document in one file.")
        if root.value is None:
            raise _Refused((1, 1), "the file is empty", if_empty)
        return root

    def _node(self, event: Any, path: Path, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._counted(self._aliased(event), event)
        anchor = event.anchor
        if anchor is not None:
            self._anchors[anchor] = None  # unfinished: an alias to it would hold itself
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event, path)
        elif depth >= MAX_DEPTH:
            raise _Refused(_mark(event), f"more than {MAX_DEPTH} levels are nested", "Nest less deeply.")
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event, path, depth)
        else:
            node = self._mapping(event, path, depth)
        if anchor is not None:
            self._anchors[anchor] = node
        return node

    def _aliased(self, event: Any) -> Node:
        name = quoted(event.anchor)
        if event.anchor not in self._anchors:
            raise _Refused(
                _mark(event), f"the alias {name} has no anchor", "Write the anchor before its aliases."
            )
        node = self._anchors[event.anchor]
        if node is None:
            raise _Refused(_mark(event), f"the anchor {name} holds itself", "Remove the alias inside it.")
        return node

    def _counted(self, node: Node, event: Any) -> Node:
        self._total += node.size
        if self._total > MAX_VALUES:
            raise _Refused(
                _mark(event), f"the file holds more than {MAX_VALUES:,} values", "Use fewer aliases."
            )
        return node

    def _scalar(self, event: Any, path: Path) -> Node:
        mark, text = _mark(event), event.value
        if event.tag is None and event.implicit[0]:
            value = plain_value(text)
        else:
            value = text
            if event.tag is not None and event.tag not in _TEXT_TAGS:
                self._refuse_tag(event, path)
        if "\0" in text or not _encodable(text):
            self._mistakes.add(mark, path, "a character that no text may hold", hint="Remove the escape.")
            value = ""
        return self._counted(Node(value, mark, text, size=1 + len(text) // LONG_TEXT), event)

    def _sequence(self, event: Any, path: Path, depth: int) -> Node:
        self._check_tag(event, path)
        node = self._counted(Node([], _mark(event), children={}), event)
        while not isinstance(item := self._next(), yaml.SequenceEndEvent):
            position = len(node.value)
            child = self._node(item, (*path, position), depth + 1)
            node.children[position] = child
            node.value.append(child.value)
            node.size += child.size
        return node

    def _mapping(self, event: Any, path: Path, depth: int) -> Node:
        self._check_tag(event, path)
        node = self._counted(Node({}, _mark(event), children={}, keys={}), event)
        merged: list[Node] = []
        while not isinstance(item := self._next(), yaml.MappingEndEvent):
            key, mark = self._key(item), _mark(item)
            inner = (*path, key)
            child = self._node(self._next(), inner, depth + 1)
            node.size += child.size
            if key == "<<" and item.implicit[0]:
                merged.extend(self._merged(child, inner))
            elif key in node.keys:
                line, column = node.keys[key]
                message = f"the key is written twice, on line {line} and on line {mark[0]}"
                if line == mark[0]:
                    message = f"the key is written twice on line {line}, first in column {column}"
                self._mistakes.add(mark, inner, message, hint="Keep one of them.")
            else:
                node.children[key], node.keys[key], node.value[key] = child, mark, child.value
        for source in merged:
            for key, mark in source.keys.items():
                if key not in node.keys:
                    node.children[key], node.keys[key] = source.children[key], mark
                    node.value[key] = source.value[key]
        return node

    def _key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent) or event.anchor is not None:
            raise _Refused(_mark(event), "a key must be plain text", "Write the key as one word.")
        if not event.value or "\0" in event.value or not _encodable(event.value):
            raise _Refused(_mark(event), "a key is empty or holds a NUL character", "Write the key as text.")
        return intern(str(event.value))  # thousands of entries have the same few keys

    def _merged(self, node: Node, path: Path) -> list[Node]:
        sources = [node] if node.source is None and isinstance(node.value, dict) else []
        if isinstance(node.value, list):
            sources = list(node.children.values())
        if not sources or not all(isinstance(source.value, dict) for source in sources):
            self._mistakes.add(
                node.mark, path, "only mappings can be merged", allowed="an alias of a mapping, such as *base"
            )
            return []
        return sources

    def _check_tag(self, event: Any, path: Path) -> None:
        if event.tag not in _COLLECTION_TAGS:
            self._refuse_tag(event, path)

    def _refuse_tag(self, event: Any, path: Path) -> None:
        tag = event.tag.replace("tag:yaml.org,2002:", "!!")
        self._mistakes.add(
            _mark(event), path, f"the tag {quoted(tag)} is not allowed", hint="Remove the tag."
        )


class _Events:
    """The events of the YAML parser, released in the end."""

    def __init__(self, text: str) -> None:
        self._loader = _LOADER(text)

    def next(self) -> Any:
        return self._loader.get_event()

    def close(self) -> None:
        self._loader.dispose()


def plain_value(text: str) -> Any:
    """What an unquoted scalar means: null, a boolean, a number (as in YAML 1.2) or else text.

    Numbers too long to be exact, infinities and "not a number" stay text.

    >>> [plain_value(text) for text in ("no", "22:22", "010", "0x1f", "1.10", "true", "")]
    ['no', '22:22', 10, 31, 1.1, True, None]
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _encodable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _mark(event: Any) -> Mark:
    return event.start_mark.line + 1, event.start_mark.column + 1


_TAB = "a tab is used for indentation; use spaces"
_EXPLAINED = {
    "mapping values are not allowed in this context": (
        'a ": " is not expected here',
        "Check the indentation, or put a text that holds a colon in quotes.",
    ),
    "found character that cannot start any token": (
        "no value can begin with this character",
        "Put the text in quotes.",
    ),
    "found unexpected end of stream": ("the closing quote is missing", "Add it."),
    "found unknown escape character": (
        "a backslash in double quotes begins an unknown escape",
        "Use single quotes, or write the backslash twice.",
    ),
    "did not find expected ',' or ']'": ('a "," or "]" is missing', "Add it."),
    "did not find expected ',' or '}'": ('a "," or "}" is missing', "Add it."),
    "did not find expected key": ("a key is expected here", "Check the indentation and the quotes."),
    "could not find expected ':'": ('a ": " is missing after the key', "Add it."),
    "did not find expected '-' indicator": (
        'a list item, beginning with "- ", is expected here',
        "Check the indentation.",
    ),
}


@contextmanager
def _sentences(text: str) -> Iterator[None]:
    """Turn the parser's errors into sentences of the house."""
    try:
        yield
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        lines = text.splitlines()
        written = lines[line] if line < len(lines) else ""
        indentation = written[: len(written) - len(written.lstrip())]
        if "\t" in indentation:
            raise _Refused((line + 1, indentation.index("\t") + 1), _TAB) from None
        problem = error.problem or "it cannot be parsed"
        message, hint = _EXPLAINED.get(problem, (f"this is not valid YAML: {problem}", "Check the quotes."))
        if mark and error.context_mark and error.context_mark.line < line:
            message += f" (it began on line {error.context_mark.line + 1})"
        raise _Refused((line + 1, column + 1), message, hint) from None
    except yaml.YAMLError as error:
        raise _Refused((1, 1), f"this is not valid YAML: {error}") from None
