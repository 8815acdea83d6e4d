"""Resolve each desired resource to a provider and the canonical state that it asks for there. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.model.errors import LoadError, Problem, UnsupportedSpec
from reconciler.model.intent import Intent
from reconciler.model.resource import Resource
from reconciler.provider import Provider


def intents(resources: Sequence[Resource], providers: Mapping[str, Provider]) -> tuple[Intent, ...]:
    """One intent per resource, in order. Raises LoadError with every spec that no backend can express."""
    by_kind = {kind: name for name in sorted(providers) for kind in sorted(providers[name].kinds)}
    found: list[Intent] = []
    problems: list[Problem] = []
    for resource in resources:
        name = by_kind[resource.id.kind]
        try:
            found.append(Intent(resource, name, providers[name].canonical(resource)))
        except UnsupportedSpec as error:
            place = f"{resource.id} {error.field}" if error.field else str(resource.id)
            source = resource.source
            problems.append(Problem(source.file, source.line, 1, f"{place}: {error.message}", error.hint))
    if problems:
        raise LoadError(tuple(problems))
    return tuple(found)
