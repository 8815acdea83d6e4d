"""Review: containers in each other's way or in that of somebody else's, and what is down meanwhile. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import cast

from reconciler.model.address import ResourceId
from reconciler.model.change import Action, Change, Danger, Hazard
from reconciler.model.data import Json
from reconciler.model.port import Claim
from reconciler.model.state import State
from reconciler.provider import Finding
from reconciler.providers.container.spec import as_made, collide

_MARKED = {
    Action.ADOPT: "no engine can put a mark on a container that is there: {id} is made again, and is down meanwhile",
    Action.RELEASE: "no engine can take the mark off a container: {id} is made again, and is down meanwhile",
}


def review(
    facts: Mapping[str, Json], after: Mapping[ResourceId, State], changes: Sequence[Change]
) -> tuple[Finding, ...]:
    """Refusals first, then hazards in the order of the changes."""
    refused = (*_in_the_way(facts, changes), *_passing(facts, changes), *_one_port(after, changes))
    return (*refused, *_downtime(changes))


def _one_port(after: Mapping[ResourceId, State], changes: Sequence[Change]) -> list[Finding]:
    """Two containers that would publish one port of this machine, where at least one of them is new to it."""
    changed = {change.id for change in changes}
    held: dict[tuple[str, int], list[tuple[ResourceId, Claim]]] = {}
    for id_, state in sorted(after.items()):
        ports = state.attributes.get("ports", ()) if "status" not in state.attributes else ()
        for port in cast("Sequence[Mapping[str, Json]]", ports):
            claim = Claim(str(port["protocol"]), cast(int, port["host"]), str(port["address"]))
            held.setdefault((claim.protocol, claim.port), []).append((id_, claim))
    return [
        Finding(
            f"{one} and {other} both publish {first}: only one can have it",
            (one, other),
            "take it out of one of them, or choose another `host` port",
        )
        for group in held.values()
        for (one, first), (other, second) in combinations(group, 2)
        if one != other and changed & {one, other} and _meet(first, second)
    ]


def _meet(one: Claim, other: Claim) -> bool:
    """An engine opens `::` for IPv6 alone."""
    return one.met_by(*other) and (":" in one.address) == (":" in other.address)


def _in_the_way(facts: Mapping[str, Json], changes: Sequence[Change]) -> list[Finding]:
    theirs = cast("Mapping[str, str]", facts.get("theirs", {}))
    return [
        Finding(
            f"a container of somebody else is called {change.id.name}",
            (change.id,),
            f"take it over: `reconcile adopt {change.id}`; or rename one of them",
        )
        for change in changes
        if change.action is Action.CREATE and str(change.id) in theirs
    ]


def _passing(facts: Mapping[str, Json], changes: Sequence[Change]) -> list[Finding]:
    """What removes itself when it stops could not be brought back."""
    passing = cast("Sequence[str]", facts.get("passing", ()))
    return [
        Finding(
            f"the container {change.id.name} was started with --rm: it would be gone before its successor is proven",
            (change.id,),
            "start it again without --rm, then adopt it; or remove it, and apply",
        )
        for change in changes
        if change.action is Action.ADOPT and str(change.id) in passing
    ]


def _downtime(changes: Sequence[Change]) -> list[Finding]:
    found: list[Finding] = []
    for change in changes:
        message = _why_down(change)
        if message is not None:
            found.append(Finding(message, (change.id,), None, Hazard(Danger.DOWNTIME, message)))
    return found


def _why_down(change: Change) -> str | None:
    """None where nothing stops, or where the successor runs before its predecessor is stopped."""
    before, after = change.before, change.after
    if before is None or "status" in before.attributes:
        return None
    if change.action is Action.RELEASE and change.exact:
        return f"{change.id} is down while the container that you had before takes its place again"
    if change.action in _MARKED:
        return _MARKED[change.action].format(id=change.id)
    if after is None:
        return f"{change.id} is down once it is removed"
    if as_made(before) == as_made(after) or not collide(before, after):
        return None
    return f"{change.id} is down while its container is made again"


def facts(theirs: Mapping[str, tuple[str, State]]) -> dict[str, Json]:
    """What a review must know of the containers in the way, by address: where they are, and whether they stay."""
    passing = [address for address, (_, state) in sorted(theirs.items()) if state.attributes.get("passing")]
    found: dict[str, Json] = {}
    if theirs:
        found["theirs"] = {address: where for address, (where, _) in sorted(theirs.items())}
    return found | ({"passing": passing} if passing else {})
