"""Review: files that are somebody else's, that move, that have no folder or two manifests. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from reconciler.model.address import ResourceId
from reconciler.model.change import Action, Change
from reconciler.model.data import Json
from reconciler.model.state import State
from reconciler.provider import Finding


def review(
    facts: Mapping[str, Json], after: Mapping[ResourceId, State], changes: Sequence[Change]
) -> tuple[Finding, ...]:
    found = _claimed_twice(after, changes)
    for change in changes:
        finding = _of(change, facts)
        found += [] if finding is None else [finding]
    return tuple(found)


def _of(change: Change, facts: Mapping[str, Json]) -> Finding | None:
    if change.after is None:
        return None
    path = str(change.after.attributes["path"])
    kind = cast("Mapping[str, str]", facts.get("foreign", {})).get(path)
    if change.action is Action.CREATE and kind is not None:
        adopt = f", or take it over: `reconcile adopt {change.id}`" if kind == "file" else ""
        return Finding(f"{path} is a {kind} that is not ours", (change.id,), f"move it out of the way{adopt}")
    if path in cast("Sequence[str]", facts.get("homeless", ())):
        return Finding(f"the folder of {path} does not exist", (change.id,), "create it first")
    if change.before is not None and change.before.attributes["path"] != path:
        message = f"{change.id} cannot move from {change.before.attributes['path']} to {path}"
        return Finding(message, (change.id,), "give it another name: then the old one is removed and a new one made")
    return None


def _claimed_twice(after: Mapping[ResourceId, State], changes: Sequence[Change]) -> list[Finding]:
    """A path that two manifests want, or that one wants while another of ours is taken away there."""
    first: dict[str, ResourceId] = {}
    found: list[Finding] = []
    for id_, state in sorted(after.items()):
        path = str(state.attributes["path"])
        other = first.setdefault(path, id_)
        if other != id_:
            found.append(Finding(f"{other} and {id_} both want {path}", (other, id_), "take one of them out"))
    for change in changes:
        if change.action is Action.DELETE and change.before is not None:
            path = str(change.before.attributes["path"])
            if path in first:
                message = f"{change.id} would remove {path}, which {first[path]} wants"
                found.append(Finding(message, (change.id,), f"first `reconcile release {change.id}`"))
    return found
