"""What stands on the host, by place and by address; and where a change puts things. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.model.address import Place, ResourceId
from reconciler.model.intent import Intent
from reconciler.model.state import HostFacts, Observed, Ownership, Snapshot


def by_place(snapshot: Snapshot) -> tuple[Mapping[Place, Observed], Mapping[Place, Sequence[Observed]]]:
    """Ours, of which the first counts, and what is not ours."""
    ours: dict[Place, Observed] = {}
    foreign: dict[Place, list[Observed]] = {}
    for item in snapshot.found:
        if item.ownership is Ownership.OURS:
            ours.setdefault(item.place, item)
        else:
            foreign.setdefault(item.place, []).append(item)
    return ours, foreign


def by_address(ours: Mapping[Place, Observed]) -> Mapping[ResourceId, Sequence[Observed]]:
    """In order of the backends: while something moves, it stands in two."""
    found: dict[ResourceId, list[Observed]] = {}
    for _, item in sorted(ours.items()):
        found.setdefault(item.id, []).append(item)
    return found


def where(intent: Intent, observed: Observed | None, host: HostFacts) -> str:
    """Where it stands, will stand, or both where it moves to another user."""
    user = intent.state.attributes.get("user")  # of backends that keep one place per user
    destination = "" if user is None else f"{intent.provider} of {user or host.user}"
    if observed is None:
        return destination
    moves = observed.state.attributes.get("user") != user
    return f"{observed.where}, then {destination}" if moves else observed.where
