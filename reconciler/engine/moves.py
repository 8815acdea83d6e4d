"""What moves from one backend to another within one plan, and whether it holds a port that both want. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.model.address import Place
from reconciler.model.change import Action, Change
from reconciler.model.intent import Difference, Intent
from reconciler.model.state import Snapshot

_COMES = frozenset({Action.CREATE, Action.UPDATE, Action.REPLACE, Action.ADOPT})


def moves(changes: Sequence[Change]) -> Mapping[Place, str]:
    """The removals of what is to stand in another backend, and in which one."""
    comes = {change.id: change.provider for change in changes if change.action in _COMES}
    leaves = [change.place for change in changes if change.action is Action.DELETE and change.id in comes]
    return {place: comes[place.id] for place in leaves if comes[place.id] != place.provider}


def making_room(difference: Difference, intents: Sequence[Intent], snapshot: Snapshot) -> Mapping[Place, str]:
    """Those that come first: what publishes a port, or owns one in the register, holds it until it is gone."""
    changes, found = difference.changes, moves(difference.changes)
    if not found:
        return found
    states = [(c.id, state) for c in changes for state in (c.before, c.after) if state is not None]
    holds = {id_ for id_, state in states if state.attributes.get("ports")} | difference.made_room
    holds |= {intent.id for intent in intents if intent.resource.spec.get("ports")}
    known = [*(entry.state for entry in snapshot.inventory), *(intent.state for intent in intents)]
    owners = {str(state.attributes.get("owner")) for state in (*known, *(state for _, state in states))}
    return {place: new for place, new in found.items() if place.id in holds or str(place.id) in owners}
