"""Resources against each other: every id once, every dependency there, no circle. Pure; knows no files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from reconciler.model.address import RESERVED, ResourceId
from reconciler.model.frozen import dataclass
from reconciler.model.resource import Resource


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something wrong between resources. `path` leads to the part of the manifest that says so."""

    resource: Resource
    path: tuple[str | int, ...]
    message: str
    hint: str | None = None


def resolve(resources: Sequence[Resource], elsewhere: Collection[ResourceId] | None) -> list[Trouble]:
    """Everything that is wrong. `elsewhere` are ids whose manifests have errors of their own; None: unknown ones.

    What a broken manifest declares may well be meant by a dependency, so that is not reported twice.
    """
    first: dict[ResourceId, Resource] = {}
    troubles: list[Trouble] = []
    for resource in resources:
        earlier = first.setdefault(resource.id, resource)
        if earlier is not resource:
            troubles.append(_duplicate(resource, earlier))
    troubles += [_reserved(resource) for resource in first.values() if resource.id.reserved]
    if elsewhere is not None:
        troubles += _unknown(first, elsewhere)
    return troubles + _circles(first)


def _duplicate(resource: Resource, earlier: Resource) -> Trouble:
    message = f"{resource.id} is defined twice: first at {earlier.source}"
    return Trouble(resource, ("metadata", "name"), message, "rename or remove one of them")


def _reserved(resource: Resource) -> Trouble:
    message = f"{resource.id.name!r}: names that begin with {RESERVED} are kept for `reconcile self install`"
    return Trouble(resource, ("metadata", "name"), message, f"rename it to {resource.id.name.removeprefix(RESERVED)}")


def _unknown(known: dict[ResourceId, Resource], elsewhere: Collection[ResourceId]) -> Iterable[Trouble]:
    for resource in known.values():
        for index, wanted in enumerate(resource.depends_on):
            if wanted not in known and wanted not in elsewhere:
                from difflib import get_close_matches

                close = get_close_matches(str(wanted), [str(each) for each in known], 1)
                hint = f"did you mean {close[0]}?" if close else None
                owner = resource.spec.get("owner") == str(wanted)  # needed without being named in dependsOn
                path = ("spec", "owner") if owner else ("spec", "dependsOn", index)
                yield Trouble(resource, path, f"{wanted} is not in the manifests", hint)


def _circles(known: dict[ResourceId, Resource]) -> list[Trouble]:
    """One trouble per circle that remains when the members of those found before are left out."""
    needs = {each.id: each.depends_on for each in known.values() if each.depends_on}
    troubles: list[Trouble] = []
    if not needs:
        return troubles
    from graphlib import CycleError, TopologicalSorter

    while True:
        try:
            TopologicalSorter(needs).prepare()
        except CycleError as error:
            circle: list[ResourceId] = list(reversed(error.args[1]))[:-1]
        else:
            return troubles
        start = circle.index(min(circle))
        circle = circle[start:] + circle[:start]
        path = " -> ".join(str(each) for each in [*circle, circle[0]])
        follower = (circle + circle)[1]
        index = needs[circle[0]].index(follower)
        message = f"dependencies go in a circle: {path}"
        troubles.append(Trouble(known[circle[0]], ("spec", "dependsOn", index), message, "remove one of them"))
        needs = {each: wanted for each, wanted in needs.items() if each not in circle}
