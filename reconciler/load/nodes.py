"""A YAML document with the place of every part, and how to find a place in it again."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.model.data import Json
from reconciler.model.frozen import dataclass

Step = str | int
MERGE = "<<"


@dataclass(slots=True)
class Node:
    """One value. A mapping has `keys` and `members`, a list has `items`; places count from 1."""

    line: int
    column: int
    value: Json = None
    members: dict[str, Node] | None = None
    keys: dict[str, tuple[int, int]] | None = None
    items: list[Node] | None = None
    size: int = 1  # nodes in it, aliases written out
    written: str | None = None  # the letters of a value without quotes

    def plain(self) -> Json:
        """The value as plain JSON."""
        if self.members is not None:
            return {key: node.plain() for key, node in self.members.items()}
        if self.items is not None:
            return [node.plain() for node in self.items]
        return self.value

    def merge(self) -> None:
        """Put what `<<` names into this mapping, behind what it says itself; the first of several wins."""
        other = self.members.pop(MERGE, None) if self.members is not None else None
        for each in [] if other is None else (other.items or [other]):
            for key, node in (each.members or {}).items():
                if self.members is not None and self.keys is not None and key not in self.members:
                    self.members[key], self.keys[key] = node, (each.keys or {})[key]

    def child(self, step: Step) -> Node | None:
        if self.members is not None and isinstance(step, str):
            return self.members.get(step)
        if self.items is not None and isinstance(step, int) and 0 <= step < len(self.items):
            return self.items[step]
        return None

    def at(self, path: Sequence[Step]) -> Node:
        """What `path` leads to, or the nearest thing around it."""
        node: Node = self
        for step in path:
            child = node.child(step)
            if child is None:
                break
            node = child
        return node

    def place(self, path: Sequence[Step], *, key: bool = False) -> tuple[int, int]:
        """Line and column of what `path` leads to, or of the nearest thing around it; `key` asks for its key."""
        if key and path:
            keys, last = self.at(path[:-1]).keys, path[-1]
            if keys is not None and isinstance(last, str) and last in keys:
                return keys[last]
        node = self.at(path)
        return node.line, node.column
