"""A YAML file of another tool, such as a compose file: its content and where each part stands. No manifests."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.load.nodes import Node
from reconciler.load.parse import read_reference
from reconciler.load.text import decode
from reconciler.model.errors import LoadError, Problem


def read_document(file: str, content: bytes) -> Node:
    """The one document of the file. Raises LoadError with everything that is wrong with it."""
    source, unreadable = decode(file, content)
    if unreadable is not None:
        raise LoadError((unreadable,))
    nodes, problems = read_reference(source, merging=True)
    if not problems and len(nodes) != 1:
        found = "holds nothing" if not nodes else f"holds {len(nodes)} documents, and one is expected"
        problems = [Problem(file, 0, 0, f"the file {found}")]
    if problems:
        raise LoadError(tuple(problems))
    return nodes[0]


def place_in(file: str, document: Node, path: Sequence[str | int]) -> str:
    """Where a part stands, for people: `compose.yaml:12`."""
    return f"{file}:{document.place(path, key=True)[0]}"
