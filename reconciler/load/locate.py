"""Where a part of a manifest stands. Its file is read again for that, so only once there is something to report.

The file may have changed or gone meanwhile: then the line where its document began has to do.
"""

from __future__ import annotations

import re
from functools import lru_cache

from reconciler.load.discover import Found, read
from reconciler.load.nodes import Node, Step
from reconciler.load.text import SourceText
from reconciler.model.errors import Problem
from reconciler.model.resource import Source

_STEP = re.compile(r"\[([0-9]+)\]|([^.\[\]]+)")


def locate(source: Source, field: str | None) -> tuple[int, int, str | None]:
    """Line, column and text of the line of a field of a spec (`command[2]`), or of the nearest key around it."""
    found = document_of(source, source.file)
    if found is None:
        return source.line, 1, None
    text, node = found
    written: list[Step] = []
    at = node
    for step in _steps(field):
        child = at.child(step)
        if child is None:
            break
        written.append(step)
        at = child
    whole = len(written) == len(_steps(field))
    while written and isinstance(written[-1], int) and not whole:
        written.pop()
    place = text.problem(*node.place(written, key=not whole), "")
    return place.line, place.column, place.excerpt


def document_of(source: Source, path: str) -> tuple[SourceText, Node] | None:
    """The document of a resource and the text around it, or None where it is not there any more."""
    content = read(Found(source.file, source.file, path, (0, 0, 0, 0)))
    if isinstance(content, Problem):
        return None
    text, nodes = _documents(source.file, content.data)
    return next(((text, node) for node in nodes if node.line == source.line), None)


@lru_cache(maxsize=4)  # much may be wrong with one large file
def _documents(file: str, data: bytes) -> tuple[SourceText, list[Node]]:
    from reconciler.load.parse import read_reference
    from reconciler.load.text import decode

    text, unreadable = decode(file, data)
    return text, [] if unreadable else read_reference(text)[0]


def _steps(field: str | None) -> list[Step]:
    if not field:
        return []
    return ["spec", *(int(match[1]) if match[1] else match[2] for match in _STEP.finditer(field))]
