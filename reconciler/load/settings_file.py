"""`reconciler.yaml` from bytes to plain values, checked by the same reader and the same messages as manifests."""

from __future__ import annotations

from pathlib import Path

from reconciler.load.nodes import Node
from reconciler.load.parse import read_reference
from reconciler.load.text import SourceText, decode
from reconciler.model.data import Json
from reconciler.model.errors import LoadError, Problem


def settings_values(path: Path, content: bytes) -> dict[str, Json]:
    """Fields of `reconciler.settings.Settings` that the file decides. Raises LoadError with every problem."""
    source, unreadable = decode(str(path), content)
    if unreadable is not None:
        raise LoadError((unreadable,))
    documents, problems = read_reference(source)
    if not problems:
        problems = _shape_problems(documents, source)
    if problems:
        raise LoadError(tuple(problems))
    return _values(documents[0] if documents else Node(1, 1, members={}, keys={}), source)


def _shape_problems(documents: list[Node], source: SourceText) -> list[Problem]:
    if len(documents) > 1:
        second = documents[1]
        message = f"the settings must be one document, found {len(documents)}"
        return [source.problem(second.line, second.column, message, "remove the `---` line between them")]
    if documents and documents[0].members is None:
        first = documents[0]
        message = "the settings must be a mapping with host, plugins, prune or watch"
        return [source.problem(first.line, first.column, message)]
    return []


def _values(node: Node, source: SourceText) -> dict[str, Json]:
    from pydantic import ValidationError

    from reconciler.kinds.settings import SettingsFile

    try:
        found = SettingsFile.model_validate(node.plain())
    except ValidationError as error:
        from reconciler.load.messages import problems_of

        raise LoadError(tuple(problems_of(error, SettingsFile, source, node))) from None
    return {
        "host_name": found.host.name or "",
        "host_labels": sorted(f"{name}={value}" for name, value in found.host.labels.items()),
        "plugins": list(found.plugins),
        "prune": {
            "enabled": found.prune.enabled,
            "percent": found.prune.max_percent,
            "count": found.prune.max_count,
        },
        "drift_interval": found.watch.drift_interval,
    }
