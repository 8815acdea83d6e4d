"""Which of the resources that reconciler installed for itself are in force, and how they join the plan of a tree.

No manifest of a user holds them. What is installed, and through what, is in `autostart`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.model.address import ResourceId
from reconciler.model.errors import UnsupportedSpec
from reconciler.model.resource import DriftPolicy, Resource
from reconciler.model.state import Owned, Snapshot
from reconciler.provider import Provider

if TYPE_CHECKING:
    from reconciler.journal.journal import Journal

SUPERVISOR, WATCH = "reconciler-supervisor", "reconciler-watch"
ADDRESSES = frozenset(ResourceId(kind, name) for kind in ("Automation", "Service") for name in (SUPERVISOR, WATCH))


def installed(inventory: Sequence[Owned]) -> tuple[Owned, ...]:
    return tuple(entry for entry in inventory if entry.id.reserved)


def in_force(
    journal: Journal,
    inventory: Sequence[Owned],
    providers: Mapping[str, Provider],
    support: Callable[[str], str | None],
) -> tuple[Resource, ...]:
    """The resources that the inventory holds in just that state. Costs nothing where there are none.

    Those of a backend that cannot be used right now are left out: they must not stand in the way of a tree.
    """
    entries = installed(inventory)
    if not entries:
        return ()
    known = journal.own()
    chosen = (_of(entry, known, providers) for entry in entries if support(entry.provider) is None)
    return tuple(resource for resource in chosen if resource is not None)


def _of(entry: Owned, known: Sequence[Resource], providers: Mapping[str, Provider]) -> Resource | None:
    for resource in known:
        try:
            if resource.id == entry.id and providers[entry.provider].canonical(resource) == entry.state:
                return resource
        except (UnsupportedSpec, KeyError):  # meant for another backend, or of another version
            continue
    return None


def joined(tree: Sequence[Resource], own: Sequence[Resource]) -> tuple[Resource, ...]:
    """A tree's resources and our own, in order."""
    return tuple(sorted((*tree, *own), key=lambda each: each.id)) if own else tuple(tree)


def spared(snapshot: Snapshot) -> Snapshot:
    """Without the entries of ours that no resource in force speaks of: whatever they are, they are never pruned."""
    known = {resource.id for resource in snapshot.own}
    if all(entry.id in known for entry in installed(snapshot.inventory)):
        return snapshot
    kept = tuple(entry for entry in snapshot.inventory if not entry.id.reserved or entry.id in known)
    return replace(snapshot, inventory=kept)


def remember(journal: Journal, own: Sequence[Resource]) -> None:
    """Keep in mind what is about to be installed. Before the rollout: a crash in between loses nothing.

    Later plans only report that the watch was changed: putting that back would end the watch that does it.
    """
    kept = [replace(each, drift=DriftPolicy.REPORT) if each.id.name == WATCH else each for each in own]
    known = journal.own() if kept else ()
    if any(resource not in known for resource in kept):
        journal.remember_own(kept)
