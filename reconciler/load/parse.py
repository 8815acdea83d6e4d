"""Reading YAML: the reference reader (every place, every refusal) and the fast one (everyday files only).

The reference reader is the law. The fast one declines whatever it is not sure to read in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from reconciler.load.gate import document_lines, everyday
from reconciler.load.nodes import MERGE, Node
from reconciler.load.scalars import plain_scalar
from reconciler.load.text import SourceText
from reconciler.model.data import Json
from reconciler.model.errors import Problem
from reconciler.model.frozen import dataclass

if TYPE_CHECKING:
    from ruamel.yaml.error import MarkedYAMLError

MAX_DEPTH = 50
MAX_ALIASES = 64
MAX_NODES = 100_000  # of one file, aliases written out
_CORE = "tag:yaml.org,2002:"
_SCALAR_TAGS = {_CORE + name: name for name in ("str", "int", "float", "bool", "null")}
_HINTS = {
    "while scanning an alias": 'quote a value that starts with *, for example "*/5 * * * *"',
    "while scanning an anchor": "quote a value that starts with &",
    "found character '@'": 'quote a value that starts with @, for example "@daily"',
    "found character '%'": "quote a value that starts with %",
    "found character '`'": "quote a value that starts with `",
    "mapping values are not allowed": 'quote a value that holds ": ", and check the indentation',
    "found unexpected end of stream": "a quote is opened and never closed",
}


def read_fast(text: str) -> list[tuple[int, dict[str, Json]]] | None:
    """Line and content of each document, or None where only the reference reader may judge."""
    load_all = _fast_loader()
    if load_all is None or not everyday(text):
        return None
    try:
        documents = [document for document in load_all(text) or () if document is not None]
    except ValueError:
        return None
    lines = document_lines(text)
    if len(lines) != len(documents) or not all(isinstance(document, dict) for document in documents):
        return None
    return list(zip(lines, documents, strict=True))


@cache
def _fast_loader() -> Callable[[str], list[Any] | None] | None:
    """The optional fast library (the `fast` extra), where it is installed."""
    try:
        return cast("Callable[[str], list[Any] | None]", import_module("ryaml").loads_all)
    except (ImportError, AttributeError):
        return None


def read_reference(source: SourceText, *, merging: bool = False) -> tuple[list[Node], list[Problem]]:
    """Every document that has content, with the place of each part, and everything that is refused.

    `merging` is for files of other tools, in which `<<` may stand.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    reader = _Reader(source, merging)
    try:
        for event in YAML(typ="safe", pure=True).parse(source.text):
            reader.take(event)
            if reader.stopped:
                break
    except MarkedYAMLError as error:
        problem = _syntax_problem(source, error)
        if not reader.problems or reader.problems[-1].line != problem.line:  # one slip, one message
            reader.problems.append(problem)
    except (YAMLError, ValueError, RecursionError) as error:
        reader.problems.append(source.problem(0, 0, f"cannot read the YAML: {error}"))
    return reader.documents, reader.problems


def _syntax_problem(source: SourceText, error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    text = " ".join(str(part) for part in (error.context, error.problem) if part)
    hint = next((hint for start, hint in _HINTS.items() if start in text), None)
    cause = str(error.problem or error.context or "it is not YAML").strip()
    message = f"cannot read the YAML: {cause}"
    return source.problem(mark.line + 1, mark.column + 1, message, hint) if mark else source.problem(1, 1, message)


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been seen. `key` waits for its value."""

    node: Node
    anchor: str | None
    key: tuple[str | None, int, int] | None = None  # name (None: refused, value is dropped), line, column


@dataclass(slots=True)
class _Reader:
    """Builds nodes from parser events and collects what is refused."""

    source: SourceText
    merging: bool = False
    documents: list[Node] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    stopped: bool = False
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, Node] = field(default_factory=dict)
    aliases: int = 0
    nodes: int = 0

    def take(self, event: Any) -> None:
        name = type(event).__name__
        if name == "ScalarEvent":
            self._place(self._scalar(event), event)
        elif name in ("SequenceStartEvent", "MappingStartEvent"):
            self._open(event, sequence=name == "SequenceStartEvent")
        elif name in ("SequenceEndEvent", "MappingEndEvent"):
            self._close()
        elif name == "AliasEvent":
            self._alias(event)
        elif name == "DocumentStartEvent":
            self._document(event)

    def _refuse(self, event: Any, message: str, hint: str | None = None, *, stop: bool = False) -> None:
        mark = event.start_mark
        self.problems.append(self.source.problem(mark.line + 1, mark.column + 1, message, hint))
        self.stopped = self.stopped or stop

    def _document(self, event: Any) -> None:
        self.anchors.clear()
        if event.version is not None and tuple(event.version) != (1, 2):
            version = ".".join(str(part) for part in event.version)
            self._refuse(event, f"the file asks for YAML {version}", "remove the %YAML line: manifests are YAML 1.2")
        if event.tags:
            self._refuse(event, "%TAG lines are not allowed", "remove it")

    def _count(self, event: Any, size: int) -> None:
        self.nodes += size
        if self.nodes > MAX_NODES and not self.stopped:
            self._refuse(event, f"the file holds more than {MAX_NODES} values", "split it", stop=True)

    def _scalar(self, event: Any) -> Node:
        node = Node(event.start_mark.line + 1, event.start_mark.column + 1)
        tag = _tag(event)
        plain = event.style in (None, "") and tag is None
        node.written = event.value if plain else None
        try:
            node.value = plain_scalar(event.value) if plain else _tagged(event.value, tag)
        except ValueError as error:
            self._refuse(event, str(error))
        if isinstance(node.value, str) and any("\ud800" <= letter <= "\udfff" for letter in node.value):
            self._refuse(event, "the text holds half of a surrogate pair", "write the character itself")
            node.value = ""
        return node

    def _open(self, event: Any, *, sequence: bool) -> None:
        tag = _tag(event)
        if tag not in (None, _CORE + ("seq" if sequence else "map"), "!"):
            self._refuse(event, f"the tag {_short(tag)} is not allowed", "remove it")
        if len(self.stack) >= MAX_DEPTH:
            self._refuse(event, f"lists and mappings are nested deeper than {MAX_DEPTH}", stop=True)
            return
        node = Node(event.start_mark.line + 1, event.start_mark.column + 1)
        if sequence:
            node.items = []
        else:
            node.members, node.keys = {}, {}
        if event.anchor:
            self.anchors.pop(event.anchor, None)  # an alias inside of it would be a circle
        if self.stack and self.stack[-1].node.members is not None and self.stack[-1].key is None:
            self._refuse(event, "a key must be text, found a list or mapping", stop=True)
        self.stack.append(_Open(node, event.anchor))

    def _close(self) -> None:
        done = self.stack.pop()
        if self.merging:
            done.node.merge()
        if done.anchor:
            self.anchors[done.anchor] = done.node
        self._attach(done.node)

    def _alias(self, event: Any) -> None:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            self._refuse(event, f"the file holds more than {MAX_ALIASES} aliases", "write the values out", stop=True)
            return
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        target = self.anchors.get(event.anchor)
        if target is None:
            inside = any(each.anchor == event.anchor for each in self.stack)
            cause = "stands inside of what it repeats" if inside else "repeats an anchor that is not there"
            self._refuse(event, f"the alias *{event.anchor} {cause}", _HINTS["while scanning an alias"])
            target = Node(line, column)
        copy = Node(
            line, column, target.value, target.members, target.keys, target.items, target.size, target.written
        )
        if len(self.stack) + _depth(target) > MAX_DEPTH:
            self._refuse(event, f"lists and mappings are nested deeper than {MAX_DEPTH}", stop=True)
        self._place(copy, None, event)

    def _place(self, node: Node, event: Any, counted: Any = None) -> None:
        """A finished scalar or alias: remember its anchor, count it, put it where it belongs."""
        self._count(event or counted, node.size)
        if event is not None and event.anchor:
            self.anchors[event.anchor] = node
        top = self.stack[-1] if self.stack else None
        if top is not None and top.node.members is not None and top.key is None:
            quoted = event is not None and event.style not in (None, "")
            top.key = (self._key(top.node, node, event or counted, quoted=quoted), node.line, node.column)
            return
        self._attach(node)

    def _attach(self, node: Node) -> None:
        if not self.stack:
            if node.members is not None or node.items is not None or node.value is not None:
                self.documents.append(node)
            return
        top = self.stack[-1]
        top.node.size += node.size
        if top.node.items is not None:
            top.node.items.append(node)
        elif top.key is not None and top.node.members is not None and top.node.keys is not None:
            name, line, column = top.key
            top.key = None
            if name is not None:
                top.node.members[name] = node
                top.node.keys[name] = (line, column)

    def _key(self, mapping: Node, node: Node, event: Any, *, quoted: bool) -> str | None:
        keys = mapping.keys or {}
        if not isinstance(node.value, str):
            found = (
                "a list or mapping" if node.items is not None or node.members is not None else _spelled(node.value)
            )
            self._refuse(event, f"a key must be text, found {found}", "quote it")
            return None
        if node.value == MERGE and not quoted and not self.merging:
            self._refuse(event, "merge keys (<<) are not part of YAML 1.2", "write the fields out")
            return None
        if node.value in keys:
            self._refuse(
                event, f"the key {node.value!r} stands here twice", f"the first is in line {keys[node.value][0]}"
            )
            return None
        return node.value


def _tag(event: Any) -> str | None:
    return str(event.tag) if event.tag is not None else None


def _tagged(text: str, tag: str | None) -> Json:
    """The value of a quoted or tagged scalar."""
    if tag is None or tag in ("!", _CORE + "str"):
        return text
    name = _SCALAR_TAGS.get(tag)
    if name is None:
        raise ValueError(f"the tag {_short(tag)} is not allowed")
    value = plain_scalar(text)
    found = "null" if value is None else type(value).__name__
    if found == name or (found == "int" and name == "float"):
        return value
    raise ValueError(f"{text!r} is not a value of the tag !!{name}")


def _short(tag: str | None) -> str:
    return str(tag).replace(_CORE, "!!")


def _spelled(value: Json) -> str:
    if value is None:
        return "nothing"
    return str(value).lower() if isinstance(value, bool) else f"the number {value}"


def _depth(node: Node) -> int:
    below = list(node.items or ()) + list((node.members or {}).values())
    return 1 + max(map(_depth, below), default=0) if node.items is not None or node.members is not None else 0
